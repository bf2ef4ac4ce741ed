"""A task of audit_positions: the form decides what is made, the run says what was, the asset gets an event for news."""

from types import SimpleNamespace

import pytest

from orbitlake.lake.derived import Published
from orbitlake.orchestration.assets import TRAJECTORY
from orbitlake.orchestration.audits import bring_up_to_date


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
