"""Where positions meet Spark: the stream, the compaction, and rows on their way to the executors."""
