"""An OEM file -> issues: notations, epochs, comment block, rules, derived columns and checks. Knows no lake."""
