"""The data of the flow as Airflow assets, so that the asset graph shows who makes what from what.

The URI of each is its folder below the data root, its group the part of the root.
"""

from typing import Final

from airflow.sdk import Asset

RAW, LIVE, LAKE = "raw", "live", "lake"

RAW_OPEN_NOTIFY: Final = Asset("raw_open_notify", "raw/open_notify", group=RAW)
LIVE_POSITIONS: Final = Asset("live_positions", "live/positions", group=LIVE)
LIVE_WINDOW_STATS: Final = Asset("live_window_stats", "live/window_stats", group=LIVE)
POSITIONS: Final = Asset("positions", "lake/positions", group=LAKE)
WINDOW_STATS: Final = Asset("window_stats", "lake/window_stats", group=LAKE)
RAW_OEM: Final = Asset("raw_oem", "raw/oem", group=RAW)
OEM_ISSUES: Final = Asset("oem_issues", "lake/oem_issues", group=LAKE)
STATE_VECTORS: Final = Asset("state_vectors", "lake/state_vectors", group=LAKE)
TRAJECTORY_EVENTS: Final = Asset("trajectory_events", "lake/trajectory_events", group=LAKE)
THRUST_EPISODES: Final = Asset("thrust_episodes", "lake/thrust_episodes", group=LAKE)
OEM_COVARIANCES: Final = Asset("oem_covariances", "lake/oem_covariances", group=LAKE)
