"""What docs/prediction.md shows: how far predictions were off, what bounds of it held, and what helps against it."""
