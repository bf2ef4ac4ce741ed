"""Kafka as transport of raw records: published by collectors, read by Spark, and landed in `raw/` as evidence."""
