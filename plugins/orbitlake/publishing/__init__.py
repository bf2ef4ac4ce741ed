"""Closed partitions -> an object store, or any other file system that Arrow or fsspec knows; and from there again."""

from orbitlake.publishing.partitions import tables_named
from orbitlake.publishing.publisher import Published, PublishError, publish
from orbitlake.publishing.store import Access, Store, StoreError

__all__ = ["Access", "PublishError", "Published", "Store", "StoreError", "publish", "tables_named"]
