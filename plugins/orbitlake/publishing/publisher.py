"""One publication: what changed is sent and verified, then the manifest, then what is gone here is removed there."""

import json
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.errors import LakeError
from orbitlake.lake.files import write_file
from orbitlake.lake.locks import lock_file
from orbitlake.positions.store.day_files import compaction_lock
from orbitlake.publishing.manifest import NAME, Entry, Manifest, ManifestError, digest_of
from orbitlake.publishing.object_file import Written, is_whole, source_of, write_object, written_in
from orbitlake.publishing.partitions import Partition, closed_partitions
from orbitlake.publishing.store import Store, StoreError
from orbitlake.tables import Table

AT_ONCE: Final = 4
"""Partitions sent side by side."""
TRIES: Final = 3
"""A partition that is replaced here while it is read is read again."""


class PublishError(Exception):
    """Something was not published; what was is in the manifest, all else is there as it was before."""


@dataclass(slots=True)
class Published:
    """What a publication did: objects sent, left as they are and removed; rows and bytes of those sent."""

    generation: int = 0
    sent: int = 0
    unchanged: int = 0
    removed: int = 0
    rows_sent: int = 0
    bytes_sent: int = 0


def publish(
    lake: Lake,
    store: Store,
    tables: Iterable[Table],
    upstream: str,
    *,
    verify: bool = False,
    now: datetime | None = None,
) -> Published:
    """Bring what is published up to the lake; with `verify` each object there is read and held against the manifest.

    One process at a time does this from a data root; others wait. Raises PublishError; what could be sent has been.
    """
    refuse_own_folder(lake, store)
    folder = lake.checkpoints / "publish_lake"
    with lock_file(folder / "lock"):
        note = folder / f"{sha256(store.url.encode()).hexdigest()[:16]}.json"
        try:
            return Publication(lake, store, note, upstream, now or datetime.now(UTC)).run(tuple(tables), verify=verify)
        except (StoreError, ManifestError, OSError) as error:
            raise PublishError(str(error) if isinstance(error, StoreError) else f"{store.url}: {error}") from error


def refuse_own_folder(lake: Lake, store: Store) -> None:
    """Refuse a store that is a folder around, of or within the data root: the lake itself would be written over."""
    if store.folder is None:
        return
    place = store.folder.resolve()
    for own in (lake.root.resolve(), (lake.root / "lake").resolve()):
        if place.is_relative_to(own) or own.is_relative_to(place):
            raise PublishError(f"{store.url} holds the data root {lake.root} or lies in it: publish to another folder")


class Publication:
    """What one publication knows: the manifest before, the note of the last run here, and what lies there."""

    def __init__(self, lake: Lake, store: Store, note: Path, upstream: str, now: datetime) -> None:
        self.lake, self.store, self.note, self.now = lake, store, note, now
        content = store.read(NAME)
        self.before = Manifest.decode(content) if content else Manifest(upstream=upstream)
        if self.before.upstream != upstream:
            raise PublishError(
                f"{store.url} holds numbers of upstream {self.before.upstream!r}, this data root those of {upstream!r}"
            )
        self.manifest = digest_of(content)
        # Signs of files here say nothing of what another publisher has put there since.
        noted = load_note(note)
        self.signs: dict[str, Any] = noted["signs"] if noted.get("manifest") == self.manifest else {}
        store.sweep()
        self.sizes = store.sizes("lake")

    def run(self, tables: tuple[Table, ...], *, verify: bool) -> Published:
        """Do it; see `publish`."""
        partitions = {each.path: each for each in closed_partitions(self.lake, tables, self.now.date())}
        if not partitions and self.before.objects:
            raise PublishError(f"{self.lake.root} has no closed partition: {self.store.url} stays as it is")
        signs = {path: sign for path, each in partitions.items() if (sign := sign_of(each)) is not None}
        stale = [
            each for path, each in partitions.items() if not self.is_published(each, signs.get(path), verify=verify)
        ]
        published, entries, failed = self.send_all(stale)
        published.unchanged = len(partitions) - len(stale)
        selected = tuple(f"lake/{table.name}/" for table in tables)
        unlisted = [path for path in self.before.objects if path.startswith(selected) and path not in partitions]
        gone = self.gone_of(unlisted, failed)
        objects = {path: entry for path, entry in {**self.before.objects, **entries}.items() if path not in gone}
        left = [path for path in self.before.removing if path in self.sizes and path not in objects]
        published.generation = self.write_manifest(objects, sorted({*gone, *left}))
        for path in [*gone, *left]:
            self.store.remove(path)
        published.removed = len(gone)
        # What was signed before it was read, and only that, is known to be what lies there.
        known = {path: sign for path, sign in signs.items() if path in objects and path not in failed}
        others = {path: sign for path, sign in self.signs.items() if not path.startswith(selected)}
        self.save_note({**others, **known})
        if failed:
            raise PublishError(f"{self.store.url}: {len(failed)} not published: {next(iter(failed.values()))}")
        return published

    def gone_of(self, paths: Iterable[str], failed: dict[str, Exception]) -> list[str]:
        """Return those of some objects whose partitions are proven to be gone from the lake.

        A partition that is there all the same is of a day that is not over, by a clock that was set back. What cannot
        be told is noted in `failed`: a folder that cannot be read, a table's own that is not there.
        """
        gone = []
        for path in paths:
            try:
                (self.lake.root / "lake" / path.split("/")[1]).stat()
            except OSError as error:
                failed[path] = error
                continue
            try:
                (self.lake.root / path).stat()
            except FileNotFoundError:
                gone.append(path)
            except OSError as error:
                failed[path] = error
        return gone

    def is_published(self, partition: Partition, sign: Any, *, verify: bool) -> bool:
        """Say whether the object of a partition is there and holds its rows."""
        entry = self.before.objects.get(partition.path)
        if entry is None or self.sizes.get(partition.path) != entry.bytes:
            return False
        if verify and self.store.digest(partition.path) != entry.sha256:
            return False
        if sign is not None and self.signs.get(partition.path) == sign:
            return True
        # Gone since it was listed, or damaged: sending it says so.
        with suppress(OSError, LakeError):
            return partition.source() == entry.source
        return False

    def send_all(self, partitions: list[Partition]) -> tuple[Published, dict[str, Entry], dict[str, Exception]]:
        """Send partitions, some side by side; return the entries of those that arrived, and why others did not."""
        published = Published()
        entries: dict[str, Entry] = {}
        failed: dict[str, Exception] = {}
        # In threads of their own: a signal would otherwise end an upload between two of its steps.
        with ThreadPoolExecutor(AT_ONCE, "publish") as pool:
            waiting = {pool.submit(self.send, each): each.path for each in partitions}
            try:
                for done in as_completed(waiting):
                    path = waiting[done]
                    try:
                        entry, was_sent = done.result()
                    except (StoreError, LakeError, OSError, pa.ArrowException) as error:
                        failed[path] = error
                        continue
                    entries[path] = entry
                    published.sent += was_sent
                    published.rows_sent += entry.rows * was_sent
                    published.bytes_sent += entry.bytes * was_sent
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return published, entries, failed

    def send(self, partition: Partition) -> tuple[Entry, bool]:
        """Send one partition, unless the object there has its rows; return its entry and whether it was sent."""
        name = uuid.uuid4().hex
        self.lake.staging.mkdir(parents=True, exist_ok=True)
        before, target = (self.lake.staging / f"publish.{name}.{kind}" for kind in ("before", "object"))
        try:
            held = self.store.download(partition.path, before) if partition.path in self.sizes else None
            written, source, is_news = self.write(partition, self.usable(partition, before, held), target)
            if is_news:
                self.store.put(partition.path, target, written.sha256)
            digest = (written.rows, written.bytes, written.sha256)
            return Entry(partition.table.version, *digest, source, stamp(self.now)), is_news
        finally:
            before.unlink(missing_ok=True)
            target.unlink(missing_ok=True)

    def usable(self, partition: Partition, before: Path, held: str | None) -> Path | None:
        """Return the object before, None where there is none, or where somebody else changed it: nobody reads that."""
        entry = self.before.objects.get(partition.path)
        if held is None or (entry and held != entry.sha256 and not is_whole(before)):
            return None
        return before if entry or is_whole(before) else None

    def write(self, partition: Partition, before: Path | None, target: Path) -> tuple[Written, str, bool]:
        """Write what is to be sent, as of one moment of the partition's files; return it, their source, and True.

        Where `before` has their rows already, nothing is written, and that is returned with False.
        """
        # The parts of a day are replaced one by one, by who holds this lock.
        with compaction_lock(self.lake) if len(partition.parts) > 1 else nullcontext():
            for _ in range(TRIES):
                sign, source = partition.sign(), partition.source()
                if before and source_of(before) == source:
                    return written_in(before), source, False
                named = self.before.objects.get(partition.path)
                written = write_object(
                    partition.table,
                    partition.parts,
                    target,
                    before,
                    source,
                    self.now.timestamp(),
                    named.bytes if named else None,
                )
                if partition.sign() == sign:
                    return written, source, True
        raise LakeError(f"{partition.path} was replaced again and again while it was read")

    def write_manifest(self, objects: dict[str, Entry], removing: list[str]) -> int:
        """Put the manifest where it says anything new; return its generation."""
        if objects == self.before.objects and not removing and self.before.generation:
            return self.before.generation
        manifest = replace(
            self.before,
            generation=self.before.generation + 1,
            published_at=stamp(self.now),
            objects=objects,
            removing=removing,
        )
        content = manifest.encode()
        file = self.lake.staging / f"publish.{uuid.uuid4().hex}.manifest"
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            file.write_bytes(content)
            self.store.put(NAME, file, digest_of(content))
        finally:
            file.unlink(missing_ok=True)
        self.manifest = digest_of(content)
        return manifest.generation

    def save_note(self, signs: dict[str, Any]) -> None:
        """Remember which files here are what lies there."""
        if signs != self.signs:
            write_file(self.note, json.dumps({"manifest": self.manifest, "signs": signs}).encode(), self.lake.staging)


def load_note(note: Path) -> dict[str, Any]:
    """Return what the last run noted; nothing where it cannot be read: then contents tell."""
    with suppress(FileNotFoundError, ValueError):
        values = json.loads(note.read_bytes())
        if isinstance(values, dict) and isinstance(values.get("signs"), dict):
            return values
    return {}


def sign_of(partition: Partition) -> Any:
    """Return a partition's sign, None where its files are gone."""
    with suppress(FileNotFoundError):
        return partition.sign()
    return None


def stamp(now: datetime) -> str:
    """Return a moment as the manifest has it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
