"""The manifest: what is published, object by object, written last: by it all tables are seen as of one moment."""

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

NAME: Final = "manifest.json"
FORMAT: Final = 1


class ManifestError(Exception):
    """A manifest that is none of ours, or of a newer program."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object: the version of its table, its rows, length and SHA-256, what it follows from, when it was sent."""

    version: int
    rows: int
    bytes: int
    sha256: str
    source: str
    published_at: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is published: objects by their names, relative to the manifest's folder.

    `generation` counts manifests; `removing` names objects that no longer belong and may not be gone yet.
    """

    generation: int = 0
    published_at: str = ""
    upstream: str = ""
    objects: dict[str, Entry] = field(default_factory=dict)
    removing: list[str] = field(default_factory=list)

    def encode(self) -> bytes:
        """Return it as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=0, sort_keys=True).encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Read one. Raises ManifestError."""
        try:
            values: dict[str, Any] = json.loads(content)
            found = values.pop("format")
            if found != FORMAT:
                raise ManifestError(f"the manifest is of format {found}, this program knows {FORMAT}")
            objects = {path: Entry(**entry) for path, entry in values.pop("objects").items()}
            return cls(objects=objects, **values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"the manifest is none of orbitlake's ({error})") from error


def digest_of(content: bytes | None) -> str:
    """Return the SHA-256 of a manifest's bytes, empty for none."""
    return sha256(content).hexdigest() if content else ""
