"""The data of the flow as Airflow assets, so that the asset graph shows who makes what from what."""

from typing import Final

from airflow.sdk import Asset

RAW_OPEN_NOTIFY: Final = Asset("raw_open_notify")
LIVE_POSITIONS: Final = Asset("live_positions")
LIVE_WINDOW_STATS: Final = Asset("live_window_stats")
POSITIONS: Final = Asset("positions")
WINDOW_STATS: Final = Asset("window_stats")
RAW_OEM: Final = Asset("raw_oem")
OEM_ISSUES: Final = Asset("oem_issues")
STATE_VECTORS: Final = Asset("state_vectors")
TRAJECTORY_EVENTS: Final = Asset("trajectory_events")
THRUST_EPISODES: Final = Asset("thrust_episodes")
OEM_COVARIANCES: Final = Asset("oem_covariances")
