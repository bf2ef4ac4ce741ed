"""Raw position records on disk: segments that collectors append to, days sealed, and Spark's source over both."""
