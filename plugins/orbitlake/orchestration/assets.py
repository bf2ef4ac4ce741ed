"""The data of the flow as Airflow assets, so that the asset graph shows who makes what from what.

The URI of each is its folder below the data root, its group the part of the root. Its extra says what one row is, where
the files lie and where the columns stand; an event says how many rows were written, and exists only where some were.
"""

from typing import Final

from airflow.sdk import Asset

RAW, LIVE, LAKE = "raw", "live", "lake"
PART: Final = "part-0.parquet"
DICTIONARY: Final = "docs/tables.md#{table}"
POSITIONS_ROW: Final = "One row a distinct fix of a live position feed."
WINDOW_STATS_ROW: Final = "One row an object, source and UTC minute with at least one fix."


def described(name: str, folder: str, group: str, row: str, files: str, table: str | None) -> Asset:
    """Return an asset that says what it holds; `files` are relative to the folder, `table` names its columns."""
    columns = {"columns": DICTIONARY.format(table=table)} if table else {}
    return Asset(name, folder, group=group, extra={"description": row, "path": f"{folder}/{files}", **columns})


def day_files(table: str, row: str, root: str, files: str) -> Asset:
    """Return the asset of a table of positions below `live` or `lake`."""
    name = table if root == LAKE else f"{root}_{table}"
    return described(name, f"{root}/{table}", root, row, f"date=YYYY-MM-DD/{files}", table)


def object_files(table: str, row: str, files: str) -> Asset:
    """Return the asset of a table that is made of the ephemeris; `files` are relative to the folder of an object."""
    return described(table, f"lake/{table}", LAKE, row, f"object_id=.../{files}", table)


def issue_files(table: str, row: str) -> Asset:
    """Return the asset of a table of the ephemeris."""
    return described(table, f"lake/{table}", LAKE, row, "object_id=.../issue=.../part-0.parquet", table)


RAW_OPEN_NOTIFY: Final = described(
    "raw_open_notify",
    "raw/open_notify",
    RAW,
    "One JSON record a poll of a position feed, failed polls included.",
    "date=YYYY-MM-DD/",
    None,
)
COVERAGE: Final = day_files(
    "coverage", "One row an object, source and UTC hour in which polls of the feed were made or due.", LAKE, PART
)
GAPS: Final = day_files(
    "gaps", "One row a gap: a span longer than three polling intervals without a new fix of the feed.", LAKE, PART
)
POSITION_AUDIT: Final = day_files(
    "position_audit",
    "One row a fix of a feed that an issue covers: how far the feed is off the ephemeris, and what that means.",
    LAKE,
    PART,
)
POSITIONS_FILLED: Final = day_files(
    "positions_filled",
    "One row a poll that a gap has room for, where an ephemeris tells the position: never a row of positions.",
    LAKE,
    PART,
)
LIVE_POSITIONS: Final = day_files("positions", POSITIONS_ROW, LIVE, "*.parquet")
LIVE_WINDOW_STATS: Final = day_files("window_stats", WINDOW_STATS_ROW, LIVE, "*.parquet")
POSITIONS: Final = day_files("positions", POSITIONS_ROW, LAKE, "part-*.parquet")
WINDOW_STATS: Final = day_files("window_stats", WINDOW_STATS_ROW, LAKE, "part-*.parquet")
RAW_OEM: Final = described(
    "raw_oem", "raw/oem", RAW, "Every distinct ephemeris file, byte for byte, gzipped.", "<object>/*.gz", None
)
OEM_ISSUES: Final = issue_files(
    "oem_issues", "One row an issue of an ephemeris: the header, metadata and comment facts of its file."
)
OEM_SEGMENTS: Final = issue_files(
    "oem_segments",
    "One row a segment of an ephemeris, with its own centre, frame, time system, spans and interpolation.",
)
STATE_VECTORS: Final = issue_files("state_vectors", "One row a state of an ephemeris, in the frame of its segment.")
TRAJECTORY_EVENTS: Final = issue_files(
    "trajectory_events", "One row an event of the issue's trajectory event summary: the plan at its creation."
)
THRUST_EPISODES: Final = issue_files(
    "thrust_episodes",
    "One row a burn as the ephemeris flies it: motion that gravity does not explain, at any cadence of states.",
)
OEM_COVARIANCES: Final = issue_files(
    "oem_covariances", "One row a covariance matrix of an ephemeris: its lower triangle, as published."
)
OEM_TABLES: Final = [OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, TRAJECTORY_EVENTS, THRUST_EPISODES, OEM_COVARIANCES]
TRAJECTORY: Final = object_files(
    "trajectory",
    "One row a state of the best known path: of the issue created last among those that cover its epoch.",
    "date=YYYY-MM-DD/part-0.parquet",
)
PREDICTION_ERROR: Final = object_files(
    "prediction_error",
    "One row an issue pair and whole hour of lead: what one predicted against what the later saw flown.",
    "issue=.../part-0.parquet",
)
PREDICTION_ERROR_SUMMARY: Final = object_files(
    "prediction_error_summary",
    "One row a range of lead, with or without burns: how far predictions were off, by percentiles over pairs.",
    "part-0.parquet",
)
PREDICTION_BANDS: Final = object_files(
    "prediction_bands",
    "One row a lead, with or without burns, and state of knowledge: what half and nine tenths of the errors of "
    "predictions keep to.",
    "part-0.parquet",
)
PASSES: Final = object_files(
    "passes",
    "One row a pass of an object over a site: when and where it is seen, and how sure that is.",
    "site=.../part-0.parquet",
)
APPROACHES: Final = object_files(
    "approaches",
    "One row an approach of an object's ground track to a point: from when to when, and how near.",
    "point=.../part-0.parquet",
)
BURN_HISTORY: Final = object_files(
    "burn_history",
    "One row a revision of a physical burn: what an issue says of it that is news against the issues before.",
    "part-0.parquet",
)
LAKE_TABLES: Final = [
    *(POSITIONS, WINDOW_STATS, *OEM_TABLES),
    *(TRAJECTORY, PREDICTION_ERROR, PREDICTION_ERROR_SUMMARY, PREDICTION_BANDS, BURN_HISTORY),
    *(COVERAGE, GAPS, POSITIONS_FILLED, POSITION_AUDIT, PASSES, APPROACHES),
]
"""Every table with closed partitions."""
