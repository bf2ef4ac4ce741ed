"""Generated files in every combination of header values: each is an issue whose tables conform, or an OemError.

ORBITLAKE_SWEEP sets how many; each is made from its own number, which a failure names.
"""

import os
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import numpy as np
import pytest
from tests.oem.sample_oem import COVARIANCE, state_vector

from orbitlake.lake.parquet import in_order
from orbitlake.oem import Issue, OemError, read_all_bytes
from orbitlake.tables import (
    OEM_COVARIANCES,
    OEM_ISSUES,
    OEM_SEGMENTS,
    STATE_VECTORS,
    THRUST_EPISODES,
    TRAJECTORY_EVENTS,
)

FILES = int(os.environ.get("ORBITLAKE_SWEEP", "200"))
BATCHES = 10
SOUND_SHARE = 0.7
"""How often a value is taken from the sound ones: files are long, and one odd value is enough to refuse one."""

IDS = ("1998-067-A", "1998-067A", "N/A", "SL-16 R/B", "SAT.1(B)#2", "_PRIV", "..", "-85", "25544", "UNKNOWN", "a%2Fb")
ODD_IDS = ("", "x" * 201, "A\tB", "\N{SNOWMAN}", "\N{SNOWMAN}" * 30, "a = b", "[km]", "COMMENT", "META_STOP")
CENTRES = ("EARTH", "Earth", "MOON", "MARS BARYCENTER", "SUN", "earth", "SOLAR SYSTEM BARYCENTER")
FRAMES = ("EME2000", "J2000", "ICRF", "GCRF", "TEME", "ITRF2014", "ITRF-97", "TOD", "teme", "itrf", "MCI")
FRAME_EPOCHS = (None, None, "2000-01-01T12:00:00", "2010-001T00:00:00Z", "1950-01-01T00:00:00", "2016-12-31T23:59:60.5")
ODD_FRAME_EPOCHS = ("soon", "", "9999-12-31T23:59:59.9", "0001-01-01T00:00:00", "1972-01-01T00:00:00", "2000-01-01")
TIME_SYSTEMS = ("UTC", "UTC", "TAI", "GPS", "TT", "TDB", "TCG", "TCB", "utc")
ODD_TIME_SYSTEMS = ("MRT", "UT1", "", "U T C")
STARTS = (
    "2023-03-24T18:41:29.004",
    "2016-12-31T23:59:59.5",
    "2015-06-30T23:59:59",
    "1999-12-31T23:59:00",
    "2026-11-20",
)
ODD_STARTS = ("0001-01-01", "1958-01-01", "1971-12-31T23:59:55", "1972-01-01", "2080-02-29", "9999-12-31T23:59:58")
STEPS_S = (240.0, 60.0, 2.0, 0.5, 0.001)
ODD_STEPS_S = (1e-6, 4e-7, 0.0, -1.0, 1e9)
POSITIONS = ("6778 0 0 0 4.763 6.010", "4482.28542 -1945.87905 -4735.454317 5.092194 4.987268 2.771174")
ODD_POSITIONS = (
    "0 0 0 0 0 0",
    "0 0 6356.7523 0 0 0",
    "1e200 1e200 -1e200 1e200 0 0",
    "1e-200 0 0 0 0 0",
    "6778 0 0 0 4.763 6.010 1e-6 0 -0.0",
    "6778 0 0 0 4.763",
    "6778 [km] 0 [km] 0 [km] 0 [km/s] 4.763 [km/s] 6.010 [km/s]",
    "6778 0 nan 0 4.763 6.010",
)
CREATED = ("2023-03-24T22:55:31.604", "2024-001T00:00:00Z", "2016-12-31T23:59:60.25")
ODD_CREATED = (
    "2016-12-30T23:59:60",
    "9999-12-31T23:59:59.9999999",
    "0001-01-01T00:00:00",
    "yesterday",
    "",
    "2024-02-30",
)
INTERPOLATIONS = ((), ("INTERPOLATION", "HERMITE", "INTERPOLATION_DEGREE", "7"), ("INTERPOLATION", "LINEAR"))
ODD_INTERPOLATIONS = (
    ("INTERPOLATION_DEGREE", "3"),
    ("INTERPOLATION", "HERMITE", "INTERPOLATION_DEGREE", "999999999999"),
)
SPANS = ("none", "none", "whole", "inner", "start", "stop", "empty")
ODD_SPANS = ("outside", "reversed")
VERSIONS = ("2.0", "2.0", "3.0")
ODD_VERSIONS = ("1.0", "4.0", "")


class Generator:
    """Makes one file from its number."""

    def __init__(self, number: int) -> None:
        self.choose = random.Random(number)

    def pick(self, sound: tuple, odd: tuple) -> object:
        return self.choose.choice(sound if self.choose.random() < SOUND_SHARE + 0.25 else odd)

    def epoch(self, start: str, after_s: float) -> str:
        """Return an epoch so long after a start, in one of its spellings; a second 60 where one may have been."""
        us = round(after_s * 1e6)
        begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
        try:
            moment = begin + timedelta(microseconds=us)
        except OverflowError:
            moment = begin
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.leaps and midnight > begin and moment - midnight < timedelta(seconds=1):
            day = midnight - timedelta(days=1)
            return f"{day:%Y-%m-%d}T23:59:60.{moment.microsecond:06}"
        if self.leaps and midnight > begin:
            moment -= timedelta(seconds=1)
        fraction = f".{moment.microsecond:06}" + ("4" if us != after_s * 1e6 else "")
        day = f"{moment:%j}" if self.day_of_year else f"{moment:%m-%d}"
        return f"{moment.year:04}-{day}T{moment:%H:%M:%S}{fraction}{self.zone}"

    def segment(self, identity: dict[str, str]) -> tuple[dict[str, str], list[str], list[str]]:
        """Return metadata, states and the lines after them."""
        start = str(self.pick(STARTS, ODD_STARTS))
        step_s = float(self.pick(STEPS_S, ODD_STEPS_S))
        count = self.choose.choice((1, 2, 3, 9))
        times = [self.epoch(start, nth * step_s) for nth in range(count)]
        metadata = identity | {
            "CENTER_NAME": str(self.pick(CENTRES, ("", "\N{SNOWMAN}"))),
            "REF_FRAME": str(self.pick(FRAMES, ("", "RTN"))),
        }
        frame_epoch = self.pick(FRAME_EPOCHS, ODD_FRAME_EPOCHS)
        if frame_epoch is not None:
            metadata["REF_FRAME_EPOCH"] = str(frame_epoch)
        metadata["TIME_SYSTEM"] = self.time_system
        useable = {
            "none": (None, None),
            "whole": (times[0], times[-1]),
            "inner": (times[count // 3], times[-1 - count // 3]),
            "start": (times[count // 2], None),
            "stop": (None, times[count // 2]),
            "empty": ("", ""),
            "outside": (times[0], self.epoch(start, count * step_s)),
            "reversed": (times[-1], times[0]),
        }[str(self.pick(SPANS, ODD_SPANS))]
        span = {"START_TIME": times[0], "USEABLE_START_TIME": useable[0], "USEABLE_STOP_TIME": useable[1]}
        metadata |= {key: value for key, value in (span | {"STOP_TIME": times[-1]}).items() if value is not None}
        pairs = self.pick(INTERPOLATIONS, ODD_INTERPOLATIONS)
        metadata |= dict(zip(pairs[::2], pairs[1::2], strict=True))
        states = [f"{time} {self.pick(POSITIONS, ODD_POSITIONS)}" for time in times]
        if self.choose.random() < 0.1:
            states.insert(self.choose.randrange(count), self.choose.choice(states))
        after = [line.replace("2023-03-24T18:41:29.004", times[0]) for line in COVARIANCE]
        return metadata, states, after if self.choose.random() < 0.2 else []

    def file(self) -> bytes:
        """Return the file, in text or XML, of one to three segments."""
        self.leaps = self.choose.random() < 0.3
        self.day_of_year = self.choose.random() < 0.3
        self.zone = self.choose.choice(("", "", "Z"))
        self.time_system = str(self.pick(TIME_SYSTEMS, ODD_TIME_SYSTEMS))
        identity = {"OBJECT_NAME": "A", "OBJECT_ID": str(self.pick(IDS, ODD_IDS))}
        version = str(self.pick(VERSIONS, ODD_VERSIONS))
        header = {"CREATION_DATE": str(self.pick(CREATED, ODD_CREATED)), "ORIGINATOR": "X"}
        if self.choose.random() < 0.1:
            header["MESSAGE_ID"] = "7"
        segments = [self.segment(identity) for _ in range(self.choose.choice((1, 1, 2, 3)))]
        write = self.choose.choice((kvn, xml))
        return write(version, header, segments)


def kvn(version: str, header: dict[str, str], segments: list) -> bytes:
    lines = [f"CCSDS_OEM_VERS = {version}", *(f"{key} = {value}" for key, value in header.items())]
    for metadata, states, after in segments:
        lines += ["META_START", *(f"{key} = {value}" for key, value in metadata.items()), "META_STOP", *states, *after]
    return "\n".join(lines).encode()


def xml(version: str, header: dict[str, str], segments: list) -> bytes:
    """Return the same in XML; covariances, whose elements have names, are left to text."""

    def elements(values: dict[str, str]) -> str:
        return "".join(f"<{key}>{escape(value)}</{key}>" for key, value in values.items())

    body = "".join(
        f"<segment><metadata>{elements(metadata)}</metadata><data>{''.join(map(state_vector, states))}</data></segment>"
        for metadata, states, _ in segments
    )
    return (
        f'<oem id="CCSDS_OEM_VERS" version="{version}"><header>{elements(header)}</header><body>{body}</body></oem>'
    ).encode()


def check(issue: Issue) -> None:
    """Fail where a table of an issue does not conform, or where its rows contradict each other."""
    row = issue.row(source_url=None, retrieved_at=None, raw_path=None)
    for rows, table in (
        (row, OEM_ISSUES),
        (issue.segment_table, OEM_SEGMENTS),
        (issue.states, STATE_VECTORS),
        (issue.events, TRAJECTORY_EVENTS),
        (issue.episodes, THRUST_EPISODES),
        (issue.covariances, OEM_COVARIANCES),
    ):
        ordered = in_order(rows, table)
        keys = list(zip(*(ordered.column(name).to_pylist() for name in table.key), strict=True))
        assert len(set(keys)) == len(keys), table.name
        assert all(len(values) == rows.num_rows for values in ordered.to_pydict().values())
    states = issue.states
    segment, step_s = states["segment"].to_numpy(), states["step_s"].to_numpy()
    first = np.append(True, np.diff(segment) > 0)
    elapsed_us = np.diff(states["epoch_tai"].to_numpy().astype(np.int64))
    assert np.isnan(step_s[first]).all()
    assert np.array_equal(np.rint(step_s[~first] * 1e6), elapsed_us[~first[1:]])
    assert np.isfinite(states["r_km"].to_numpy()).all()
    assert Counter(segment.tolist()) == dict(
        zip(*(issue.segment_table[name].to_pylist() for name in ("segment", "state_count")), strict=True)
    )
    latitude_deg = states["latitude_deg"].to_numpy()
    assert (np.isnan(latitude_deg) | (np.abs(latitude_deg) <= 90)).all()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_generated_file_is_an_issue_that_conforms_or_an_oem_error(batch):
    read = refused = 0
    for number in range(batch, FILES, BATCHES):
        content = Generator(number).file()
        try:
            issues = read_all_bytes(content, "swept")
        except OemError:
            refused += 1
            continue
        except Exception as error:
            raise AssertionError(f"number {number} ends in {error!r}:\n{content.decode()}") from error
        for issue in issues:
            try:
                check(issue)
            except Exception as error:
                raise AssertionError(f"number {number}: {error!r}:\n{content.decode()}") from error
        read += 1

    assert min(read, refused) * 10 >= read + refused
