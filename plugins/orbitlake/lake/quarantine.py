"""`quarantine/`: what could not be read, the original bytes and a reason beside each, within a bound."""

import hashlib
import json
import logging
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orbitlake.lake.errors import printable
from orbitlake.lake.files import publish_file, write_file
from orbitlake.lake.listing import is_file
from orbitlake.lake.paths import Lake

LOG: Final = logging.getLogger(__name__)
REASON: Final = ".reason.json"
"""Suffix, in `quarantine/`, of the file that says why the bytes beside it lie there."""
DECISION: Final = ".decision.json"
"""Suffix, in `quarantine/`, of the file that says what a person decided about those bytes; no bound removes it."""
DROPPED: Final = "dropped.jsonl"
"""What was removed from `quarantine/` to keep its bound, a line of JSON an entry, the newest last."""
MOST_DROPPED_BYTES: Final = 2**20


def quarantine(lake: Lake, name: str, content: bytes, reason: str, **facts: object) -> Path:
    """Keep the original bytes under `quarantine/`, a `.reason.json` beside them; equal bytes land on one name.

    What lies there for the same reason already is left as it is: it tells of the first time.
    """
    digest = hashlib.sha256(content).hexdigest()
    kept = explained(lake, digest[:16], name, reason, sha256=digest, **facts)
    if not kept.exists():
        write_file(kept, content, lake.staging)
    return kept


def quarantine_file(lake: Lake, path: Path, reason: str) -> Path:
    """Move a file of any size under `quarantine/`, a `.reason.json` beside it; no other file gets its name there."""
    found = path.stat()
    identity = hashlib.sha256(f"{found.st_ino} {found.st_mtime_ns} {found.st_size}".encode()).hexdigest()[:12]
    kept = explained(lake, f"unread-{identity}", path.name, reason, bytes=found.st_size)
    publish_file(path, kept)
    # It has lain here since now, however old it is.
    os.utime(kept)
    return kept


def explained(lake: Lake, identity: str, name: str, reason: str, **facts: object) -> Path:
    """Return the place under `quarantine/` of what was called `name`, its `.reason.json` written already.

    The reason goes first: bytes in quarantine without one would be a riddle after a crash.
    """
    label = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).name).lstrip("._")[:80] or "unnamed"
    kept = lake.quarantine / f"{identity}-{label}"
    about = kept.with_name(kept.name + REASON)
    if not about.exists() or json.loads(about.read_bytes())["reason"] != reason:
        note = json.dumps({"reason": reason, "name": name, **facts}, indent=2, default=str)
        write_file(about, note.encode(), lake.staging)
    return kept


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One entry of `quarantine/`: the reason and the bytes (either may be missing), their size, when it came (ns)."""

    files: tuple[Path, ...]
    bytes: int
    at_ns: int

    @property
    def path(self) -> Path:
        return self.files[-1]

    def remove(self) -> None:
        """Remove it, the reason first: a reason without bytes would speak of what is not there."""
        for file in self.files:
            file.unlink(missing_ok=True)


def quarantined(lake: Lake) -> list[Quarantined]:
    """Return the entries of `quarantine/`, the oldest first."""
    found: dict[str, list[os.DirEntry[str]]] = {}
    with suppress(FileNotFoundError), os.scandir(lake.quarantine) as entries:
        for entry in entries:
            if entry.name != DROPPED and not entry.name.endswith(DECISION) and is_file(entry):
                found.setdefault(entry.name.removesuffix(REASON), []).append(entry)
    held = []
    for files in found.values():
        files.sort(key=lambda file: not file.name.endswith(REASON))
        # Removed meanwhile by another process.
        with suppress(FileNotFoundError):
            stats = [file.stat() for file in files]
            paths = tuple(Path(file.path) for file in files)
            size = sum(stat.st_size for stat in stats)
            held.append(Quarantined(paths, size, stats[-1].st_mtime_ns))
    return sorted(held, key=lambda entry: (entry.at_ns, entry.path))


def over_bound(lake: Lake, most_bytes: int) -> list[Quarantined]:
    """Return the oldest entries of `quarantine/` without which it holds `most_bytes` at most, never the newest."""
    held = quarantined(lake)
    over = sum(entry.bytes for entry in held) - most_bytes
    going = []
    for entry in held[:-1]:
        if over <= 0:
            break
        going.append(entry)
        over -= entry.bytes
    return going


def bound_quarantine(lake: Lake, most_bytes: int) -> list[Quarantined]:
    """Remove the oldest entries of `quarantine/` until the rest holds `most_bytes` at most; return what was removed.

    The newest entry stays, however large. What goes is written to DROPPED beside them first, and logged.
    """
    going = over_bound(lake, most_bytes)
    if going:
        note_dropped(lake, going, most_bytes)
    for entry in going:
        entry.remove()
    return going


def note_dropped(lake: Lake, going: list[Quarantined], most_bytes: int) -> None:
    """Say in the log, and in DROPPED, what is about to be removed; the file keeps its last lines."""
    log = lake.quarantine / DROPPED
    size = sum(entry.bytes for entry in going)
    LOG.warning(
        "%s holds more than %d bytes: the %d oldest entries (%d bytes) are removed, see %s",
        printable(lake.quarantine),
        most_bytes,
        len(going),
        size,
        log.name,
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [
        json.dumps({"dropped_at": now, "entry": entry.path.name, "bytes": entry.bytes, "reason": reason_of(entry)})
        for entry in going
    ]
    before = log.read_text() if log.exists() else ""
    content = (before + "".join(f"{line}\n" for line in lines)).encode()
    if len(content) > MOST_DROPPED_BYTES:
        content = content[-MOST_DROPPED_BYTES:].split(b"\n", 1)[1]
    write_file(log, content, lake.staging)


def reason_of(entry: Quarantined) -> str | None:
    """The reason that stands beside an entry, shortened; None where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        if entry.files[0].name.endswith(REASON):
            return str(json.loads(entry.files[0].read_bytes())["reason"])[:200]
    return None
