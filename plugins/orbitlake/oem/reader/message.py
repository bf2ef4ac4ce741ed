"""What an OEM says, whichever notation it comes in: its keywords, sections and segments."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from orbitlake.oem.reader.epochs import Microseconds
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.states import States
from orbitlake.physics.frames import STANDING

VERSIONS: Final = ("1.0", "2.0", "3.0")
HEADER_KEYWORDS: Final = {"CLASSIFICATION": "3.0", "CREATION_DATE": "1.0", "ORIGINATOR": "1.0", "MESSAGE_ID": "3.0"}
"""Table 5-2, in its order; each with the version that brought it."""
METADATA_KEYWORDS: Final = {
    "OBJECT_NAME": "1.0",
    "OBJECT_ID": "1.0",
    "CENTER_NAME": "1.0",
    "REF_FRAME": "1.0",
    "REF_FRAME_EPOCH": "2.0",
    "TIME_SYSTEM": "1.0",
    "START_TIME": "1.0",
    "USEABLE_START_TIME": "1.0",
    "USEABLE_STOP_TIME": "1.0",
    "STOP_TIME": "1.0",
    "INTERPOLATION": "1.0",
    "INTERPOLATION_DEGREE": "1.0",
}
"""Table 5-3, likewise."""
MAX_COMMENTS: Final = 100_000


class Section:
    """The assignments of one header or metadata block; each is checked as it is added."""

    def __init__(self, path: str, name: str, line: int, keywords: dict[str, str], version: str) -> None:
        self.path = path
        self.name = name
        self.line = line
        self.warnings: list[str] = []
        self._keywords = keywords
        self._version = version
        self._entries: dict[str, tuple[str, int]] = {}

    def add(self, keyword: str, value: str, line: int) -> None:
        """Take one assignment. Raises OemError where the keyword is foreign, of a later version, or doubled."""
        since = self._keywords.get(keyword)
        if since is None:
            raise OemError(self.path, line, f"{keyword[:40]} is no keyword of OEM {self.name}")
        if self._version < since:
            raise OemError(self.path, line, f"{keyword} came with version {since}, this file is {self._version}")
        if keyword in self._entries:
            raise OemError(self.path, line, f"{keyword} again, first on line {self._entries[keyword][1]}")
        order = list(self._keywords)
        if any(order.index(earlier) > order.index(keyword) for earlier in self._entries):
            self.warnings.append(f"line {line}: {keyword} is out of the fixed order of keywords")
        self._entries[keyword] = (value, line)

    def text(self, keyword: str) -> str:
        """Return a mandatory value. Raises OemError where it is missing or empty."""
        value = self.optional(keyword)
        if value is None:
            raise OemError(self.path, self.line_of(keyword), f"{self.name} has no {keyword}")
        return value

    def optional(self, keyword: str) -> str | None:
        """Return a value, None where the keyword is missing or has none."""
        return self._entries.get(keyword, ("", 0))[0] or None

    def line_of(self, keyword: str) -> int:
        """Return the line of the keyword, or of the section where it is missing."""
        return self._entries.get(keyword, ("", self.line))[1]


@dataclass(frozen=True, slots=True)
class Header:
    """The header; `created_us` is CREATION_DATE in microseconds of UTC since 1970-01-01."""

    version: str
    created_us: int
    originator: str
    classification: str | None
    message_id: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Metadata:
    """One metadata block. Times are microseconds of TAI's clock since 1970-01-01 (epochs.tai_us)."""

    object_name: str
    object_id: str
    center_name: str
    ref_frame: str
    ref_frame_epoch: str | None
    ref_frame_epoch_tai_us: int | None
    """None also where REF_FRAME_EPOCH is an epoch that TAI cannot tell: before 1972 in any system but UTC."""
    time_system: str
    start_tai_us: int
    useable_start_tai_us: int | None
    useable_stop_tai_us: int | None
    stop_tai_us: int
    interpolation: str | None
    interpolation_degree: int | None
    section: Section

    @property
    def is_geocentric(self) -> bool:
        """Whether the states are relative to Earth's centre."""
        return self.center_name.strip().upper() == "EARTH"

    @property
    def frame_epoch_tai(self) -> np.datetime64 | None:
        """REF_FRAME_EPOCH in TAI, not-a-time where TAI cannot tell it, None where there is none."""
        if self.ref_frame_epoch is None:
            return None
        tai_us = self.ref_frame_epoch_tai_us
        return np.datetime64("NaT", "us") if tai_us is None else np.datetime64(tai_us, "us")

    @property
    def axes(self) -> str:
        """The frame's name; axes that are those of REF_FRAME_EPOCH are no longer the frame of that name."""
        is_plain = not self.ref_frame_epoch or self.ref_frame.strip().upper() in STANDING
        return self.ref_frame if is_plain else f"{self.ref_frame} of REF_FRAME_EPOCH"


@dataclass(frozen=True, slots=True)
class Covariance:
    """One 6 x 6 covariance of position and velocity: the lower triangle, row by row, in km and s. 21 values."""

    epoch_tai_us: int
    ref_frame: str | None
    lower_triangle: tuple[float, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One metadata block with its states and their epochs (n,), microseconds of TAI's clock since 1970-01-01."""

    metadata: Metadata
    states: States
    epoch_tai_us: Microseconds
    covariances: tuple[Covariance, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A whole file, checked; `comments` in the order of the file, without their keyword."""

    file_format: str
    header: Header
    segments: tuple[Segment, ...]
    comments: tuple[str, ...]
    warnings: tuple[str, ...]
