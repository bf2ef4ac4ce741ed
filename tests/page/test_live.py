"""Live rows held in memory: always what the files hold, though most are opened once."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from tests.page.conftest import FIX, NOW, rows_of
from tests.published import publish

from orbitlake.lake import Lake, LakeError
from orbitlake.page import live
from orbitlake.page.live import LiveRows
from orbitlake.query import connect
from orbitlake.tables import POSITIONS

TODAY = NOW.date()
ALL_DAYS = date(1970, 1, 1)


@pytest.fixture(autouse=True)
def always_look(monkeypatch):
    monkeypatch.setattr(live, "LOOK_AGAIN_AFTER_S", 0.0)


def put(lake: Lake, batch: int, *seconds: int, day: date = TODAY, **values) -> None:
    rows = [FIX | values | {"event_time": NOW + timedelta(seconds=s, days=(day - TODAY).days)} for s in seconds]
    publish(rows_of(POSITIONS, rows), POSITIONS, folder(lake, day) / f"000{batch}-0.parquet", lake.staging)


def folder(lake: Lake, day: date = TODAY):
    return lake.live(POSITIONS) / f"date={day}"


def in_files(lake: Lake) -> list[tuple]:
    return connect(lake.root).sql("SELECT event_time, latitude_deg, date FROM positions ORDER BY ALL").fetchall()


def held(rows: LiveRows, lake: Lake, since: date = ALL_DAYS) -> list[tuple]:
    live_rows = {"positions": rows.since(POSITIONS, since)}
    view = connect(lake.root, since=since, live=live_rows)
    return view.sql("SELECT event_time, latitude_deg, date FROM positions ORDER BY ALL").fetchall()


def test_rows_follow_files_that_come_change_and_go(lake: Lake):
    rows = LiveRows(lake)
    assert held(rows, lake) == []

    put(lake, 1, 0, 5)
    put(lake, 2, 10)
    assert len(held(rows, lake)) == 3
    assert held(rows, lake) == in_files(lake)

    put(lake, 2, 10, latitude_deg=-3.5)
    assert [row[1] for row in held(rows, lake)] == [10.5, 10.5, -3.5]
    assert held(rows, lake) == in_files(lake)

    (folder(lake) / "0001-0.parquet").unlink()
    assert held(rows, lake) == in_files(lake)
    assert len(held(rows, lake)) == 1


def test_file_of_another_version_is_refused_by_name(lake: Lake):
    foreign = replace(POSITIONS, version=POSITIONS.version + 1)
    put(lake, 1, 0)
    publish(rows_of(POSITIONS, [FIX | {"event_time": NOW}]), foreign, folder(lake) / "0002-0.parquet", lake.staging)

    with pytest.raises(LakeError, match=r"0002-0\.parquet: positions of version"):
        LiveRows(lake).since(POSITIONS, ALL_DAYS)


def test_day_that_was_closed_is_forgotten(lake: Lake):
    rows = LiveRows(lake)
    put(lake, 1, 0)
    assert len(held(rows, lake)) == 1

    (folder(lake) / "0001-0.parquet").unlink()
    folder(lake).rmdir()

    assert held(rows, lake) == []
    assert rows.days == {}


def test_closed_day_is_read_from_its_file_though_live_rows_are_still_held(lake: Lake):
    rows = LiveRows(lake)
    put(lake, 1, 0, 5)
    closed = [FIX | {"event_time": NOW + timedelta(seconds=s)} for s in (0, 5, 10)]
    publish(rows_of(POSITIONS, closed), POSITIONS, lake.day(POSITIONS, TODAY), lake.staging)

    assert len(held(rows, lake)) == 3


def test_days_before_are_left_out(lake: Lake):
    rows = LiveRows(lake)
    put(lake, 1, 0)
    put(lake, 1, 0, day=TODAY - timedelta(days=1))

    assert [row[2] for row in held(rows, lake, since=TODAY)] == [TODAY]
    assert len(held(rows, lake)) == 2


def test_file_is_opened_once(lake: Lake, monkeypatch):
    opened, read = [], live.read

    def counting(files, *rest):
        opened.extend(files := list(files))
        return read(files, *rest)

    monkeypatch.setattr(live, "read", counting)
    rows = LiveRows(lake)
    put(lake, 1, 0)
    rows.since(POSITIONS, TODAY)
    put(lake, 2, 5)
    rows.since(POSITIONS, TODAY)
    rows.since(POSITIONS, TODAY)

    assert opened == [str(folder(lake) / "0001-0.parquet"), str(folder(lake) / "0002-0.parquet")]
