"""Issues as the audits see them, without a lake: of files that were read, and of burns that a test states."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from orbitlake.lake.paths import issue_name
from orbitlake.oem import Issue as ReadIssue
from orbitlake.tables import (
    OEM_ISSUES,
    OEM_SEGMENTS,
    STATE_VECTORS,
    THRUST_EPISODES,
    TRAJECTORY_EVENTS,
    Table,
)
from orbitlake.trajectory.issues import Issue, Issues

ISS = "1998-067A"


def audited(*issues: ReadIssue) -> Issues:
    """Return issues read from files as the audits see them."""
    return Issues(ISS, [of_tables(tables_of(issue)) for issue in issues])


def tables_of(issue: ReadIssue) -> dict[str, pa.Table]:
    """Return the rows of an issue by the names of their tables."""
    return {
        OEM_ISSUES.name: issue.row(source_url=None, retrieved_at=None, raw_path=None),
        OEM_SEGMENTS.name: issue.segment_table,
        STATE_VECTORS.name: issue.states,
        THRUST_EPISODES.name: issue.episodes,
        TRAJECTORY_EVENTS.name: issue.events,
    }


def of_tables(tables: dict[str, pa.Table]) -> Issue:
    """Return one issue by its tables."""
    (created,) = set(tables[OEM_SEGMENTS.name].column("creation_date").to_pylist())

    def rows(table: Table) -> pa.Table:
        return tables[table.name]

    return Issue(issue_name(created), rows)


def at(text: str) -> datetime:
    """Return an instant of April 2023, such as 17T23:02."""
    return datetime.fromisoformat(f"2023-04-{text}").replace(tzinfo=UTC)


def telling(
    created: str,
    *burns: tuple[str, float, str | None],
    start: str | None = None,
    days: float = 15.0,
    raised_km: float | None = 2.0,
    events: Sequence[tuple[str, float, str]] = (),
    least_burn_m_s: float | None = 0.1,
) -> Issue:
    """Return an issue whose states fly burns of twelve minutes: ignition, delta-v (m/s) and the name of its event.

    It begins half a day before its creation. `events` are those that no state flies.
    """
    creation_date = at(created)
    first = at(start) if start else creation_date - timedelta(hours=12)
    last = first + timedelta(days=days)
    whose = {"object_id": ISS, "creation_date": creation_date}
    segment = whose | {
        "segment": 0,
        "object_name": "ISS",
        "center_name": "EARTH",
        "ref_frame": "EME2000",
        "time_system": "UTC",
        **dict.fromkeys(("start_time", "first_epoch"), first),
        **dict.fromkeys(("stop_time", "last_epoch"), last),
        "state_count": 2,
        "covariance_count": 0,
        "least_burn_m_s": least_burn_m_s,
    }
    episodes = [
        whose
        | {
            "thrust_episode": 1,
            "ignition_time": at(ignition),
            "cutoff_time": at(ignition) + timedelta(minutes=12),
            "duration_s": 720.0,
            "ignition_sigma_s": 0.0,
            "cutoff_sigma_s": 0.0,
            "two_second_rows": 360,
            "powered_steps": 360,
            "delta_v_m_s": delta_v_m_s,
            "semi_major_axis_before_km": 6790.0,
            "semi_major_axis_after_km": None if raised_km is None else 6790.0 + raised_km,
            "event_names": [name] if name else [],
            "event_delta_v_m_s": delta_v_m_s if name else None,
            "manoeuvre": number,
        }
        for number, (ignition, delta_v_m_s, name) in enumerate(burns, 1)
    ]
    planned: list[dict[str, Any]] = [
        whose | {"event_name": name, "ignition_time": at(ignition), "delta_v_m_s": delta_v_m_s, "is_burn": True}
        for ignition, delta_v_m_s, name in [*(burn for burn in burns if burn[2]), *events]
    ]
    return of_tables(
        {
            OEM_SEGMENTS.name: pa.Table.from_pylist([segment], schema=OEM_SEGMENTS.schema),
            THRUST_EPISODES.name: pa.Table.from_pylist(episodes, schema=THRUST_EPISODES.schema),
            TRAJECTORY_EVENTS.name: pa.Table.from_pylist(planned, schema=TRAJECTORY_EVENTS.schema),
        }
    )
