"""Spacecraft positions from public feeds to Parquet tables that anyone can query and trust."""

__version__ = "0.1.0"
