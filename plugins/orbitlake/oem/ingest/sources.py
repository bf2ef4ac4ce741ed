"""What a run ingests: the inbox, files, folders and URLs; each becomes a delivery."""

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orbitlake.destinations import endpoint_of
from orbitlake.lake import Lake
from orbitlake.oem.ingest.delivery import Delivery, DeliveryError, PermanentDeliveryError, is_url
from orbitlake.oem.ingest.download import fetch
from orbitlake.oem.reader import epochs, unpacking
from orbitlake.settings import Settings

CREATION_DATE: Final = re.compile(rb"CREATION_DATE\s*[=>]\s*([0-9T:.Z-]+)")
HEAD_BYTES: Final = 64 * 1024
MOST_NAMED: Final = 5


def list_sources(given: Sequence[str], lake: Lake, settings: Settings) -> list[str]:
    """Return files and URLs to ingest: what is given, or the inbox and the default URL where nothing is.

    Folders are searched at every depth, without hidden files. Everything else in them is a source, so that each pipe,
    link to a folder, broken link or unreadable folder has an outcome with its reason. Files come first, ordered by
    name: which of two files of one issue arrives first does not depend on the order of listing.
    """
    if not given:
        given = [*([str(lake.inbox_oem)] if lake.inbox_oem.is_dir() else []), settings.oem_url]
    files: list[str] = []
    for source in given:
        if is_url(source):
            continue
        path = Path(source)
        inside = list(map(str, _files_in(path)))
        is_idle_inbox = path == lake.inbox_oem and not inside
        files += inside or ([] if is_idle_inbox else [source])
    return sorted(files, key=lambda file: (Path(file).name, file)) + [source for source in given if is_url(source)]


def named_in_inbox(name: str, lake: Lake) -> str:
    """Return the file of a name in the inbox, given as its path below it.

    Names are compared with what lies there, and no path is made of one: this one comes from outside. Raises
    PermanentDeliveryError where there is none.
    """
    inside = {str(found.relative_to(lake.inbox_oem)): str(found) for found in _files_in(lake.inbox_oem)}
    if name not in inside:
        holds = ", ".join(sorted(inside)[:MOST_NAMED]) or "nothing"
        raise PermanentDeliveryError(f"{name!r} is neither a URL nor a file in {lake.inbox_oem}, which holds {holds}")
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
        if path.is_dir():
            os.scandir(path).close()
            raise PermanentDeliveryError(
                "is a link to a folder, which is not followed" if path.is_symlink() else "holds no file"
            )
    except OSError as error:
        raise DeliveryError(f"cannot be read: {error.strerror}") from error
    if not path.is_file():
        raise PermanentDeliveryError("is not a file")
    return Delivery(
        source=source,
        path=str(path.absolute()),
        # A name need not be text, which is all that a table can hold: a byte that is none shows as \xff.
        source_url=os.fsencode(path.name).decode(errors="backslashreplace"),
        retrieved_at=_to_the_second(written),
    )


def allowing_hosts_of(given: Sequence[str], settings: Settings) -> Settings:
    """Return settings that also allow the host and port of each URL among `given`, which came from a command line.

    Somebody who may run a command on this machine can reach any host from it; the user of a form cannot.
    """
    endpoints = [endpoint for source in given if is_url(source) and (endpoint := endpoint_of(source))]
    named = tuple(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in endpoints)
    return replace(settings, allowed_hosts=settings.allowed_hosts + named)


def _to_the_second(written_ns: int) -> str | None:
    """Return a time of writing to the second; None where a file system gives one that no calendar has."""
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(written_ns // 1_000_000_000, UTC).isoformat()
    return None


def group_by_issue(files: Sequence[str]) -> list[list[str]]:
    """Return files in groups that may share an issue, by their CREATION_DATEs; order is kept within and among them."""
    group_of: dict[object, list[int]] = {}
    for number, file in enumerate(files):
        keys = _creation_seconds(Path(file)) or [file]
        first, *others = {id(group_of[key]): group_of[key] for key in keys if key in group_of}.values() or [[]]
        for other in others:
            # A file of several messages joins what was apart.
            first += other
            group_of |= {key: first for key, group in group_of.items() if group is other}
        first.append(number)
        group_of |= dict.fromkeys(keys, first)
    groups = {id(group): sorted(group) for group in group_of.values()}
    return [[files[number] for number in group] for group in sorted(groups.values())]


def _creation_seconds(path: Path) -> Sequence[object]:
    """Return the second of each CREATION_DATE, whichever way it is written; none where unseen.

    It stands near the beginning, so that a file is read to its end only where it may hold several messages.
    """
    try:
        if not path.is_file():
            return []  # opening a pipe would wait for its writer
        with path.open("rb") as source:
            head = source.read(HEAD_BYTES)
        if head.startswith(unpacking.GZIP_MAGIC):
            head = zlib.decompressobj(unpacking.GZIP_WINDOW_BITS).decompress(head, HEAD_BYTES)
        if b"<ndm" in head or b":ndm" in head:
            head = unpacking.unpack(unpacking.load(path), str(path))
        return [epochs.parse(written.decode())[0] // epochs.SECOND_US for written in CREATION_DATE.findall(head)]
    except (OSError, zlib.error, ValueError):
        return []


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield what lies in a folder, at every depth, and is neither hidden nor a folder; of anything else nothing.

    Links to folders are not followed, so that no loop of them is: they are yielded, as is a folder that cannot be read.
    """
    if not os.path.isdir(folder):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
        return
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files_in(Path(entry.path))
        else:
            yield Path(entry.path)
