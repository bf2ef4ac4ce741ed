"""The files of positions: those of a minute, and those of a day."""
