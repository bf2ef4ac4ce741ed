"""One file to ingest, as a small record that a task can hand on."""

from typing import TypedDict, final


@final
class Delivery(TypedDict):
    """One file to ingest: as it was named, where it lies, and what the archive records of its arrival (UTC, ISO)."""

    source: str
    path: str
    source_url: str
    retrieved_at: str


class DeliveryError(Exception):
    """A source that gives no file; the message says why."""
