"""The SQL behind every panel, exactly as it runs and as the page shows it: any of it can be pasted into DuckDB."""

# ruff: noqa: S608 - values pass through `literal`, numbers through the format d; names are ours

from datetime import UTC, date, datetime, timedelta
from typing import Final

EARTH_RADIUS_KM: Final = 6378.137
"""Equatorial radius of WGS-84: a semi-major axis less this is the mean altitude that the burns are listed with."""
FIX_STALE_AFTER_S: Final = 25
"""A fix reaches the page within 15 s of its time while all is well."""
MINUTE_SETTLES_S: Final = 15
"""By then the last fix of a minute has been published: until then its statistics are those of a part."""
ORBIT_MINUTES: Final = 93
"""About one orbit of the ISS: a bin this long holds one highest and one lowest point."""
WHOLE_ORBIT: Final = 0.95
"""Share of a bin that states must cover: the mean of a shorter stretch is not that of the orbit."""
TRACK_MARGIN: Final = timedelta(minutes=20)
"""States beyond both ends of a ground track, so that its first and last point lie between states too."""


def literal(value: str | date | datetime) -> str:
    """Return a value as SQL; nothing else turns what a request asked for into SQL."""
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.astimezone(UTC).isoformat(sep=' ', timespec='milliseconds')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return "'" + value.replace("'", "''") + "'"


def of_issue(object_id: str, issue: str | None) -> str:
    """The condition that keeps one issue: that of a value such as 20230324T225531Z, or the newest."""
    owner = f"object_id = {literal(object_id)}"
    if issue is not None:
        return f"{owner}\n  AND issue = {literal(issue)}"
    return f"{owner}\n  AND issue = (SELECT max(issue) FROM oem_issues WHERE {owner})"


def latest_fix(object_id: str, now: datetime, since: date) -> str:
    """The newest fix since a day."""
    return f"""\
SELECT source, event_time, fetch_time, latitude_deg, longitude_deg, altitude_km, velocity_km_s, orbit_phase,
       hemisphere_ns, hemisphere_ew, distance_to_paris_km,
       epoch({literal(now)} - event_time) AS age_s
FROM positions
WHERE object_id = {literal(object_id)} AND date >= {literal(since)}
ORDER BY event_time DESC, fetch_time DESC NULLS LAST, latitude_deg, longitude_deg
LIMIT 1"""


def fixes(object_id: str, now: datetime, hours: int, limit: int, offset: int) -> str:
    """The fixes of the last hours, newest first."""
    start = now - timedelta(hours=hours)
    return f"""\
SELECT source, event_time, latitude_deg, longitude_deg, velocity_km_s, orbit_phase
FROM positions
WHERE object_id = {literal(object_id)} AND date >= {literal(start.date())}
  AND event_time > {literal(start)} AND event_time <= {literal(now)}
ORDER BY event_time DESC, source, latitude_deg, longitude_deg
LIMIT {limit:d} OFFSET {offset:d}"""


def windows(object_id: str, now: datetime, hours: int, limit: int, offset: int) -> str:
    """The minutes of the last hours, newest first."""
    start = now - timedelta(hours=hours)
    return f"""\
SELECT source, window_start, window_end, data_points, avg_velocity_km_s, min_velocity_km_s, max_velocity_km_s,
       velocity_stddev_km_s, ground_speed_km_s, last_event_time,
       epoch({literal(now)} - window_end) < {MINUTE_SETTLES_S} AS is_filling
FROM window_stats
WHERE object_id = {literal(object_id)} AND date >= {literal(start.date())}
  AND window_start > {literal(start)} AND window_start <= {literal(now)}
ORDER BY window_start DESC, source
LIMIT {limit:d} OFFSET {offset:d}"""


def day_fixes(object_id: str, day: date, now: datetime) -> str:
    """The first fix of each minute of a UTC day, of each source: enough to draw where the day's track ran."""
    return f"""\
SELECT source, event_time, latitude_deg, longitude_deg
FROM positions
WHERE object_id = {literal(object_id)} AND date = {literal(day)} AND event_time <= {literal(now)}
QUALIFY row_number() OVER (
  PARTITION BY source, epoch_us(event_time) // 60000000 ORDER BY event_time, latitude_deg, longitude_deg
) = 1
ORDER BY event_time, source
LIMIT 5000"""


def days(object_id: str, now: datetime, count: int) -> str:
    """The last days from the first with a fix on, those without one too, newest first."""
    first = now.date() - timedelta(days=count - 1)
    # Whole microseconds: DuckDB subtracts and cuts times with a zone by the calendar, seven times as slowly.
    return f"""\
WITH fixes AS (
  SELECT date, event_time, epoch_us(event_time) AS time_us, epoch_us(fetch_time) - time_us AS delay_us,
         time_us - lag(time_us) OVER (PARTITION BY date ORDER BY time_us) AS gap_us
  FROM positions
  WHERE object_id = {literal(object_id)} AND date >= {literal(first)} AND event_time <= {literal(now)}
), seen AS (
  SELECT date, count(*) AS fixes, min(event_time) AS first_event_time, max(event_time) AS last_event_time,
         count(DISTINCT time_us // 60000000) AS minutes_seen,
         max(gap_us) / 1e6 AS longest_between_s, median(delay_us) / 1e6 AS median_delay_s
  FROM fixes
  GROUP BY date
), calendar AS (
  SELECT CAST(day AS DATE) AS date, CAST(day AS TIMESTAMPTZ) AS midnight,
         least(86400, epoch({literal(now)} - midnight)) AS length_s, ceil(length_s / 60) AS minutes
  FROM generate_series((SELECT min(date) FROM seen), {literal(now.date())}, INTERVAL 1 DAY) AS series(day)
)
SELECT date, coalesce(fixes, 0) AS fixes, first_event_time, last_event_time, coalesce(minutes_seen, 0) AS minutes_seen,
       least(1, coalesce(minutes_seen, 0) / greatest(1, minutes)) AS completeness,
       coalesce(greatest(longest_between_s, epoch(first_event_time - midnight),
                         length_s - epoch(last_event_time - midnight)), length_s) AS longest_gap_s,
       median_delay_s
FROM calendar LEFT JOIN seen USING (date)
ORDER BY date DESC"""


def freshness(object_id: str, now: datetime, since: date) -> str:
    """The newest time of each table."""
    mine = f"object_id = {literal(object_id)}"
    return f"""\
WITH newest AS (
  SELECT 'positions' AS table_name, max(event_time) AS newest
  FROM positions WHERE {mine} AND date >= {literal(since)}
  UNION ALL
  SELECT 'window_stats', max(last_event_time)
  FROM window_stats WHERE {mine} AND date >= {literal(since)}
  UNION ALL
  SELECT 'oem_issues', max(creation_date)
  FROM oem_issues WHERE {mine}
)
SELECT table_name, newest, epoch({literal(now)} - newest) AS age_s
FROM newest"""


def issues(object_id: str, now: datetime, limit: int, offset: int) -> str:
    """The facts of the issues, newest first."""
    return f"""\
SELECT creation_date, object_id, object_name, originator, oem_version, file_format, center_name, ref_frame, time_system,
       start_time, useable_start_time, useable_stop_time, stop_time, mass_kg, drag_area_m2, drag_coefficient,
       solar_rad_area_m2, solar_rad_coefficient, first_node_time, first_node_orbit, last_node_time, last_node_orbit,
       segment_count, state_count, content_sha256, retrieved_at,
       issue,
       epoch({literal(now)} - creation_date) AS age_s
FROM oem_issues
WHERE object_id = {literal(object_id)}
ORDER BY creation_date DESC
LIMIT {limit:d} OFFSET {offset:d}"""


def burns(object_id: str, issue: str | None, limit: int, offset: int) -> str:
    """The thrust episodes of an issue in time order, with mean altitudes."""
    return f"""\
SELECT thrust_episode, manoeuvre, ignition_time, cutoff_time, duration_s, delta_v_m_s, delta_v_radial_m_s,
       delta_v_intrack_m_s, delta_v_crosstrack_m_s, mean_acceleration_mm_s2, event_names, event_delta_v_m_s,
       semi_major_axis_before_km - {EARTH_RADIUS_KM} AS mean_altitude_before_km,
       semi_major_axis_after_km - {EARTH_RADIUS_KM} AS mean_altitude_after_km,
       semi_major_axis_after_km - semi_major_axis_before_km AS rise_km
FROM thrust_episodes
WHERE {of_issue(object_id, issue)}
ORDER BY ignition_time
LIMIT {limit:d} OFFSET {offset:d}"""


def altitude(object_id: str, issue: str | None) -> str:
    """Lowest, mean over time and highest altitude of an issue's states, a bin of about an orbit a row."""
    return f"""\
SELECT time_bucket(INTERVAL '{ORBIT_MINUTES} minutes', epoch) AS orbit_start, min(altitude_km) AS lowest_km,
       sum(altitude_km * step_s) / sum(step_s) AS mean_km, max(altitude_km) AS highest_km, count(*) AS states
FROM state_vectors
WHERE {of_issue(object_id, issue)}
  AND altitude_km IS NOT NULL AND step_s IS NOT NULL
GROUP BY orbit_start
HAVING sum(step_s) > {WHOLE_ORBIT} * {ORBIT_MINUTES} * 60
ORDER BY orbit_start
LIMIT 2000"""


def track_states(object_id: str, start: datetime, stop: datetime) -> str:
    """The newest issue's states around a span; where a burn begins or ends; the frame, and when the issue is usable."""
    return f"""\
WITH edges AS (
  SELECT unnest([ignition_time, cutoff_time]) AS epoch
  FROM thrust_episodes
  WHERE {of_issue(object_id, None)}
)
SELECT segment, epoch, x_km, y_km, z_km, vx_km_s, vy_km_s, vz_km_s, epoch IN (SELECT epoch FROM edges) AS burn_edge,
       ref_frame, creation_date,
       coalesce(useable_start_time, start_time) AS useable_from, coalesce(useable_stop_time, stop_time) AS useable_until
FROM state_vectors JOIN oem_issues USING (object_id, issue, creation_date)
WHERE {of_issue(object_id, None)}
  AND latitude_deg IS NOT NULL
  AND epoch BETWEEN {literal(start - TRACK_MARGIN)} AND {literal(stop + TRACK_MARGIN)}
ORDER BY segment, epoch"""
