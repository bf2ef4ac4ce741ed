"""What only developers run; no image holds it."""
