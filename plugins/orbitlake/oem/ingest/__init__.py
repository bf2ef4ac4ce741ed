"""Issues -> the lake: sources and downloads, the raw archive, the tables of each issue, and their rebuild."""
