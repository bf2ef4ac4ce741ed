"""An OEM file as its text -> the same message in either notation. Knows no lake."""
