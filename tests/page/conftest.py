"""A small lake as the page meets it: two closed days, one open, and two issues of a circular orbit with a burn."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from tests.exports.flown import simulated
from tests.published import publish

from orbitlake.lake import Lake
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.page.app import create_app
from orbitlake.page.calendar_links import CalendarLinks
from orbitlake.page.calendars import People
from orbitlake.passes import PARIS, Places, Site, add_site, update_passes
from orbitlake.settings import from_environment
from orbitlake.tables import (
    BURN_HISTORY,
    GAPS,
    OEM_ISSUES,
    POSITION_AUDIT,
    POSITIONS,
    PREDICTION_ERROR_SUMMARY,
    STATE_VECTORS,
    THRUST_EPISODES,
    WINDOW_STATS,
)

OBJECT_ID = "1998-067A"
NOW = datetime(2026, 3, 5, 12, 0, 10, tzinfo=UTC)
OLDER, NEWER = datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 3, 4, 9, 30, 0, 250_000, tzinfo=UTC)
RADIUS_KM = 6798.0
MEAN_MOTION_RAD_S = float(np.sqrt(398600.4418 / RADIUS_KM**3))
MINUTE = timedelta(minutes=1)

FIX = {
    "object_id": OBJECT_ID,
    "source": "open_notify",
    "fetch_time": None,
    "latitude_deg": 10.5,
    "longitude_deg": -20.25,
    "altitude_km": None,
    "velocity_km_s": 7.25,
    "orbit_phase": "ASCENDING",
    "hemisphere_ns": "North",
    "hemisphere_ew": "West",
    "distance_to_paris_km": 4765.5,
}
WINDOW = {
    "object_id": OBJECT_ID,
    "source": "open_notify",
    "data_points": 2,
    "avg_latitude_deg": 10.5,
    "avg_longitude_deg": -20.25,
    "avg_velocity_km_s": 7.25,
    "max_velocity_km_s": 7.5,
    "min_velocity_km_s": 7.0,
    "velocity_stddev_km_s": None,
    "ground_speed_km_s": 7.2,
}
AUDITED = {
    "object_id": OBJECT_ID,
    "source": "open_notify",
    "latitude_deg": 10.5,
    "longitude_deg": -20.25,
    "error_km": 2.5,
    "along_track_km": -2.4,
    "cross_track_km": 0.25,
    "along_track_s": -0.35,
    "bound_km": 17.5,
    "verdict": "OK",
}
ISSUE = dict.fromkeys(OEM_ISSUES.column_names) | {
    "object_id": OBJECT_ID,
    "object_name": "ISS",
    "originator": "TEST",
    "oem_version": "2.0",
    "file_format": "KVN",
    "center_name": "EARTH",
    "ref_frame": "EME2000",
    "time_system": "UTC",
    "mass_kg": 420_000.5,
    "comments": [],
    "segment_count": 1,
    "content_sha256": "0" * 64,
}
STATE = dict.fromkeys(STATE_VECTORS.column_names) | {
    "object_id": OBJECT_ID,
    "segment": 0,
    "latitude_deg": 0.0,
    "longitude_deg": 0.0,
    "useable": True,
    "step_s": 240.0,
    "on_thrust": False,
    "thrust_episode": 0,
}
BURN = dict.fromkeys(THRUST_EPISODES.column_names) | {
    "object_id": OBJECT_ID,
    "thrust_episode": 1,
    "duration_s": 600.0,
    "ignition_sigma_s": 0.0,
    "cutoff_sigma_s": 0.0,
    "two_second_rows": 300,
    "powered_steps": 300,
    "delta_v_m_s": 1.125,
    "semi_major_axis_before_km": 6795.5,
    "semi_major_axis_after_km": 6797.5,
    "event_names": ["REBOOST"],
    "manoeuvre": 1,
}
REVISION = dict.fromkeys(BURN_HISTORY.column_names) | {
    "object_id": OBJECT_ID,
    "burn_id": "20260305T140010Z-20260301T090000Z",
    "creation_date": OLDER,
    "ignition_time": NOW + timedelta(hours=2, seconds=90),
    "delta_v_m_s": 1.0,
    "event_name": "REBOOST",
    "status": "PLANNED",
    "told_by": "STATES",
}
GAP = {
    "object_id": OBJECT_ID,
    "source": "open_notify",
    "start_time": datetime(2026, 3, 5, 10, 29, 30, tzinfo=UTC),
    "end_time": datetime(2026, 3, 5, 10, 50, tzinfo=UTC),
    "duration_s": 1230.0,
    "cause": "timeout",
    "cause_s": 1200.0,
    "polls_made": 40,
    "interval_s": 30.0,
    "creation_date": NEWER,
}


def rows_of(table, rows):
    return pa.Table.from_pylist(rows, schema=table.schema)


def fixes_of(minutes):
    """Two fixes in each minute, 30 s apart; the second 0.01 degrees north of the first."""
    return [
        FIX | {"event_time": minute + timedelta(seconds=30 * nth), "latitude_deg": 10.5 + 0.01 * nth}
        for minute in minutes
        for nth in (0, 1)
    ]


def windows_of(minutes):
    return [
        WINDOW
        | {
            "window_start": minute,
            "window_end": minute + MINUTE,
            "first_event_time": minute,
            "last_event_time": minute + timedelta(seconds=30),
        }
        for minute in minutes
    ]


def states_of(created):
    """A circular orbit in the plane of the equator of the file's frame, every 240 s for the day around noon."""
    start = NOW - timedelta(hours=12)
    for nth in range(361):
        angle = MEAN_MOTION_RAD_S * 240.0 * nth
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        speed_km_s = RADIUS_KM * MEAN_MOTION_RAD_S
        yield STATE | {
            "creation_date": created,
            "epoch": start + timedelta(seconds=240 * nth),
            "epoch_tai": (start + timedelta(seconds=240 * nth + 37)).replace(tzinfo=None),
            "x_km": RADIUS_KM * cos,
            "y_km": RADIUS_KM * sin,
            "z_km": 0.0,
            "r_km": RADIUS_KM,
            "vx_km_s": -speed_km_s * sin,
            "vy_km_s": speed_km_s * cos,
            "vz_km_s": 0.0,
            "altitude_km": RADIUS_KM - 6378.137 + 0.01 * (nth % 23),
            "step_s": 240.0 if nth else None,
        }


def publish_issue(lake, created):
    span = {"start_time": NOW - timedelta(hours=12), "stop_time": NOW + timedelta(hours=12)}
    ignition = NOW + timedelta(hours=2)
    tables = {
        OEM_ISSUES: [ISSUE | span | {"creation_date": created, "state_count": 361}],
        STATE_VECTORS: list(states_of(created)),
        THRUST_EPISODES: [
            BURN | {"creation_date": created, "ignition_time": ignition, "cutoff_time": ignition + 10 * MINUTE}
        ],
    }
    for table, rows in tables.items():
        publish(rows_of(table, rows), table, lake.issue(table, OBJECT_ID, created), lake.staging)


def publish_audit(lake: Lake) -> None:
    """A burn that was planned and revised, two ranges of lead, one of them with a burn, and a gap."""
    revised = {"creation_date": NEWER, "ignition_time": NOW + timedelta(hours=2), "delta_v_m_s": 1.125}
    revised |= {"status": "REVISED", "ignition_shift_s": -90.0, "delta_v_change_m_s": 0.125}
    error = {"object_id": OBJECT_ID, "n": 12}
    errors = [
        error
        | {"burn_between": is_burn, "lead_from_s": 86_400.0 * day, "lead_to_s": 86_400.0 * (day + 1)}
        | {
            f"p{percent}{end}_km": scale * percent * (1 + day)
            for percent in (50, 90, 99)
            for end in ("", "_low", "_high")
        }
        for is_burn, scale in ((False, 0.001), (True, 0.01))
        for day in (0, 1)
    ]
    for table, rows, file in (
        (BURN_HISTORY, [REVISION, REVISION | revised], lake.object_file(BURN_HISTORY, OBJECT_ID)),
        (PREDICTION_ERROR_SUMMARY, errors, lake.object_file(PREDICTION_ERROR_SUMMARY, OBJECT_ID)),
        (GAPS, [GAP], lake.day(GAPS, NOW.date())),
    ):
        publish(rows_of(table, rows), table, file, lake.staging)


@pytest.fixture
def filled(lake: Lake) -> Lake:
    """March 3 whole hours, March 4 nothing, March 5 live up to 12:00:00; two issues, and what the audit makes."""
    third = [datetime(2026, 3, 3, 6, tzinfo=UTC) + nth * MINUTE for nth in range(120)]
    fifth = [datetime(2026, 3, 5, 10, tzinfo=UTC) + nth * MINUTE for nth in range(120) if not 30 <= nth < 50]
    for table, make in ((POSITIONS, fixes_of), (WINDOW_STATS, windows_of)):
        publish(rows_of(table, make(third)), table, lake.day(table, third[0].date()), lake.staging)
        live = lake.live(table) / "date=2026-03-05" / "0007-0.parquet"
        publish(rows_of(table, make(fifth)), table, live, lake.staging)
    publish_issue(lake, OLDER)
    publish_issue(lake, NEWER)
    publish_audit(lake)
    publish_comparison(lake)
    return lake


def publish_comparison(lake: Lake, **newest: object) -> None:
    """Two fixes of March 5 against the newer issue; other columns replace those of the newest."""
    rows = [
        AUDITED | {"creation_date": NEWER, "event_time": NOW - second * timedelta(seconds=1)} for second in (15, 10)
    ]
    rows[1] |= newest
    publish(rows_of(POSITION_AUDIT, rows), POSITION_AUDIT, lake.day(POSITION_AUDIT, NOW.date()), lake.staging)


def client_of(lake: Lake, now: datetime = NOW) -> TestClient:
    return TestClient(create_app(lambda: None, lake.root, lambda: now))


@pytest.fixture
def client(filled: Lake) -> TestClient:
    return client_of(filled)


PASSING = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
"""When the simulator's object stands over Paris, an hour after the issue was created."""
AGDE = Site("Cap d'Agde", 43.28, 3.51, time_zone="Europe/Paris")


@pytest.fixture(scope="session")
def flown_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the simulator's issue, ingested, and its passes over Paris and Cap d'Agde."""
    folder = tmp_path_factory.mktemp("flown")
    lake = Lake(folder / "data")
    (folder / "issue.txt").write_bytes(simulated())
    (outcome,) = ingest_source(str(folder / "issue.txt"), lake, from_environment({}))
    assert outcome["outcome"] == "ingested"
    add_site(lake.root / "sites.toml", AGDE)
    update_passes(lake, Places((PARIS, AGDE)))
    return lake.root


@pytest.fixture
def flown(flown_root: Path, tmp_path: Path) -> Lake:
    """The same for one test, which may replace files of it: none is written to in place."""
    shutil.copytree(flown_root, tmp_path / "flown", copy_function=os.link)
    return Lake(tmp_path / "flown")


class Remembered(dict):
    """The random texts of people with links, in memory."""

    put = dict.__setitem__

    def drop(self, person: str) -> None:
        self.pop(person, None)


def people_of(*readers: str, asking: str = "ada") -> People:
    """People of whom some may read, and one is asking for links."""
    links = CalendarLinks("the server's key", Remembered(), lambda claims: claims["sub"] in readers)
    return People(links, lambda: {"sub": asking})
