"""The files of positions: those of a minute, those of a day, what lets both be replaced under a reader, what may go."""
