"""Published mean elements, TLE or OMM, and where SGP4 puts their object: what a tracker shows."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import numpy as np
from lxml import etree
from sgp4 import omm
from sgp4.api import Satrec

from orbitlake.physics.frames import UNIX_EPOCH_JD, rotation_to_itrs, turned, turned_back
from orbitlake.physics.kinematics import Reals
from orbitlake.trajectory.arcs import Micros
from orbitlake.trajectory.issues import DAY_US

EPOCH_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%f"
"""As sgp4 reads the epoch of an OMM."""
KVN_LINE: Final = re.compile(r"^\s*(\w+)\s*=\s*([^\[\r\n]*?)\s*(?:\[.*\])?\s*$", re.MULTILINE)
FIT_TO_A_PLAN: Final = re.compile(r"\[Segment \d+\]")
TLE_LINES: Final = re.compile(r"^(1 .{67}).*\r?\n(2 .{67})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Elements:
    """One set of mean elements: its object, its epoch in UTC (microseconds since 1970), and SGP4 set up with it."""

    object_id: str
    epoch_us: int
    model: Satrec

    @classmethod
    def of_tle(cls, first: str, second: str) -> Self:
        """Take the two lines of a TLE."""
        return cls._of(Satrec.twoline2rv(first, second))

    @classmethod
    def of_omm(cls, fields: dict[str, str]) -> Self:
        """Take the fields of an OMM by their names. Raises KeyError and ValueError where they are not those of SGP4."""
        model = Satrec()
        epoch = datetime.fromisoformat(fields["EPOCH"].removesuffix("Z")).strftime(EPOCH_FORMAT)
        omm.initialize(model, fields | {"EPOCH": epoch})
        return cls._of(model)

    @classmethod
    def _of(cls, model: Satrec) -> Self:
        year, rest = int(model.intldesg[:2]), model.intldesg[2:].strip()
        epoch_us = round((model.jdsatepoch - UNIX_EPOCH_JD) * DAY_US) + round(model.jdsatepochF * DAY_US)
        return cls(f"{1900 + year if year >= 57 else 2000 + year}-{rest}", epoch_us, model)

    def states(self, utc_us: Micros) -> tuple[Reals, Reals]:
        """Return positions (km) and velocities (km/s) in TEME at instants in UTC: (n,) -> two (n, 3), else NaN."""
        return sgp4_states(self.model, utc_us)


def sgp4_states(model: Satrec, utc_us: Micros) -> tuple[Reals, Reals]:
    """Return positions (km) and velocities (km/s) in TEME at instants in UTC: (n,) -> two (n, 3), else NaN."""
    day, time_us = np.divmod(np.asarray(utc_us, dtype=np.int64), DAY_US)
    error, position_km, velocity_km_s = model.sgp4_array(day + UNIX_EPOCH_JD, time_us / DAY_US)
    position_km[error != 0], velocity_km_s[error != 0] = np.nan, np.nan
    return position_km, velocity_km_s


def from_teme(frame: str, utc_us: Micros, vectors: Reals) -> Reals:
    """Return vectors of TEME along the axes of another inertial frame: (n,), (n, 3) -> (n, 3).

    Raises ValueError where one of both cannot be turned.
    """
    utc = np.asarray(utc_us, dtype=np.int64).astype("datetime64[us]")
    teme, other = (rotation_to_itrs(name, utc) for name in ("TEME", frame))
    if teme is None or other is None:
        raise ValueError(f"TEME cannot be turned to {frame} at every epoch")
    return turned_back(other, turned(teme, vectors))


def read_elements(folder: Path, object_id: str) -> list[Elements]:
    """Return the elements of an object in the files below a folder, by epoch, each epoch once.

    TLE, OMM in XML and OMM in KVN; files of anything else hold none. CelesTrak's fits to an operator's own ephemeris
    are left out: they tell of the plan. Raises ValueError, by the file's name, for an OMM that SGP4 cannot take.
    """
    found: dict[int, Elements] = {}
    for file in sorted(each for each in folder.glob("**/*") if each.is_file()):
        try:
            found |= {each.epoch_us: each for each in _elements_in(file.read_bytes()) if each.object_id == object_id}
        except (KeyError, ValueError) as error:
            raise ValueError(f"{file} holds no elements for SGP4: {error!r}") from error
    return [found[epoch_us] for epoch_us in sorted(found)]


def _elements_in(content: bytes) -> Iterator[Elements]:
    text = content.decode(errors="replace")
    if text.lstrip("\ufeff \r\n").startswith("<"):
        yield from _of_messages(_xml_messages(content))
    elif "CCSDS_OMM_VERS" in text:
        yield from _of_messages(dict(KVN_LINE.findall(part)) for part in text.split("CCSDS_OMM_VERS")[1:])
    else:
        yield from (Elements.of_tle(*lines) for lines in TLE_LINES.findall(text))


def _xml_messages(content: bytes) -> Iterator[dict[str, str]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    root = etree.fromstring(content, parser)
    for message in [] if root is None else root.iter("{*}omm", "omm"):
        yield {str(leaf.tag).rpartition("}")[2]: leaf.text or "" for leaf in message.iter() if not len(leaf)}


def _of_messages(messages: Iterable[dict[str, str]]) -> Iterator[Elements]:
    for fields in messages:
        is_fit = FIT_TO_A_PLAN.search(fields.get("OBJECT_NAME", ""))
        if fields.get("MEAN_ELEMENT_THEORY", "").strip() in ("SGP4", "SGP/SGP4") and not is_fit:
            yield Elements.of_omm(fields)
