"""What a day's file of coverage keeps in its footer: what it was made from, and what the days around need of it.

So an update finds out what changed by names and sizes alone, and no other journal is needed.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.audit.spans import Blame, Edge, Ends, Point
from orbitlake.tables import FEED_TABLES

Feed = tuple[str, str]
"""The names of an object and a source."""
KEY: Final = b"orbitlake.audit"
RULES: Final = 1
"""Rises whenever the same records come out otherwise: days are then made anew where their raw records are kept."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is kept of one day.

    `held` are the raw files of the day's own folder, by name from the raw root: bytes, and the UTC days that they have
    polls of. `made_from` are the files with polls of this day, and their bytes. `around` and `beyond` are checksums of
    what was known of the days around: of the polls next to its own, and of how a gap goes on that it does not end.
    """

    object_id: str
    held: Mapping[str, tuple[int, tuple[date, ...]]]
    made_from: Mapping[str, int]
    ends: Mapping[Feed, Ends]
    around: str
    beyond: str

    def footer(self) -> dict[str, str]:
        """The notes as they go into the footer of a file."""
        content = {
            "rules": rules(),
            "object_id": self.object_id,
            "held": {name: [size, [str(day) for day in days]] for name, (size, days) in self.held.items()},
            "made_from": dict(self.made_from),
            "ends": [[*feed, asdict(ends)] for feed, ends in sorted(self.ends.items())],
            "around": self.around,
            "beyond": self.beyond,
        }
        return {KEY.decode(): as_text(content)}

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Return the notes in a file; None where there are none that these rules can use."""
        try:
            footer = pq.read_metadata(file).metadata or {}
        except (FileNotFoundError, pa.ArrowInvalid):
            return None
        if KEY not in footer:
            return None
        content = json.loads(footer[KEY])
        if content["rules"] != rules():
            return None
        held = {name: (size, tuple(map(date.fromisoformat, days))) for name, (size, days) in content["held"].items()}
        ends = {(object_id, source): ends_of(each) for object_id, source, each in content["ends"]}
        return cls(content["object_id"], held, content["made_from"], ends, content["around"], content["beyond"])


def rules() -> list[int]:
    """What a day's files depend on besides the records."""
    return [RULES, *(table.version for table in FEED_TABLES)]


def as_text(content: object) -> str:
    """Return plain values as JSON, equal ones as equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def checksum(by_feed: Mapping[Feed, object]) -> str:
    """Return a checksum of plain values by feed."""
    content = [[*feed, each] for feed, each in sorted(by_feed.items())]
    return hashlib.sha256(as_text(content).encode()).hexdigest()[:32]


def ends_of(content: Mapping[str, Any]) -> Ends:
    """Read back the ends of a feed's day."""
    first, last = (edge_of(content[name]) for name in ("first", "last"))
    head, tail = (Blame(**content[name]) for name in ("head", "tail"))
    head_end, tail_start = (
        Point(**content[name]) if content[name] else None for name in ("head_end", "tail_start")
    )  # fmt: skip
    return Ends(first, last, head, head_end, tail, tail_start)


def edge_of(content: Mapping[str, Any]) -> Edge:
    """Read back an edge."""
    answer = tuple(content["answer"]) if content["answer"] else None
    nearby = tuple((asked_us, at_us) for asked_us, at_us in content["nearby"])
    return Edge(Point(**content["point"]), content["outcome"], content["is_fallback"], nearby, answer)
