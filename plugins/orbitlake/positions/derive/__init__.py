"""Fixes -> positions and minutes, in numpy and Arrow alone: their order, their motion, their sums."""
