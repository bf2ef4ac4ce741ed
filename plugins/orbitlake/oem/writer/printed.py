"""An OEM word for word: what a file prints, in no notation yet, so that no digit is lost on the way to another."""

from dataclasses import dataclass, field

from orbitlake.oem.reader.message import HEADER_KEYWORDS, METADATA_KEYWORDS


@dataclass(slots=True)
class PrintedCovariance:
    """One covariance matrix: epoch, frame where it names one, and the lower triangle row by row, 21 numbers."""

    epoch: str
    frame: str | None
    triangle: tuple[str, ...]
    comments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class PrintedSegment:
    """One segment; each state has 7 words, or 10 with accelerations."""

    metadata: dict[str, str] = field(default_factory=dict)
    metadata_comments: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    states: list[tuple[str, ...]] = field(default_factory=list)
    covariances: list[PrintedCovariance] = field(default_factory=list)

    def ordered_metadata(self) -> list[tuple[str, str]]:
        """Return the assignments that have a value, in the order of the standard."""
        return in_order(self.metadata, METADATA_KEYWORDS)


@dataclass(slots=True)
class PrintedOem:
    """One message."""

    version: str
    header: dict[str, str] = field(default_factory=dict)
    header_comments: list[str] = field(default_factory=list)
    segments: list[PrintedSegment] = field(default_factory=list)

    def ordered_header(self) -> list[tuple[str, str]]:
        """Return the assignments that have a value, in the order of the standard."""
        return in_order(self.header, HEADER_KEYWORDS)


def in_order(assignments: dict[str, str], keywords: dict[str, str]) -> list[tuple[str, str]]:
    """Return the assignments that have a value, in the order of `keywords`."""
    return [(keyword, assignments[keyword]) for keyword in keywords if assignments.get(keyword)]
