"""Where the lake is published: one class over Arrow's file systems and those of fsspec, objects by their names."""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

ASIDE: Final = "_staging"
"""Where a file system without whole objects takes files before they are renamed; readers pass over names with `_`."""
ASIDE_NAME: Final = re.compile(rf"{ASIDE}/[0-9a-f]{{32}}")
CHUNK_BYTES: Final = 2**20
LOCAL: Final = ("local", "py::fsspec+('file', 'local')")
"""Arrow's name of this machine's own files, and fsspec's."""
ARROW_SCHEMES: Final = ("file", "hdfs", "viewfs", "gs", "gcs", "abfs", "abfss")
S3_REGION: Final = "us-east-1"
"""What stores that have no regions take."""


class StoreError(Exception):
    """A store that cannot be used, or does not hold what was sent; the message names it and no secret."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach an S3 store: empty fields are left to the environment, as every client of S3 reads it."""

    endpoint: str = ""
    region: str = ""
    key_id: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)


class Store:
    """A folder or bucket, and a prefix in it. Raises StoreError by the store's URL, whatever its kind."""

    def __init__(self, url: str, filesystem: pafs.FileSystem, root: str) -> None:
        self.url, self.filesystem, self.root = url, filesystem, root.rstrip("/")
        self.holds_objects = filesystem.type_name in ("s3", "gcs", "abfs")
        """Whether a file appears whole when it is closed, and not before."""
        is_local = filesystem.type_name in LOCAL
        self.folder = Path(self.root or "/") if is_local else None
        """Where it lies on this machine, None for a store elsewhere."""

    @classmethod
    def open(cls, url: str, access: Access | None = None) -> Self:
        """Open the store of a URL: `s3://bucket/prefix`, `file:///folder`, `hdfs://host:port/folder` or fsspec's."""
        scheme = urlsplit(url).scheme
        try:
            if scheme == "s3":
                return cls(url, s3(access or Access()), url.removeprefix("s3://"))
            if scheme in ARROW_SCHEMES:
                return cls(url, *pafs.FileSystem.from_uri(url))
            import fsspec  # type: ignore[import-untyped]

            filesystem, root = fsspec.url_to_fs(url)
            return cls(url, pafs.PyFileSystem(pafs.FSSpecHandler(filesystem)), root)
        except (OSError, ValueError, ImportError, pa.ArrowException) as error:
            raise StoreError(f"{url} cannot be used: {error}") from error

    def path(self, name: str) -> str:
        """Return where an object lies in the file system."""
        return f"{self.root}/{name}"

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the objects below a folder by their names, and their lengths."""
        with self._errors(f"listing {folder}"):
            selector = pafs.FileSelector(self.path(folder), recursive=True, allow_not_found=True)
            found = self.filesystem.get_file_info(selector)
        cut = len(self.root.lstrip("/")) + 1
        return {each.path.lstrip("/")[cut:]: each.size for each in found if each.type == pafs.FileType.File}

    def read(self, name: str) -> bytes | None:
        """Return what a small object holds, None where there is none."""
        try:
            with self._errors(f"reading {name}"), self.filesystem.open_input_stream(self.path(name)) as source:
                return bytes(source.read())
        except FileNotFoundError:
            return None

    def download(self, name: str, target: Path) -> str | None:
        """Copy an object to a file; return its SHA-256, None where there is no object."""
        try:
            with target.open("wb") as sink:
                return self._stream(name, sink)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            return None

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of what an object holds, read back whole; None where there is none."""
        try:
            return self._stream(name)
        except FileNotFoundError:
            return None

    def put(self, name: str, file: Path, expected: str) -> None:
        """Send a file and hold what arrived against its SHA-256, once more where they differ.

        Nobody sees half of it: objects appear whole, other file systems take it aside and rename it. An upload that is
        cut leaves the object before. Raises StoreError.
        """
        for _ in range(2):
            with self._errors(f"sending {name}"):
                arrived = self._put_object(name, file) if self.holds_objects else self._put_aside(name, file, expected)
            if arrived == expected:
                return
        raise StoreError(f"{self.url}: {name} holds other bytes than were sent")

    def remove(self, name: str) -> None:
        """Remove an object where it is there."""
        try:
            with self._errors(f"removing {name}"):
                self.filesystem.delete_file(self.path(name))
        except FileNotFoundError:
            return

    def sweep(self) -> None:
        """Remove what cut uploads left aside; of an object store its own rule for unfinished uploads does that."""
        if not self.holds_objects:
            for name in self.sizes(ASIDE):
                if ASIDE_NAME.fullmatch(name):
                    self.remove(name)

    def version(self, name: str) -> str | None:
        """Return what changes when a small object is replaced, without reading it; None where there is none."""
        try:
            with self._errors(f"asking for {name}"), self.filesystem.open_input_file(self.path(name)) as opened:
                tag = (opened.metadata() or {}).get(b"ETag")
                if tag:
                    return str(tag)
                found = self.filesystem.get_file_info(self.path(name))
                return f"{found.size} {found.mtime_ns}" if found.mtime_ns else self.digest(name)
        except FileNotFoundError:
            return None

    def _put_object(self, name: str, file: Path) -> str | None:
        self._write(self.path(name), file)
        return self.digest(name)

    def _put_aside(self, name: str, file: Path, expected: str) -> str | None:
        aside = f"{ASIDE}/{uuid.uuid4().hex}"
        self.filesystem.create_dir(self.path(ASIDE), recursive=True)
        self._write(self.path(aside), file)
        if (arrived := self.digest(aside)) != expected:
            self.remove(aside)
            return arrived
        self.filesystem.create_dir(self.path(name).rpartition("/")[0], recursive=True)
        self.filesystem.move(self.path(aside), self.path(name))
        return arrived

    def _write(self, path: str, file: Path) -> None:
        # At once: Arrow completes what was written when a stream is closed, also by an error between two writes.
        with pa.memory_map(str(file)) as mapped:
            content = mapped.read_buffer()
            sink = self.filesystem.open_output_stream(path)
            sink.write(content)
            sink.close()

    def _stream(self, name: str, sink: Any = None) -> str:
        digest = sha256()
        with self._errors(f"reading {name}"), self.filesystem.open_input_stream(self.path(name)) as source:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                if sink is not None:
                    sink.write(chunk)
        return digest.hexdigest()

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise StoreError(f"{self.url}: {doing}: {error}") from error


def s3(access: Access) -> pafs.S3FileSystem:
    """Return Arrow's file system of an S3 store; small objects are sent in one request, parts of large ones in turn."""
    # Arrow itself asks the environment for these only where it is given a URL.
    endpoint = access.endpoint or first_of("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    region = access.region or first_of("AWS_REGION", "AWS_DEFAULT_REGION") or (S3_REGION if endpoint else None)
    return pafs.S3FileSystem(
        access_key=access.key_id or None,
        secret_key=access.secret_key or None,
        session_token=access.session_token or None,
        region=region,
        endpoint_override=endpoint,
        background_writes=False,
        allow_delayed_open=True,
    )


def first_of(*names: str) -> str | None:
    """Return the first variable of the environment that holds something."""
    return next((value for name in names if (value := os.environ.get(name))), None)
