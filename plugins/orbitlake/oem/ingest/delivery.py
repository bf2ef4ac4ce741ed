"""One file to ingest, as a small record that a task can hand on."""

from typing import TypedDict, final
from urllib.parse import urlsplit, urlunsplit


@final
class Delivery(TypedDict):
    """One file to ingest: as it was named, where it lies, and what the archive records of its arrival (UTC, ISO).

    `retrieved_at` is None where the file's time of writing is no date.
    """

    source: str
    path: str
    source_url: str
    retrieved_at: str | None


class DeliveryError(Exception):
    """A source that gives no file; the message says why. Another try may go better."""


class PermanentDeliveryError(DeliveryError):
    """A source that will give no file however often it is asked: a wrong name, a refused host, a 404."""


def is_url(source: str) -> bool:
    """Say whether a source is fetched rather than opened; other schemes than http and https are refused later."""
    return "://" in source


def without_password(source: str) -> str:
    """Return a source as it may be logged and kept: a URL without user and password.

    Of a URL that cannot be parsed only the scheme is left, since its password could end anywhere.
    """
    if not is_url(source):
        return source
    try:
        parts = urlsplit(source)
        # Its reading raises where the port is none, as with a password that holds a slash.
        _ = parts.port
    except ValueError:
        return f"{source.partition('://')[0]}://..."
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
