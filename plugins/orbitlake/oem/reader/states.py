"""Rows of states, as text, to arrays: the usual block at once through Arrow, any other row by row with its line."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from orbitlake.oem.reader import epochs
from orbitlake.oem.reader.epochs import Moment, Moments
from orbitlake.oem.reader.errors import OemError

PLAIN_FIELDS: Final = 7
FIELDS_WITH_ACCELERATION: Final = 10
COLUMNS: Final = ("epoch", "x", "y", "z", "vx", "vy", "vz", "ax", "ay", "az")
LARGEST: Final = 1e100
"""In km, km/s or km/s^2: farther than anything there is, and its square is still a number."""
NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class States:
    """The states of one segment, in the frame and time system of the file. Shapes (n,), (n, 6), (n, 3)."""

    moments: Moments
    position_velocity_km_s: NDArray[np.float64]
    acceleration_km_s2: NDArray[np.float64] | None
    """NaN in rows that have none; None where no row has one."""
    line_of: Callable[[int], int]
    """The line of the n-th state in its file, sought only when an error names it."""

    def __len__(self) -> int:
        return len(self.moments)

    def without_repeats(self) -> tuple["States", NDArray[np.intp]]:
        """Return the states without those that repeat the one before in epoch and every number, and which these are."""
        repeats = self.moments.is_same_as_before()
        if not repeats.any():
            return self, np.flatnonzero(repeats)
        for values in (self.position_velocity_km_s, self.acceleration_km_s2):
            if values is not None:
                repeats &= ((values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))).all(axis=1)
        kept = np.append(True, ~repeats)
        row, acceleration = np.flatnonzero(kept), self.acceleration_km_s2
        once = States(
            self.moments[kept],
            self.position_velocity_km_s[kept],
            None if acceleration is None else acceleration[kept],
            lambda nth: self.line_of(int(row[nth])),
        )
        return once, np.flatnonzero(~kept)


def number(text: str) -> float:
    """Return a number in the notation of CCSDS 502.0-B-3, 7.5, below LARGEST. Raises ValueError with the reason."""
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a number")
    value = float(text)
    if abs(value) >= LARGEST:
        raise ValueError(f"{text[:40]!r} is too large")
    return value


def read_block(block: bytes | memoryview, line_of: Callable[[int], int]) -> States | None:
    """Read rows of one width, separated by single blanks, at once; None where `read_rows` must look closer."""
    head = bytes(block[:4096])
    if not head[:1].isdigit():
        return None
    width = len(head.split(b"\n", 1)[0].split())
    if width not in (PLAIN_FIELDS, FIELDS_WITH_ACCELERATION):
        return None
    names = COLUMNS[:width]
    types = {name: pa.float64() for name in names} | {"epoch": pa.binary()}
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(block),
            read_options=pa_csv.ReadOptions(column_names=names),
            parse_options=pa_csv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=pa_csv.ConvertOptions(check_utf8=False, column_types=types, null_values=[]),
        ).combine_chunks()
    except pa.ArrowInvalid:
        return None
    _, offsets, text = table.column("epoch").chunk(0).buffers()
    moments = epochs.parse_column(
        np.frombuffer(text, dtype=np.uint8), np.frombuffer(offsets, dtype=np.int32)[: table.num_rows + 1]
    )
    values = np.stack([table.column(name).chunk(0).to_numpy() for name in names[1:]])
    if moments is None or not (np.abs(values) < LARGEST).all():
        return None
    return States(
        moments,
        values[:6].T,
        values[6:].T if width == FIELDS_WITH_ACCELERATION else None,
        line_of,
    )


def joined(blocks: list[States]) -> States:
    """Return blocks of one width that follow each other as one; the first one knows the lines of all."""
    if len(blocks) == 1:
        return blocks[0]
    accelerations = [block.acceleration_km_s2 for block in blocks if block.acceleration_km_s2 is not None]
    moments = [block.moments for block in blocks]
    return States(
        Moments(*(np.concatenate([getattr(each, part.name) for each in moments]) for part in fields_of(Moments))),
        # Column by column, as one block is.
        np.concatenate([block.position_velocity_km_s.T for block in blocks], axis=1).T,
        np.concatenate([values.T for values in accelerations], axis=1).T if accelerations else None,
        blocks[0].line_of,
    )


def read_rows(rows: Iterable[tuple[int, list[str]]], path: str) -> States:
    """Read rows of (line, fields) one by one. Raises OemError for the first that is not a state."""
    lines: list[int] = []
    moments: list[Moment] = []
    values: list[list[float]] = []
    for line, fields in rows:
        if len(fields) not in (PLAIN_FIELDS, FIELDS_WITH_ACCELERATION):
            reason = f"state has {len(fields)} fields, expected {PLAIN_FIELDS} or {FIELDS_WITH_ACCELERATION}"
            if not fields[0][:1].isdigit():
                reason = f"{' '.join(fields)[:40]!r} is no state"
            raise OemError(path, line, reason)
        try:
            moment = epochs.parse(fields[0])
            row = [number(field) for field in fields[1:]]
        except ValueError as error:
            raise OemError(path, line, str(error)) from None
        lines.append(line)
        moments.append(moment)
        values.append(row + [math.nan] * (FIELDS_WITH_ACCELERATION - len(fields)))
    array = np.array(values, dtype=np.float64).reshape(len(values), FIELDS_WITH_ACCELERATION - 1)
    acceleration = array[:, 6:]
    return States(
        Moments.of(moments),
        array[:, :6],
        None if np.isnan(acceleration).all() else acceleration,
        lines.__getitem__,
    )
