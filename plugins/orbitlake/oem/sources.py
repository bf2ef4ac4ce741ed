"""What a run takes in: the inbox, files, folders and URLs; each becomes a delivery."""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orbitlake.destinations import endpoint_of
from orbitlake.lake import Lake
from orbitlake.oem import epochs, unpacking
from orbitlake.oem.delivery import Delivery, DeliveryError, is_url
from orbitlake.oem.download import fetch
from orbitlake.settings import Settings

CREATION_DATE: Final = re.compile(rb"CREATION_DATE\s*[=>]\s*([0-9T:.Z-]+)")
HEAD_BYTES: Final = 64 * 1024
MOST_NAMED: Final = 5


def list_sources(given: Sequence[str], lake: Lake, settings: Settings) -> list[str]:
    """Return files and URLs to take: what is given, or the inbox and the default URL where nothing is.

    Folders are searched at every depth; hidden files are passed over. Files come first, ordered by name: which of two
    files of one issue arrives first does not depend on the order in which they were listed.
    """
    if not given:
        given = [*([str(lake.inbox_oem)] if lake.inbox_oem.is_dir() else []), settings.oem_url]
    files: list[str] = []
    for source in given:
        if is_url(source):
            continue
        path = Path(source)
        inside = list(map(str, _offered(path)))
        is_idle_inbox = path == lake.inbox_oem and not inside
        files += inside or ([] if is_idle_inbox else [source])
    return sorted(files, key=lambda file: (Path(file).name, file)) + [source for source in given if is_url(source)]


def named_in_inbox(name: str, lake: Lake) -> str:
    """Return the file of a name in the inbox, given as its path below it. Raises DeliveryError where there is none.

    Names are compared with what lies there, and no path is made of one: this one comes from outside.
    """
    inside = {str(found.relative_to(lake.inbox_oem)): str(found) for found in _offered(lake.inbox_oem)}
    if name not in inside:
        holds = ", ".join(sorted(inside)[:MOST_NAMED]) or "nothing"
        raise DeliveryError(f"{name!r} is neither a URL nor a file in {lake.inbox_oem}, which holds {holds}")
    return inside[name]


def deliver(source: str, lake: Lake, settings: Settings) -> Delivery:
    """Return the file behind a source, fetching a URL. Raises DeliveryError with the reason.

    A file arrived when it was last written, a body when the server first gave it: a second look changes neither.
    """
    if is_url(source):
        return fetch(source, lake, settings)
    path = Path(source)
    try:
        written = path.stat().st_mtime_ns
    except OSError as error:
        raise DeliveryError(f"cannot be read: {error.strerror}") from error
    if not path.is_file():
        raise DeliveryError("holds no file" if path.is_dir() else "is not a file")
    retrieved_at = datetime.fromtimestamp(written // 1_000_000_000, UTC)
    return Delivery(
        source=source, path=str(path.absolute()), source_url=path.name, retrieved_at=retrieved_at.isoformat()
    )


def vouched_for(given: Sequence[str], settings: Settings) -> Settings:
    """Return settings that allow host and port of each URL among `given`: those that a person gave at a command line.

    Whoever may run a command on this machine can reach from it what they like; a form's user cannot.
    """
    endpoints = [endpoint for source in given if is_url(source) and (endpoint := endpoint_of(source))]
    named = tuple(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in endpoints)
    return replace(settings, allowed_hosts=settings.allowed_hosts + named)


def group_by_issue(files: Sequence[str]) -> list[list[str]]:
    """Return files in groups that may be of one issue, by CREATION_DATE near their beginning; order is kept."""
    groups: dict[object, list[str]] = {}
    for file in files:
        groups.setdefault(_creation_second(Path(file)) or file, []).append(file)
    return list(groups.values())


def _creation_second(path: Path) -> int | None:
    """Return the second of CREATION_DATE, whichever way it is written, without reading the file; None where unseen."""
    try:
        with path.open("rb") as source:
            head = source.read(HEAD_BYTES)
        if head.startswith(unpacking.GZIP_MAGIC):
            head = zlib.decompressobj(unpacking.GZIP_WINDOW_BITS).decompress(head, HEAD_BYTES)
        written = CREATION_DATE.search(head)
        return epochs.parse(written[1].decode())[0] // epochs.SECOND_US if written else None
    except (OSError, zlib.error, ValueError):
        return None


def _offered(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, at every depth, that are not hidden; of anything else none."""
    for found in folder.rglob("*") if folder.is_dir() else ():
        if found.is_file() and not any(part.startswith(".") for part in found.relative_to(folder).parts):
            yield found
