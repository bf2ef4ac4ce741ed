"""What a demo ends with: first what a person wants to know and where to look, then a glance at each table."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from orbitlake.query import Connection
from orbitlake.settings import CHECKOUT

WIDTH: Final = 120
"""Columns of a terminal that everybody has."""
ROWS_SHOWN: Final = 3
GLANCES: Final = {
    "positions": "event_time, latitude_deg, longitude_deg, velocity_km_s, orbit_phase, distance_to_paris_km",
    "window_stats": "window_start, data_points, avg_velocity_km_s, min_velocity_km_s, max_velocity_km_s",
    "oem_issues": "object_id, creation_date, start_time, stop_time, state_count",
    "oem_segments": "object_id, creation_date, segment, center_name, ref_frame, time_system, state_count",
    "state_vectors": "epoch, x_km, y_km, z_km, altitude_km, on_thrust",
    "trajectory_events": "event_name, ignition_time, delta_v_m_s, apogee_height_km, perigee_height_km",
    "thrust_episodes": "ignition_time, cutoff_time, delta_v_m_s, event_delta_v_m_s, event_names",
    "oem_covariances": "object_id, creation_date, epoch, cov_ref_frame",
    "trajectory": "epoch, x_km, y_km, z_km, altitude_km, is_powered",
    "prediction_error": "creation_date, later_creation_date, lead_s, total_km, in_track_s, burn_between",
    "prediction_error_summary": "object_id, burn_between, lead_from_s, lead_to_s, n, p50_km, p90_km, p99_km",
    "prediction_bands": "known_from, burn_between, lead_s, n, p50_km, p90_km",
    "burn_history": "creation_date, status, told_by, ignition_time, delta_v_m_s, event_name",
    "position_audit": "event_time, error_km, along_track_km, cross_track_km, bound_km, verdict",
    "coverage": "hour_start, interval_s, polls_expected, polls_answered, completeness",
    "gaps": "start_time, end_time, duration_s, cause",
    "positions_filled": "event_time, latitude_deg, longitude_deg, creation_date, age_s",
    "passes": "site, rise_time, max_elevation_deg, visible_from, magnitude, time_p90_s, status",
    "approaches": "point, closest_time, distance_km, time_p90_s, revision, status",
}
"""The columns that matter of each table, few enough for WIDTH."""
NEWEST_FIRST: Final = {
    "positions": "event_time",
    "window_stats": "window_start",
    "state_vectors": "epoch",
    "trajectory": "epoch",
    "position_audit": "event_time",
    "coverage": "hour_start",
    "gaps": "start_time",
    "positions_filled": "event_time",
}
CLOSED_DAY: Final = """
SELECT (SELECT count(*) FROM positions WHERE date = $day), count(*), coalesce(count(*) / 1440, 0)
FROM window_stats WHERE date = $day"""
NOW: Final = """
SELECT count(*), max(event_time), date_diff('second', max(event_time), current_timestamp) FROM positions
WHERE date = (current_timestamp AT TIME ZONE 'UTC')::DATE"""
BURNS: Final = """
SELECT strftime(ignition_time, '%Y-%m-%d %H:%M:%S'), delta_v_m_s, duration_s, event_names, event_delta_v_m_s
FROM thrust_episodes ORDER BY ignition_time"""
SAMPLE: Final = (
    "SELECT hemisphere_ns, orbit_phase, count(*) AS fixes, round(avg(velocity_km_s), 3) AS mean_velocity_km_s, "
    "round(min(distance_to_paris_km)) AS nearest_to_paris_km FROM positions GROUP BY ALL ORDER BY ALL"
)


def headlines(tables: Connection, day: date) -> Iterator[str]:
    """Yield the story of a demo in a few lines: the closed day, today, the burns."""
    fixes, minutes, part = rows(tables, CLOSED_DAY, day=day)[0]
    yield f"closed   {day}: {fixes:,} fixes in {minutes:,} minutes, {part:.1%} of the day"
    today, newest, age_s = rows(tables, NOW)[0]
    if today:
        yield f"today    {today:,} fixes, the newest of {newest:%H:%M:%S} UTC, {age_s} s old"
    burns = rows(tables, BURNS)
    for nth, (ignition, delta_v, duration_s, names, planned) in enumerate(burns):
        size = "of unknown size" if delta_v is None else f"of {delta_v:.2f} m/s in {duration_s / 60:.1f} min"
        plan = "" if planned is None else f", planned {planned:.2f} m/s: {', '.join(names)}"
        yield f"{'burns' if nth == 0 else '':8} {ignition} UTC, {size}{plan}"
    if not burns:
        yield "burns    none in this issue"


def places(data: Path, airflow_url: str, spark_url: str, password: str, dags: Sequence[str]) -> Iterator[str]:
    """Yield where to look, while everything runs; `dags` are those that are not paused."""
    yield f"look     {airflow_url}/plugin/position  the position page, inside Airflow"
    yield f"         {airflow_url}  Airflow: user admin, password {password}"
    yield f"         {spark_url}  Spark's master"
    yield f"DAGs     at work: {', '.join(dags)}"
    watched = (
        "watch_freshness raises an alert where data stop arriving"
        if "watch_freshness" in dags
        else ("watch_freshness is paused: nobody is told where data stop arriving")
    )
    yield f"         {watched}"
    yield f"tables   {data}"


def glances(tables: Connection) -> Iterator[tuple[str, Any]]:
    """Yield a heading and a few rows of each table, of the columns that matter."""
    for name, columns in GLANCES.items():
        count = rows(tables, f"SELECT count(*) FROM {name}")[0][0]  # noqa: S608 - names of our own
        order = f" ORDER BY {NEWEST_FIRST[name]} DESC" if name in NEWEST_FIRST else ""
        yield f"{name}: {count:,} rows", tables.sql(f"SELECT {columns} FROM {name}{order} LIMIT {ROWS_SHOWN}")  # noqa: S608


def command(data: Path) -> str:
    """Return a query as a person runs it in the checkout."""
    python = Path(sys.executable)
    shown = python.relative_to(CHECKOUT) if python.is_relative_to(CHECKOUT) else python
    settings = "" if data == CHECKOUT / "data" else f"ORBITLAKE_DATA={shlex.quote(str(data))} "
    code = f"from orbitlake.query import connect; connect().sql('''{SAMPLE}''').show()"
    return f'{settings}PYTHONPATH=plugins {shlex.quote(str(shown))} -c "{code}"'


def rows(tables: Connection, sql: str, **values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query; a file that is replaced while it is read is simply read again."""
    found: list[tuple[Any, ...]] = tables.execute(sql, values or None).fetchall()
    return found
