"""A task of audit_positions: the form decides what is made, the run says what was, the asset gets an event for news."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pyarrow as pa
import pytest

from orbitlake import audit
from orbitlake.alerts import standing
from orbitlake.lake import Lake
from orbitlake.lake.derived import Published, publish_news
from orbitlake.lake.locks import lock_file
from orbitlake.orchestration.assets import COVERAGE, GAPS, POSITION_AUDIT, TRAJECTORY
from orbitlake.orchestration.audits import bring_up_to_date, compare_live, compare_the_feeds
from orbitlake.tables import POSITION_AUDIT as POSITION_AUDIT_TABLE


@pytest.mark.parametrize(
    ("scope", "published", "sentence", "events"),
    [
        ("changed", Published("trajectory", 2, 5, 0, 700), "trajectory: 2 files written with 700 rows", 1),
        ("everything", Published("trajectory", 0, 7), "trajectory: nothing new", 0),
        (
            "changed",
            Published("trajectory", 1, 0, 3, 1),
            "trajectory: 1 file written with 1 row, 3 files removed",
            True,
        ),
    ],
)
def test_a_table_is_brought_up_to_date_and_told_of(tmp_path, monkeypatch, scope, published, sentence, events):
    monkeypatch.setenv("ORBITLAKE_DATA", str(tmp_path))
    pushed, asked = {}, []
    context = {
        "params": {"scope": scope},
        "ti": SimpleNamespace(xcom_push=pushed.__setitem__),
        "task": SimpleNamespace(outlets=[TRAJECTORY]),
        "outlet_events": {TRAJECTORY: SimpleNamespace(extra={})},
    }

    def update(lake, *, everything):
        asked.append((lake.root, everything))
        return published

    result = bring_up_to_date(update, TRAJECTORY, context)

    assert asked == [(tmp_path, scope == "everything")]
    assert result["rows_written"] == published.rows_written
    assert pushed == {"outcome": sentence}
    assert context["task"].outlets == [TRAJECTORY] * events


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LIVE = {"coverage": COVERAGE, "gaps": GAPS, "position_audit": POSITION_AUDIT}


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Lake:
    """A lake of the settings whose feed is stale by its newest fix; its tables are not made again."""
    monkeypatch.setenv("ORBITLAKE_DATA", str(tmp_path))
    monkeypatch.setenv("ORBITLAKE_ALERTS", "log")
    lake = Lake(tmp_path)
    row = {"object_id": "1998-067A", "source": "open_notify", "event_time": NOON, "creation_date": NOON}
    row |= {"latitude_deg": 1.0, "longitude_deg": 2.0, "verdict": "STALE"}
    row |= {"error_km": 212.0, "along_track_km": 212.0, "cross_track_km": 1.0, "along_track_s": 29.4, "bound_km": 21.0}
    rows = pa.Table.from_pylist([row], schema=POSITION_AUDIT_TABLE.schema)
    publish_news(lake, POSITION_AUDIT_TABLE, rows, lake.day(POSITION_AUDIT_TABLE, NOON.date()))
    made = Published("position_audit", written=1, rows_written=1)
    monkeypatch.setattr(
        audit, "update", lambda _: (Published("coverage"), Published("gaps", written=1, rows_written=3))
    )
    monkeypatch.setattr(audit, "update_position_audit", lambda _, **__: made)
    return lake


def context_of(*outlets) -> dict:
    return {
        "params": {"scope": "changed"},
        "ti": SimpleNamespace(xcom_push=lambda *_: None),
        "task": SimpleNamespace(outlets=list(outlets)),
        "outlet_events": {outlet: SimpleNamespace(extra={}) for outlet in outlets},
    }


def test_a_feed_that_is_wrong_raises_its_alert_once_across_tries(lake, caplog):
    for _ in range(2):
        result = compare_the_feeds(POSITION_AUDIT, context_of(POSITION_AUDIT))

    assert result["rows_written"] == 1
    (alert,) = standing(lake)
    assert alert.name == "audit-stale-open_notify-1998-067A"
    assert "212 km (29 s) ahead along the track" in alert.text
    assert [record.message for record in caplog.records if record.message.startswith("ALERT")] == [
        f"ALERT {alert.name}: {alert.text}"
    ]


def test_the_watch_keeps_the_audit_up_to_the_minute_and_announces_what_it_wrote(lake):
    context = context_of(*LIVE.values())
    compare_live(LIVE, context)

    assert context["task"].outlets == [GAPS, POSITION_AUDIT]
    assert len(standing(lake)) == 1


def test_while_the_audit_is_at_work_the_watch_leaves_it_to_it_and_tells_what_is_known(lake, monkeypatch):
    monkeypatch.setattr(audit, "update_position_audit", lambda *_: pytest.fail("two at once"))
    context = context_of(*LIVE.values())
    with lock_file(lake.checkpoints / "audit_positions" / "position_audit.lock"):
        compare_live(LIVE, context)

    assert context["task"].outlets == []
    assert len(standing(lake)) == 1
