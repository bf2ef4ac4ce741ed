"""The files of positions: those of a minute, those of a day, and what of them may go."""
