"""Recordings of the feeds by other people against NASA's issues of those days: each verdict, and why it is right."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from tests.audit.flights import Judged, judged
from tests.audit.recordings import raw_lines
from tests.trajectory.audited import audited

from orbitlake.audit.ephemeris import Ephemeris
from orbitlake.audit.fix_errors import Fixes
from orbitlake.audit.issue_bounds import IssueBounds
from orbitlake.columns import NEVER_US
from orbitlake.oem import read
from orbitlake.positions.record import OPEN_NOTIFY, WHERETHEISS

pytestmark = pytest.mark.real
INDIA_S = 19_800
"""Two recordings have local times without a zone."""
YEAR = "sanand0__iss-location.2025.jsonl"
ISSUES = {
    "ArshMalik07__iss_location_data.csv": ["2024-06-28"],
    "Bhuvan1611__iss_location.csv": ["2024-07-31"],
    "IgorComune__iss.csv": ["2021-10-01"],
    "SatyamPrakash09__iss_data.csv": [
        *("2025-06-30", "2025-07-30", "2025-08-14", "2025-08-27"),
        *("2025-11-24", "2025-12-15"),
    ],
    "Shraddha6184__iss_location_data.csv": ["2024-07-31"],
    "chaitenyachand__iss_location_data.csv": ["2024-06-28"],
    YEAR: [
        *("2025-01-01", "2025-01-15", "2025-01-31", "2025-02-14", "2025-03-14", "2025-04-01", "2025-04-14"),
        *("2025-04-29", "2025-05-28", "2025-06-11", "2025-06-30", "2025-07-15", "2025-07-30", "2025-08-14"),
        *("2025-08-27", "2025-10-13", "2025-11-12", "2025-11-24", "2025-12-15"),
    ],
}
REBOOSTS_2025 = ["2025-02-01T08:58", "2025-02-20T01:30", "2025-04-02T09:52", "2025-08-14T04:28", "2025-11-19T13:19"]
"""Those of the issues that are followed by a fix within a day."""


@pytest.fixture(scope="module")
def compared(real_data: Path):
    def compare(name: str, source: str = OPEN_NOTIFY, shift_s: int = 0) -> Judged:
        issues = [read(real_data / "oem" / "iss" / file_of(real_data, day)) for day in ISSUES[name]]
        lines = [json.loads(line) for line in raw_lines(real_data / "open_notify" / "recordings" / name)]
        times = [(round((line["timestamp"] - shift_s) * 1e6), line) for line in lines]
        keys = sorted({(at_us, float(line["latitude"]), float(line["longitude"])) for at_us, line in times})
        event_us, latitude_deg, longitude_deg = map(np.array, zip(*keys, strict=True))
        fixes = Fixes(event_us, np.full(event_us.size, NEVER_US), latitude_deg, longitude_deg)
        return judged(fixes, Ephemeris.of(audited(*issues), IssueBounds({})), source)

    return compare


def file_of(real_data: Path, day: str) -> str:
    return next(file.name for file in sorted((real_data / "oem" / "iss").glob(f"*{day}.*gz")))


def times_of(found: Judged, verdict: str) -> list[np.datetime64]:
    chosen = np.array(found.verdicts) == verdict
    return sorted(found.errors.fixes.event_us[chosen].astype("datetime64[us]").tolist())


def test_a_year_of_open_notify_is_stale_on_the_days_after_reboosts_and_on_no_other(compared):
    found = compared(YEAR)

    assert len(found.verdicts) == 272
    assert set(found.verdicts) == {"OK", "STALE"}
    stale = times_of(found, "STALE")
    assert [at.date() for at in stale] == [
        *(date(2025, 2, 1), date(2025, 2, 20), date(2025, 4, 2), date(2025, 8, 14), date(2025, 11, 20))
    ]
    for at, reboost in zip(stale, REBOOSTS_2025, strict=True):
        after_h = (np.datetime64(at) - np.datetime64(reboost)) / np.timedelta64(1, "h")
        assert 0 < after_h < 24
    # Elements that know nothing of a reboost have the station where it would be without: ahead.
    assert (found.errors.along_km[np.array(found.verdicts) == "STALE"] > 0).all()


def test_a_drift_that_an_early_reboost_would_explain_is_not_put_down_to_the_feed(compared):
    """From two days before a reboost planned for 2025-03-19 14:25 the feed falls behind, and after it no further.

    It may have been flown early, or the feed may be wrong: no later issue of those days is at hand to tell.
    """
    found = compared(YEAR)
    at = found.errors.fixes.event_us.astype("datetime64[us]")
    days = (at >= np.datetime64("2025-03-18")) & (at < np.datetime64("2025-03-24"))

    assert found.errors.along_km[days].min() < -350
    assert {verdict for verdict, is_one in zip(found.verdicts, days, strict=True) if is_one} == {"OK"}


def test_what_open_notify_gives_is_geocentric_and_half_a_second_after_its_stamp(compared):
    errors = compared(YEAR).errors
    flown = errors.fixes.event_us < errors.creation_us

    assert np.abs(errors.cross_km).max() < 1.2
    assert flown.sum() == 18
    assert np.abs(errors.along_km[flown]).max() < 4.0
    geodetic = np.abs(compared(YEAR, WHERETHEISS).errors.cross_km)
    assert geodetic.max() > 19.0


def test_what_wheretheiss_gives_is_geodetic_and_for_the_second_of_its_stamp(compared):
    found = compared("IgorComune__iss.csv", WHERETHEISS)

    assert set(found.verdicts) == {"OK"}
    assert np.abs(found.errors.cross_km).max() < 0.5
    order = np.argsort(found.errors.fixes.event_us)
    assert np.abs(np.diff(found.errors.along_km[order], 2)).max() < 0.01


def test_hours_before_a_reboost_the_feed_was_right_that_was_off_hours_after_it(compared, real_data):
    """2025-02-01: a single body of 02:42, by another person, and the fix of 12:09; the reboost was at 08:58."""
    body = json.loads((real_data / "open_notify" / "iss_now" / "JSellinger__iss-now.json").read_text())
    place = [np.array([float(body["iss_position"][name])]) for name in ("latitude", "longitude")]
    before = Fixes(np.array([body["timestamp"] * 1_000_000]), np.array([NEVER_US]), *place)
    issue = read(real_data / "oem" / "iss" / file_of(real_data, "2025-01-31"))

    found = judged(before, Ephemeris.of(audited(issue), IssueBounds({})))

    assert found.verdicts == ["OK"]
    assert found.errors.error_km[0] < 1.0
    assert date(2025, 2, 1) in [at.date() for at in times_of(compared(YEAR), "STALE")]


def test_nine_hours_after_a_reboost_open_notify_had_not_heard_of_it(compared):
    found = compared("ArshMalik07__iss_location_data.csv")
    unaware_km = 3 * 0.779e-3 * 32_000 * 6371 / 6790

    assert set(found.verdicts) == {"STALE"}
    assert np.median(found.errors.along_km) == pytest.approx(unaware_km, rel=0.1)


@pytest.mark.parametrize("name", ["Shraddha6184__iss_location_data.csv", "chaitenyachand__iss_location_data.csv"])
def test_days_after_its_creation_an_issue_explains_what_it_is_off(compared, name):
    found = compared(name)

    assert set(found.verdicts) == {"OK"}
    assert 30 < np.median(found.errors.error_km) < 60


@pytest.mark.parametrize(
    ("name", "source"),
    [("Bhuvan1611__iss_location.csv", OPEN_NOTIFY), ("SatyamPrakash09__iss_data.csv", WHERETHEISS)],
)
def test_local_times_taken_for_utc_are_an_offset_and_by_their_zone_they_are_well(compared, name, source):
    assert set(compared(name, source).verdicts) == {"OFFSET"}
    assert set(compared(name, source, INDIA_S).verdicts) == {"OK"}
