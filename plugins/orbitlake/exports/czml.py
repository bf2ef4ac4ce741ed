"""An issue -> CZML, which CesiumJS draws: the object with its path, in space or over the turning Earth."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from orbitlake.exports.ephemeris import Ephemeris
from orbitlake.exports.export import Export, safe_file_name
from orbitlake.physics.frames import rotation_to_itrs_tai, turned, turned_back
from orbitlake.physics.kinematics import Reals
from orbitlake.physics.orbit import period_s, semi_major_axis_km
from orbitlake.trajectory.arcs import SECOND_US, Arc, Micros
from orbitlake.trajectory.issues import tai_us_of, utc_us_of

INERTIAL: Final = "INERTIAL"
FIXED: Final = "FIXED"
FRAMES: Final = (INERTIAL, FIXED)
"""As CZML calls them: the axes of ICRF, and those of the turning Earth."""
STEP_S: Final = 60.0
DEGREE: Final = 5
"""Lagrange through six samples a minute apart: millimetres in low orbit, and some 10 m at the edges of a burn."""
KM: Final = 1000.0
COLOUR: Final = [0, 200, 255, 255]
LONGEST_PERIOD_S: Final = 7 * 86_400.0
UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_czml(
    ephemeris: Ephemeris,
    *,
    start: datetime | None = None,
    stop: datetime | None = None,
    step_s: float = STEP_S,
    frame: str = INERTIAL,
) -> Export:
    """Return a CZML document of what the issue covers, or of a part of it, from datetimes with a zone.

    Raises ValueError where it covers nothing of that about Earth in a frame that can be turned, and for a step or a
    frame that cannot be.
    """
    if frame not in FRAMES:
        raise ValueError(f"frame is {frame!r}: expected {' or '.join(FRAMES)}")
    if not step_s >= 1e-3:
        raise ValueError(f"step is {step_s:g} s: expected a millisecond or more")
    spans = [(arc, *span) for arc in ephemeris.arcs if (span := _span(arc, start, stop)) is not None]
    if not spans:
        raise ValueError("the issue covers nothing of that span about Earth")
    positions = [_position(arc, first_us, last_us, step_s, frame) for arc, first_us, last_us in spans]
    packets = [_document(ephemeris, positions), _object(ephemeris, positions, _turn_s(spans[0][0]))]
    name = safe_file_name(ephemeris.object_name, ephemeris.object_id, ephemeris.creation_date, suffix="czml")
    content = json.dumps(packets, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    return Export(name, "application/json", [content])


def _span(arc: Arc, start: datetime | None, stop: datetime | None) -> tuple[int, int] | None:
    """Return the part of an arc between two times, in TAI, or None where nothing of it is."""
    first_us, last_us = arc.start_tai_us, arc.stop_tai_us
    if start is not None:
        first_us = max(first_us, _tai_us(start))
    if stop is not None:
        last_us = min(last_us, _tai_us(stop))
    return (first_us, last_us) if arc.is_geocentric and first_us < last_us else None


def _position(arc: Arc, first_us: int, last_us: int, step_s: float, frame: str) -> dict[str, Any]:
    """Return the samples of an arc: seconds since the first one and metres, in a frame of CZML."""
    step_us = round(step_s * SECOND_US)
    tai_us = np.append(np.arange(first_us, last_us, step_us, dtype=np.int64), last_us)
    position_km = _turned(arc, tai_us, arc.path().states_at(tai_us)[0], frame)
    known = np.isfinite(position_km).all(axis=1)
    if not known.all():
        raise ValueError("the states are too far apart to interpolate between them")
    samples = np.column_stack([(tai_us - first_us) / SECOND_US, np.round(position_km * KM, 3)])
    return {
        "interval": f"{_iso(first_us)}/{_iso(last_us)}",
        "epoch": _iso(first_us),
        "referenceFrame": frame,
        "interpolationAlgorithm": "LAGRANGE",
        "interpolationDegree": DEGREE,
        "cartesian": samples.ravel().tolist(),
    }


def _turned(arc: Arc, tai_us: Micros, position_km: Reals, frame: str) -> Reals:
    epoch_tai = tai_us.astype("datetime64[us]")
    to_itrs = rotation_to_itrs_tai(arc.ref_frame, epoch_tai, frame_epoch_tai=arc.frame_epoch_tai)
    celestial = rotation_to_itrs_tai("GCRF", epoch_tai)
    if to_itrs is None or celestial is None:
        raise ValueError(f"{arc.ref_frame} cannot be turned to the frames of CZML")
    itrs_km = turned(to_itrs, position_km)
    return itrs_km if frame == FIXED else turned_back(celestial, itrs_km)


def _turn_s(arc: Arc) -> float:
    """Return how long a turn takes, for the path that is drawn: a whole one behind the object."""
    at_us = np.array([(arc.start_tai_us + arc.stop_tai_us) // 2])
    axis_km = float(semi_major_axis_km(*arc.path().states_at(at_us))[0])
    return min(period_s(axis_km), LONGEST_PERIOD_S) if axis_km > 0 else LONGEST_PERIOD_S


def _document(ephemeris: Ephemeris, positions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first, last = positions[0]["interval"].split("/")[0], positions[-1]["interval"].split("/")[1]
    return {
        "id": "document",
        "name": f"{ephemeris.object_name}, ephemeris of {ephemeris.creation_date:%Y-%m-%d %H:%M:%S} UTC",
        "version": "1.0",
        "clock": {
            "interval": f"{first}/{last}",
            "currentTime": first,
            "multiplier": 60,
            "range": "LOOP_STOP",
            "step": "SYSTEM_CLOCK_MULTIPLIER",
        },
    }


def _object(ephemeris: Ephemeris, positions: Sequence[dict[str, Any]], turn_s: float) -> dict[str, Any]:
    intervals = [position["interval"] for position in positions]
    if len(positions) == 1:
        positions = [{name: value for name, value in positions[0].items() if name != "interval"}]
    colour = {"rgba": COLOUR}
    return {
        "id": ephemeris.object_id,
        "name": ephemeris.object_name,
        "availability": intervals[0] if len(intervals) == 1 else intervals,
        "position": positions[0] if len(positions) == 1 else list(positions),
        "point": {"pixelSize": 8, "color": colour},
        "label": {
            "text": ephemeris.object_name,
            "font": "12pt sans-serif",
            "fillColor": colour,
            "horizontalOrigin": "LEFT",
            "pixelOffset": {"cartesian2": [12, 0]},
        },
        "path": {
            "leadTime": 0,
            "trailTime": round(turn_s),
            "resolution": 60,
            "width": 1.5,
            "material": {"solidColor": {"color": colour}},
        },
    }


def _tai_us(moment: datetime) -> int:
    return int(tai_us_of((moment - UNIX_EPOCH) // timedelta(microseconds=1)))


def _iso(tai_us: int) -> str:
    moment = UNIX_EPOCH + timedelta(microseconds=int(utc_us_of(np.array([tai_us]))[0]))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
