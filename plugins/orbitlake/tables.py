"""The map: every table, its columns, units and meaning. Schemas in code, files and docs come from here."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import pyarrow as pa

TIME_SCALE: Final = "UTC"
UTC_MICROSECONDS: Final = pa.timestamp("us", tz=TIME_SCALE)
TAI_MICROSECONDS: Final = pa.timestamp("us")
"""Of a clock of TAI. Without a zone: a reader that knows zones would take it for UTC."""
TEXT: Final = pa.string()
LABEL: Final = pa.dictionary(pa.int32(), pa.string())
"""A string that is also a folder's key: pandas reads a folder only where the file's type is the folder's."""
REAL: Final = pa.float64()
COUNT: Final = pa.int64()
SMALL: Final = pa.int32()
FLAG: Final = pa.bool_()
TEXTS: Final = pa.list_(pa.field("element", pa.string()))
"""A list of string whose inner field bears the name that the Parquet format prescribes, as Spark writes it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its Arrow type, unit (None where it has none) and meaning; `required` columns hold no null.

    `decimals` is what a derived number is rounded to (see digits.py); None for what a file or feed printed.
    """

    name: str
    type: pa.DataType
    meaning: str
    unit: str | None = None
    required: bool = False
    decimals: int | None = None


# The digits of derived columns: far above the last bits, which are the processor's, and below what they can mean.
DEGREE_DECIMALS: Final = 8
"""1 mm on the ground: frames are good to centimetres."""
RADIAN_DECIMALS: Final = 10
"""1 mm in low orbit."""
KM_DECIMALS: Final = 6
"""1 mm."""
RADIUS_DECIMALS: Final = 9
"""1 um: a root is the same on every processor."""
AXIS_DECIMALS: Final = 4
"""10 cm: a mean semi-major axis is good to some 10 m."""
SECOND_DECIMALS: Final = 6
"""Of times, which are whole microseconds."""
SPEED_DECIMALS: Final = 7
"""0.1 mm/s: positions with four decimals, 11 m, stand 5 s apart."""
MEAN_SPEED_DECIMALS: Final = 6
"""One less than of the speeds that it sums up: a unit there is never more than one here."""
DELTA_V_DECIMALS: Final = 5
"""0.01 mm/s, where NASA prints 0.1 m/s."""
LEAST_BURN_DECIMALS: Final = 3
"""1 mm/s."""
SIGMA_DECIMALS: Final = 1
"""Of how far a time may be off, in seconds."""
ERROR_DECIMALS: Final = 3
"""1 m: percentiles of what is off by kilometres."""
ACCELERATION_DECIMALS: Final = 4
"""In mm/s^2: 0.1 um/s^2."""
RATIO_DECIMALS: Final = 6
"""One poll in a million: an hour has at most 3,600."""
ANGLE_DECIMALS: Final = 3
"""Of directions in the sky, in degrees: 10 m at 500 km."""
MAGNITUDE_DECIMALS: Final = 1
"""Estimates are off by half a magnitude and more."""
SHIFT_DECIMALS: Final = 3
"""Of times between moments that are whole milliseconds."""
INTERVAL_DECIMALS: Final = 3
"""Of intervals between polls, in seconds: latencies are kept to a microsecond, and clocks wait to a millisecond."""


@dataclass(frozen=True)
class Table:
    """One table: its columns in file order, the key that makes a row distinct, and the folders it is split into.

    `partition_by` names the keys of the folders below `lake/<name>/`; `sort_by` is the order of rows in a file.
    `version` rises whenever a column changes its name, type, unit or meaning, or the table its frame; its decimals may
    change without. `frame` says what coordinates are given in, where there are any. Every time with a zone is UTC; one
    without is TAI.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...]
    sort_by: tuple[str, ...]
    version: int = 1
    frame: str | None = None

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of a file, with version, meanings, units, time scale and frame as metadata."""
        fields = []
        for column in self.columns:
            metadata = {"description": column.meaning} | ({"unit": column.unit} if column.unit else {})
            metadata |= {"decimals": str(column.decimals)} if column.decimals is not None else {}
            if pa.types.is_timestamp(column.type):
                metadata["time_scale"] = TIME_SCALE if column.type.tz else "TAI"
            fields.append(pa.field(column.name, column.type, nullable=not column.required, metadata=metadata))
        return pa.schema(
            fields,
            metadata={
                "orbitlake.table": self.name,
                "orbitlake.version": str(self.version),
                "orbitlake.description": self.meaning,
                "orbitlake.time_scale": TIME_SCALE,
            }
            | ({"orbitlake.frame": self.frame} if self.frame else {}),
        )

    @cached_property
    def texts(self) -> list[str]:
        """The columns whose values repeat in any file: of text."""
        return [column.name for column in self.columns if column.type in (TEXT, LABEL)]

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def folder_keys(self) -> tuple[str, ...]:
        """The keys of its folders that its files do not hold as columns."""
        return tuple(key for key in self.partition_by if key not in self.column_names)


OBJECT_ID: Final = Column("object_id", TEXT, "international designator, such as 1998-067A", required=True)
ISSUE_OBJECT_ID: Final = Column(
    "object_id", LABEL, f"{OBJECT_ID.meaning}; any other OBJECT_ID as the file writes it", required=True
)
SOURCE: Final = Column("source", TEXT, "name of the feed that published the position", required=True)
CREATION_DATE: Final = Column(
    "creation_date", UTC_MICROSECONDS, "CREATION_DATE of the issue; with object_id its identity", "UTC", required=True
)

SEGMENT: Final = Column("segment", SMALL, "number of the segment in its file, from 0", required=True)
EPOCH_TAI: Final = Column(
    "epoch_tai",
    TAI_MICROSECONDS,
    "the epoch in TAI, a scale without leap seconds: differences are elapsed time; before 1972 UTC + 10 s",
    "TAI",
    required=True,
)

POSITIONS: Final = Table(
    name="positions",
    meaning="One row a distinct fix of a live position feed.",
    key=("object_id", "source", "event_time", "latitude_deg", "longitude_deg"),
    partition_by=("date",),
    sort_by=("object_id", "source", "event_time", "fetch_time", "latitude_deg", "longitude_deg"),
    frame="latitude and longitude as the feed gives them; speed and distance on a sphere of 6371 km",
    columns=(
        OBJECT_ID,
        SOURCE,
        Column("event_time", UTC_MICROSECONDS, "time that the feed gives for the position", "UTC", required=True),
        Column(
            "fetch_time", UTC_MICROSECONDS, "when the answer was first received; null where no zone was recorded", "UTC"
        ),
        Column("latitude_deg", REAL, "latitude as published", "deg", required=True),
        Column("longitude_deg", REAL, "longitude as published, east positive", "deg", required=True),
        Column("altitude_km", REAL, "altitude, only where the source publishes one", "km"),
        Column(
            "velocity_km_s",
            REAL,
            "great-circle speed on a sphere of 6371 km from the latest earlier fix; null without one within 120 s",
            "km/s",
            decimals=SPEED_DECIMALS,
        ),
        Column(
            "orbit_phase", TEXT, "ASCENDING or DESCENDING against that same fix, UNKNOWN without one", required=True
        ),
        Column("hemisphere_ns", TEXT, "North where latitude >= 0, else South", required=True),
        Column("hemisphere_ew", TEXT, "East where longitude >= 0, else West", required=True),
        Column(
            "distance_to_paris_km",
            REAL,
            "great-circle distance on a sphere of 6371 km to 48.8566 N 2.3522 E",
            "km",
            required=True,
            decimals=KM_DECIMALS,
        ),
    ),
)

WINDOW_STATS: Final = Table(
    name="window_stats",
    meaning="One row an object, source and UTC minute with at least one fix.",
    key=("object_id", "source", "window_start"),
    partition_by=("date",),
    sort_by=("object_id", "source", "window_start"),
    frame="latitude and longitude as the feed gives them; speed on a sphere of 6371 km",
    columns=(
        OBJECT_ID,
        SOURCE,
        Column("window_start", UTC_MICROSECONDS, "first instant of the minute", "UTC", required=True),
        Column("window_end", UTC_MICROSECONDS, "first instant after the minute", "UTC", required=True),
        Column("data_points", COUNT, "distinct fixes in the minute", required=True),
        Column("avg_latitude_deg", REAL, "arithmetic mean of latitude", "deg", required=True, decimals=DEGREE_DECIMALS),
        Column(
            "avg_longitude_deg",
            REAL,
            "circular mean of longitude, in [-180, 180]; null where undefined",
            "deg",
            decimals=DEGREE_DECIMALS,
        ),
        Column(
            "avg_velocity_km_s",
            REAL,
            "mean of the observed velocities; null without one",
            "km/s",
            decimals=MEAN_SPEED_DECIMALS,
        ),
        Column("max_velocity_km_s", REAL, "largest observed velocity", "km/s", decimals=SPEED_DECIMALS),
        Column("min_velocity_km_s", REAL, "smallest observed velocity", "km/s", decimals=SPEED_DECIMALS),
        Column(
            "velocity_stddev_km_s",
            REAL,
            "sample standard deviation of the velocities; null below two",
            "km/s",
            decimals=MEAN_SPEED_DECIMALS,
        ),
        Column(
            "ground_speed_km_s",
            REAL,
            "great-circle path through the fixes over the time from first to last; null where that time is 0",
            "km/s",
            decimals=SPEED_DECIMALS,
        ),
        Column("first_event_time", UTC_MICROSECONDS, "earliest fix of the minute", "UTC", required=True),
        Column("last_event_time", UTC_MICROSECONDS, "latest fix of the minute", "UTC", required=True),
    ),
)

OEM_ISSUES: Final = Table(
    name="oem_issues",
    meaning="One row an issue of an ephemeris: the header, metadata and comment facts of its file.",
    key=("object_id", "creation_date"),
    partition_by=("object_id", "issue"),
    sort_by=("object_id", "creation_date"),
    version=2,
    columns=(
        ISSUE_OBJECT_ID,
        CREATION_DATE,
        Column("object_name", TEXT, "OBJECT_NAME of the first segment", required=True),
        Column("originator", TEXT, "ORIGINATOR of the file", required=True),
        Column("message_id", TEXT, "MESSAGE_ID of the file"),
        Column("classification", TEXT, "CLASSIFICATION of the file"),
        Column("oem_version", TEXT, "version of the OEM format, such as 2.0", required=True),
        Column("file_format", TEXT, "KVN or XML", required=True),
        Column("center_name", TEXT, "CENTER_NAME of the first segment, in capitals", required=True),
        Column("ref_frame", TEXT, "REF_FRAME of the first segment, as published", required=True),
        Column("time_system", TEXT, "TIME_SYSTEM of the file; every time here is converted to UTC", required=True),
        Column("start_time", UTC_MICROSECONDS, "START_TIME, earliest of the segments", "UTC", required=True),
        Column("useable_start_time", UTC_MICROSECONDS, "USEABLE_START_TIME, earliest of the segments", "UTC"),
        Column("useable_stop_time", UTC_MICROSECONDS, "USEABLE_STOP_TIME, latest of the segments", "UTC"),
        Column("stop_time", UTC_MICROSECONDS, "STOP_TIME, latest of the segments", "UTC", required=True),
        Column("interpolation", TEXT, "INTERPOLATION method that the first segment recommends"),
        Column("interpolation_degree", SMALL, "INTERPOLATION_DEGREE that goes with it"),
        Column("mass_kg", REAL, "MASS of the comment block", "kg"),
        Column("drag_area_m2", REAL, "DRAG_AREA of the comment block", "m^2"),
        Column("drag_coefficient", REAL, "DRAG_COEFF of the comment block"),
        Column("solar_rad_area_m2", REAL, "SOLAR_RAD_AREA of the comment block", "m^2"),
        Column("solar_rad_coefficient", REAL, "SOLAR_RAD_COEFF of the comment block"),
        Column("first_node_time", UTC_MICROSECONDS, "epoch of the first ascending node", "UTC"),
        Column("first_node_orbit", COUNT, "orbit number at the first ascending node"),
        Column("first_node_longitude_deg", REAL, "longitude of the first ascending node, east positive", "deg"),
        Column("last_node_time", UTC_MICROSECONDS, "epoch of the last ascending node", "UTC"),
        Column("last_node_orbit", COUNT, "orbit number at the last ascending node"),
        Column("last_node_longitude_deg", REAL, "longitude of the last ascending node, east positive", "deg"),
        Column("comments", TEXTS, "every comment of the file, in order, without the keyword", required=True),
        Column("segment_count", SMALL, "segments in the file", required=True),
        Column("state_count", COUNT, "states in the file", required=True),
        Column("content_sha256", TEXT, "SHA-256 of the unpacked file as it arrived first", required=True),
        Column("source_url", TEXT, "where the file came from: a URL or a file name"),
        Column("retrieved_at", UTC_MICROSECONDS, "when it arrived", "UTC"),
        Column("raw_path", TEXT, "the archived file, relative to the data root"),
    ),
)

OEM_SEGMENTS: Final = Table(
    name="oem_segments",
    meaning="One row a segment of an ephemeris, with its own centre, frame, time system, spans and interpolation.",
    key=("object_id", "creation_date", "segment"),
    partition_by=("object_id", "issue"),
    sort_by=("object_id", "creation_date", "segment"),
    version=2,
    columns=(
        ISSUE_OBJECT_ID,
        CREATION_DATE,
        SEGMENT,
        Column("object_name", TEXT, "OBJECT_NAME, as published", required=True),
        Column("center_name", TEXT, "CENTER_NAME, in capitals", required=True),
        Column("ref_frame", TEXT, "REF_FRAME of the segment's states, as published", required=True),
        Column(
            "ref_frame_epoch",
            UTC_MICROSECONDS,
            "REF_FRAME_EPOCH: the axes are those of this moment; null without one, or before 1972 in other than UTC",
            "UTC",
        ),
        Column("time_system", TEXT, "TIME_SYSTEM of the segment; every time here is converted to UTC", required=True),
        Column("start_time", UTC_MICROSECONDS, "START_TIME", "UTC", required=True),
        Column("useable_start_time", UTC_MICROSECONDS, "USEABLE_START_TIME", "UTC"),
        Column("useable_stop_time", UTC_MICROSECONDS, "USEABLE_STOP_TIME", "UTC"),
        Column("stop_time", UTC_MICROSECONDS, "STOP_TIME", "UTC", required=True),
        Column("interpolation", TEXT, "INTERPOLATION method that the segment recommends"),
        Column("interpolation_degree", SMALL, "INTERPOLATION_DEGREE that goes with it"),
        Column("first_epoch", UTC_MICROSECONDS, "epoch of the segment's first state", "UTC", required=True),
        Column("last_epoch", UTC_MICROSECONDS, "epoch of its last state", "UTC", required=True),
        Column("state_count", COUNT, "states in the segment", required=True),
        Column("covariance_count", COUNT, "covariances in the segment", required=True),
        Column(
            "least_burn_m_s",
            REAL,
            "least change of velocity that would show as a burn, above what gravity's model and printed digits leave; "
            "null where no gravity is known or states are too few",
            "m/s",
            decimals=LEAST_BURN_DECIMALS,
        ),
    ),
)

STATE_VECTORS: Final = Table(
    name="state_vectors",
    meaning="One row a state of an ephemeris, in the frame of its segment.",
    key=("object_id", "creation_date", "segment", "epoch_tai"),
    partition_by=("object_id", "issue"),
    sort_by=("object_id", "creation_date", "segment", "epoch_tai"),
    version=2,
    frame="Cartesian and spherical columns in ref_frame of oem_segments; geodetic ones in ITRS on WGS-84",
    columns=(
        ISSUE_OBJECT_ID,
        CREATION_DATE,
        SEGMENT,
        Column(
            "epoch",
            UTC_MICROSECONDS,
            "epoch of the state; one within a leap second shows as the last microsecond before its end",
            "UTC",
            required=True,
        ),
        EPOCH_TAI,
        Column("x_km", REAL, "position x in the segment's frame", "km", required=True),
        Column("y_km", REAL, "position y in the segment's frame", "km", required=True),
        Column("z_km", REAL, "position z in the segment's frame", "km", required=True),
        Column("vx_km_s", REAL, "velocity x in the segment's frame", "km/s", required=True),
        Column("vy_km_s", REAL, "velocity y in the segment's frame", "km/s", required=True),
        Column("vz_km_s", REAL, "velocity z in the segment's frame", "km/s", required=True),
        Column("ax_km_s2", REAL, "acceleration x in the segment's frame, where the file has one", "km/s^2"),
        Column("ay_km_s2", REAL, "acceleration y in the segment's frame, where the file has one", "km/s^2"),
        Column("az_km_s2", REAL, "acceleration z in the segment's frame, where the file has one", "km/s^2"),
        Column("r_km", REAL, "radius in the segment's frame", "km", required=True, decimals=RADIUS_DECIMALS),
        Column("theta_rad", REAL, "polar angle arccos(z / r) in the segment's frame", "rad", decimals=RADIAN_DECIMALS),
        Column("phi_rad", REAL, "azimuth atan2(y, x) in the segment's frame", "rad", decimals=RADIAN_DECIMALS),
        Column(
            "latitude_deg",
            REAL,
            "geodetic latitude, WGS-84; null where centre or frame cannot be turned to ITRS",
            "deg",
            decimals=DEGREE_DECIMALS,
        ),
        Column(
            "longitude_deg",
            REAL,
            "geodetic longitude, WGS-84, east positive; null likewise",
            "deg",
            decimals=DEGREE_DECIMALS,
        ),
        Column("altitude_km", REAL, "height above the WGS-84 ellipsoid; null likewise", "km", decimals=KM_DECIMALS),
        Column(
            "useable",
            FLAG,
            "whether the epoch lies within the USEABLE span of its own segment; true where the segment names none",
            required=True,
        ),
        Column(
            "step_s",
            REAL,
            "time elapsed since the state before in the same segment; null for the first",
            "s",
            decimals=SECOND_DECIMALS,
        ),
        Column(
            "on_thrust",
            FLAG,
            "whether step_s is 2.000 s to the millisecond, a fact about cadence; powered flight is in thrust_episodes",
            required=True,
        ),
        Column(
            "thrust_episode",
            SMALL,
            "0 for the first rows of the issue, plus 1 at each change of on_thrust",
            required=True,
        ),
    ),
)

TRAJECTORY_EVENTS: Final = Table(
    name="trajectory_events",
    meaning="One row an event of the issue's trajectory event summary: the plan at its creation.",
    key=("object_id", "creation_date", "ignition_time", "event_name"),
    partition_by=("object_id", "issue"),
    sort_by=("object_id", "creation_date", "ignition_time", "event_name"),
    version=2,
    columns=(
        ISSUE_OBJECT_ID,
        CREATION_DATE,
        Column("event_name", TEXT, "name as printed, cut at 20 characters by the publisher", required=True),
        Column(
            "ignition_time", UTC_MICROSECONDS, "TIG, with the year taken from the issue's span", "UTC", required=True
        ),
        Column("delta_v_m_s", REAL, "planned change of velocity", "m/s"),
        Column("delta_v_ft_s", REAL, "the same as printed in feet", "ft/s"),
        Column("apogee_height_km", REAL, "HA after the event", "km"),
        Column("perigee_height_km", REAL, "HP after the event", "km"),
        Column("apogee_height_nmi", REAL, "the same as printed in nautical miles", "nmi"),
        Column("perigee_height_nmi", REAL, "the same as printed in nautical miles", "nmi"),
        Column("orbit", COUNT, "ORB, where printed"),
        Column("is_burn", FLAG, "whether the planned change of velocity is above zero", required=True),
    ),
)

THRUST_EPISODES: Final = Table(
    name="thrust_episodes",
    meaning="One row a burn as the ephemeris flies it: motion that gravity does not explain, at any cadence of states.",
    key=("object_id", "creation_date", "thrust_episode", "ignition_time"),
    partition_by=("object_id", "issue"),
    sort_by=("object_id", "creation_date", "thrust_episode", "ignition_time"),
    version=3,
    frame="radial, in-track and cross-track of the orbit at each state",
    columns=(
        ISSUE_OBJECT_ID,
        CREATION_DATE,
        Column("thrust_episode", SMALL, "thrust_episode of its rows in state_vectors", required=True),
        Column(
            "ignition_time",
            UTC_MICROSECONDS,
            "first state of a burn printed every 2 s; of any other when its push began, between states",
            "UTC",
            required=True,
        ),
        Column(
            "cutoff_time",
            UTC_MICROSECONDS,
            "true end: a shorter step after the last 2 s belongs to it; between states as ignition_time",
            "UTC",
            required=True,
        ),
        Column(
            "ignition_sigma_s",
            REAL,
            "standard deviation of ignition_time; 0 where a state stands there",
            "s",
            required=True,
            decimals=SIGMA_DECIMALS,
        ),
        Column("cutoff_sigma_s", REAL, "the same of cutoff_time", "s", required=True, decimals=SIGMA_DECIMALS),
        Column(
            "duration_s",
            REAL,
            "time elapsed from ignition to cut-off, leap seconds included",
            "s",
            required=True,
            decimals=SECOND_DECIMALS,
        ),
        Column("two_second_rows", COUNT, "rows on_thrust in the burn; 0 for one at another cadence", required=True),
        Column("powered_steps", COUNT, "steps from state to state that the burn touches", required=True),
        Column(
            "delta_v_m_s",
            REAL,
            "magnitude of the integrated acceleration that gravity does not explain",
            "m/s",
            decimals=DELTA_V_DECIMALS,
        ),
        Column("delta_v_radial_m_s", REAL, "its radial part, outward positive", "m/s", decimals=DELTA_V_DECIMALS),
        Column(
            "delta_v_intrack_m_s",
            REAL,
            "its in-track part, in the orbit plane, along the motion",
            "m/s",
            decimals=DELTA_V_DECIMALS,
        ),
        Column(
            "delta_v_crosstrack_m_s",
            REAL,
            "its cross-track part, along the angular momentum",
            "m/s",
            decimals=DELTA_V_DECIMALS,
        ),
        Column("mean_acceleration_mm_s2", REAL, "delta_v over duration", "mm/s^2", decimals=ACCELERATION_DECIMALS),
        Column(
            "semi_major_axis_before_km",
            REAL,
            "semi-major axis before ignition: the J2 variation removed, mean over up to one orbit of coast",
            "km",
            decimals=AXIS_DECIMALS,
        ),
        Column("semi_major_axis_after_km", REAL, "the same after cut-off", "km", decimals=AXIS_DECIMALS),
        Column("event_names", TEXTS, "matching events of trajectory_events, in time order", required=True),
        Column(
            "event_delta_v_m_s",
            REAL,
            "sum of their planned delta-v; null without one",
            "m/s",
            decimals=DELTA_V_DECIMALS,
        ),
        Column(
            "manoeuvre",
            SMALL,
            "physical manoeuvre within the issue, from 1; burns under 60 s apart share one",
            required=True,
        ),
    ),
)

_COVARIANCE_AXES: Final = ("x", "y", "z", "x_dot", "y_dot", "z_dot")
_COVARIANCE_UNITS: Final = ("km^2", "km^2/s", "km^2/s^2")
_COVARIANCE_SUFFIXES: Final = ("km2", "km2_s", "km2_s2")

OEM_COVARIANCES: Final = Table(
    name="oem_covariances",
    meaning="One row a covariance matrix of an ephemeris: its lower triangle, as published.",
    key=("object_id", "creation_date", "segment", "epoch_tai", "cov_ref_frame"),
    partition_by=("object_id", "issue"),
    sort_by=("object_id", "creation_date", "segment", "epoch_tai", "cov_ref_frame"),
    version=2,
    frame="cov_ref_frame of the row",
    columns=(
        ISSUE_OBJECT_ID,
        CREATION_DATE,
        SEGMENT,
        Column(
            "epoch",
            UTC_MICROSECONDS,
            "epoch of the covariance, a leap second as in state_vectors",
            "UTC",
            required=True,
        ),
        EPOCH_TAI,
        Column("cov_ref_frame", TEXT, "COV_REF_FRAME, or REF_FRAME of the segment where absent", required=True),
        *(
            Column(
                f"c{row}_{column}_{_COVARIANCE_SUFFIXES[dots]}",
                REAL,
                f"covariance of {row} and {column}",
                _COVARIANCE_UNITS[dots],
                required=True,
            )
            for nth, row in enumerate(_COVARIANCE_AXES)
            for column in _COVARIANCE_AXES[: nth + 1]
            for dots in [row.endswith("dot") + column.endswith("dot")]
        ),
    ),
)

PATH_CREATION_DATE: Final = Column(
    "creation_date", UTC_MICROSECONDS, "CREATION_DATE of the issue that says so", "UTC", required=True
)

TRAJECTORY: Final = Table(
    name="trajectory",
    meaning="One row a state of the best known path: of the issue created last among those that cover its epoch.",
    key=("object_id", "epoch_tai"),
    partition_by=("object_id", "date"),
    sort_by=("object_id", "epoch_tai"),
    frame="Cartesian columns in ref_frame of the row; geodetic ones in ITRS on WGS-84",
    columns=(
        ISSUE_OBJECT_ID,
        Column(
            "epoch", UTC_MICROSECONDS, "epoch of the state, a leap second as in state_vectors", "UTC", required=True
        ),
        EPOCH_TAI,
        Column("x_km", REAL, "position x, as published", "km", required=True),
        Column("y_km", REAL, "position y, as published", "km", required=True),
        Column("z_km", REAL, "position z, as published", "km", required=True),
        Column("vx_km_s", REAL, "velocity x, as published", "km/s", required=True),
        Column("vy_km_s", REAL, "velocity y, as published", "km/s", required=True),
        Column("vz_km_s", REAL, "velocity z, as published", "km/s", required=True),
        Column("latitude_deg", REAL, "geodetic latitude, as in state_vectors", "deg", decimals=DEGREE_DECIMALS),
        Column("longitude_deg", REAL, "geodetic longitude, as in state_vectors", "deg", decimals=DEGREE_DECIMALS),
        Column("altitude_km", REAL, "height above the WGS-84 ellipsoid, likewise", "km", decimals=KM_DECIMALS),
        Column("creation_date", UTC_MICROSECONDS, "CREATION_DATE of the issue that holds", "UTC", required=True),
        SEGMENT,
        Column(
            "age_s",
            REAL,
            "epoch less creation_date: negative was flown when the issue was made, positive was predicted",
            "s",
            required=True,
            decimals=SECOND_DECIMALS,
        ),
        Column("is_powered", FLAG, "whether the epoch lies from an ignition to before its cut-off", required=True),
        Column("center_name", TEXT, "body that positions count from", required=True),
        Column("ref_frame", TEXT, "frame of position and velocity, as published", required=True),
    ),
)

PREDICTION_ERROR: Final = Table(
    name="prediction_error",
    meaning="One row an issue pair and whole hour of lead: what one predicted against what the later saw flown.",
    key=("object_id", "later_creation_date", "creation_date", "epoch"),
    partition_by=("object_id", "issue"),
    sort_by=("object_id", "later_creation_date", "creation_date", "epoch"),
    frame="radial, in-track and cross-track of the flown orbit at each epoch, along arcs",
    columns=(
        ISSUE_OBJECT_ID,
        Column("creation_date", UTC_MICROSECONDS, "CREATION_DATE of the issue that predicted", "UTC", required=True),
        Column(
            "later_creation_date",
            UTC_MICROSECONDS,
            "CREATION_DATE of the issue whose path up to that moment counts as flown; the folder's `issue`",
            "UTC",
            required=True,
        ),
        Column("epoch", UTC_MICROSECONDS, "the moment compared", "UTC", required=True),
        Column(
            "lead_s",
            REAL,
            "epoch less creation_date: whole hours",
            "s",
            required=True,
            decimals=SECOND_DECIMALS,
        ),
        Column("radial_km", REAL, "predicted less flown radius", "km", required=True, decimals=KM_DECIMALS),
        Column(
            "in_track_km",
            REAL,
            "way along the flown orbit to the predicted place, ahead positive",
            "km",
            required=True,
            decimals=KM_DECIMALS,
        ),
        Column(
            "cross_track_km",
            REAL,
            "way out of the flown orbit's plane, along the angular momentum positive",
            "km",
            required=True,
            decimals=KM_DECIMALS,
        ),
        Column("total_km", REAL, "straight distance", "km", required=True, decimals=KM_DECIMALS),
        Column(
            "in_track_s",
            REAL,
            "by how much the prediction is early, late negative",
            "s",
            required=True,
            decimals=SECOND_DECIMALS,
        ),
        Column(
            "burn_between",
            FLAG,
            "whether a burn begins after creation_date and by the epoch: in the prediction, or on the best path known "
            "when the later issue was created",
            required=True,
        ),
        Column(
            "drag_refitted",
            FLAG,
            "whether the two issues state different drag coefficients; null where one states none",
        ),
    ),
)

PREDICTION_ERROR_SUMMARY: Final = Table(
    name="prediction_error_summary",
    meaning="One row a range of lead, with or without burns: how far predictions were off, by percentiles over pairs.",
    key=("object_id", "burn_between", "lead_from_s"),
    partition_by=("object_id",),
    sort_by=("object_id", "burn_between", "lead_from_s"),
    columns=(
        ISSUE_OBJECT_ID,
        Column("burn_between", FLAG, "which rows of prediction_error count: with a burn or without", required=True),
        Column("lead_from_s", REAL, "least lead", "s", required=True),
        Column("lead_to_s", REAL, "least lead of the next range", "s", required=True),
        Column("n", COUNT, "issue pairs; each counts once, by the median of total_km in its rows", required=True),
        *(
            Column(name, REAL, meaning, "km", required=True, decimals=ERROR_DECIMALS)
            for percent in (50, 90, 99)
            for name, meaning in (
                (f"p{percent}_km", f"percentile {percent} over the pairs"),
                (f"p{percent}_low_km", f"percentile 5 of what percentile {percent} is in resampled pairs"),
                (f"p{percent}_high_km", "percentile 95 of the same"),
            )
        ),
    ),
)

PREDICTION_BANDS: Final = Table(
    name="prediction_bands",
    meaning="One row a lead, with or without burns, and state of knowledge: what half and nine tenths of the errors of "
    "predictions keep to.",
    key=("object_id", "known_from", "burn_between", "lead_s"),
    partition_by=("object_id",),
    sort_by=("object_id", "known_from", "burn_between", "lead_s"),
    columns=(
        ISSUE_OBJECT_ID,
        Column(
            "known_from",
            UTC_MICROSECONDS,
            "CREATION_DATE of the last of the later issues in prediction_error that it was learned from",
            "UTC",
            required=True,
        ),
        Column("burn_between", FLAG, "for predictions with a burn after creation_date, or without", required=True),
        Column(
            "lead_s",
            REAL,
            "lead, straight lines in between: 0, whole days, shortest and longest seen; nothing is known beyond",
            "s",
            required=True,
        ),
        Column("n", COUNT, "issue pairs learned from, with a burn or without; each counts once", required=True),
        Column("p50_km", REAL, "bound that half of the errors keep", "km", required=True, decimals=ERROR_DECIMALS),
        Column(
            "p90_km",
            REAL,
            "bound that nine in ten of them keep; null below nine pairs",
            "km",
            decimals=ERROR_DECIMALS,
        ),
    ),
)

BURN_HISTORY: Final = Table(
    name="burn_history",
    meaning="One row a revision of a physical burn: what an issue says of it that is news against the issues before.",
    key=("object_id", "burn_id", "creation_date"),
    partition_by=("object_id",),
    sort_by=("object_id", "burn_id", "creation_date"),
    columns=(
        ISSUE_OBJECT_ID,
        Column(
            "burn_id",
            TEXT,
            "ignition as first told, and the issue that told of it first: 20230430T001600Z-20230417T230222Z",
            required=True,
        ),
        PATH_CREATION_DATE,
        Column(
            "ignition_time",
            UTC_MICROSECONDS,
            "ignition; where DROPPED that of the last plan; null where a JUMP alone tells of it",
            "UTC",
        ),
        Column(
            "cutoff_time",
            UTC_MICROSECONDS,
            "cut-off, of states that fly the burn; null where only an event table tells of it",
            "UTC",
        ),
        Column("earliest_time", UTC_MICROSECONDS, "of a JUMP: when the issue was made that knows nothing of it", "UTC"),
        Column("latest_time", UTC_MICROSECONDS, "of a JUMP: where the path begins that it lifted", "UTC"),
        Column(
            "delta_v_m_s",
            REAL,
            "change of velocity: the sum of its events as printed, without them that of the states; of a JUMP that "
            "along the track, against the motion negative",
            "m/s",
            required=True,
            decimals=DELTA_V_DECIMALS,
        ),
        Column("event_name", TEXT, "its events as printed, joined by +; null where none names it"),
        Column(
            "status",
            TEXT,
            "PLANNED where first told of before cut-off, REVISED where ignition, delta-v or name changed, DROPPED "
            "where it is gone, FLOWN in the first issue created after cut-off that shows it",
            required=True,
        ),
        Column(
            "told_by",
            TEXT,
            "STATES that fly it, or where DROPPED do not; the EVENT table alone; the PATH of an issue that begins "
            "after cut-off, where the burn or its absence puts it: times and delta-v are then those of the last plan; "
            "or a JUMP: the path of an issue that neither the plans of the one before nor drag explain",
            required=True,
        ),
        Column(
            "ignition_shift_s",
            REAL,
            "ignition less that of the revision before; null for the first",
            "s",
            decimals=SECOND_DECIMALS,
        ),
        Column(
            "delta_v_change_m_s",
            REAL,
            "delta-v less that of the revision before, printed or flown both; null for the first",
            "m/s",
            decimals=DELTA_V_DECIMALS,
        ),
    ),
    version=2,
)

POSITION_AUDIT: Final = Table(
    name="position_audit",
    meaning="One row a fix of a feed that an issue covers: how far the feed is off the ephemeris, and what that means.",
    key=("object_id", "source", "event_time", "latitude_deg", "longitude_deg"),
    partition_by=("date",),
    sort_by=("object_id", "source", "event_time", "latitude_deg", "longitude_deg"),
    frame="latitude and longitude as the feed gives them; distances on a sphere of 6371 km, between directions from "
    "Earth's centre",
    columns=(
        OBJECT_ID,
        SOURCE,
        Column("event_time", UTC_MICROSECONDS, "time that the feed gives for the position", "UTC", required=True),
        Column("latitude_deg", REAL, "latitude as published", "deg", required=True),
        Column("longitude_deg", REAL, "longitude as published, east positive", "deg", required=True),
        Column("creation_date", UTC_MICROSECONDS, "CREATION_DATE of the issue compared with", "UTC", required=True),
        Column("error_km", REAL, "great-circle distance to the ephemeris", "km", required=True, decimals=KM_DECIMALS),
        Column(
            "along_track_km",
            REAL,
            "way along the orbit from the ephemeris to the fix, ahead positive",
            "km",
            required=True,
            decimals=KM_DECIMALS,
        ),
        Column(
            "cross_track_km",
            REAL,
            "way out of the orbit's plane, along the angular momentum positive",
            "km",
            required=True,
            decimals=KM_DECIMALS,
        ),
        Column(
            "along_track_s",
            REAL,
            "along_track_km as time: by how much the feed is early, late negative",
            "s",
            required=True,
            decimals=SECOND_DECIMALS,
        ),
        Column(
            "bound_km",
            REAL,
            "how much the feed's rounded stamp, good elements, the issue's age and its planned burns explain along the "
            "track, to the side of the error; across it 4 km are explained",
            "km",
            required=True,
            decimals=ERROR_DECIMALS,
        ),
        Column(
            "verdict",
            TEXT,
            "OK; STALE: behind or ahead along the track, as old elements are; OFFSET: off the track; FROZEN: stamp or "
            "position stands still. It changes when three fixes in a row agree, or all of the last two minutes",
            required=True,
        ),
    ),
)

COVERAGE: Final = Table(
    name="coverage",
    meaning="One row an object, source and UTC hour in which polls of the feed were made or due.",
    key=("object_id", "source", "hour_start"),
    partition_by=("date",),
    sort_by=("object_id", "source", "hour_start"),
    columns=(
        OBJECT_ID,
        SOURCE,
        Column("hour_start", UTC_MICROSECONDS, "first instant of the hour", "UTC", required=True),
        Column(
            "interval_s",
            REAL,
            "interval between polls, as the polls around tell it: median over the hour; null where nothing tells",
            "s",
            decimals=INTERVAL_DECIMALS,
        ),
        Column("polls_expected", COUNT, "polls made, and those that interval_s leaves room for", required=True),
        Column("polls_made", COUNT, "polls on record, failed ones too; by their fetch_time", required=True),
        Column("polls_answered", COUNT, "those that gave a fix", required=True),
        Column("distinct_fixes", COUNT, "distinct fixes among them, by stamp and position", required=True),
        Column(
            "completeness",
            REAL,
            "distinct_fixes over polls_expected, 0 to 1",
            required=True,
            decimals=RATIO_DECIMALS,
        ),
    ),
)

GAPS: Final = Table(
    name="gaps",
    meaning="One row a gap: a span longer than three polling intervals without a new fix of the feed.",
    key=("object_id", "source", "start_time"),
    partition_by=("date",),
    sort_by=("object_id", "source", "start_time"),
    columns=(
        OBJECT_ID,
        SOURCE,
        Column("start_time", UTC_MICROSECONDS, "fetch_time of the last new fix before", "UTC", required=True),
        Column("end_time", UTC_MICROSECONDS, "fetch_time of the first new fix after; null while open", "UTC"),
        Column("duration_s", REAL, "end_time less start_time; null while open", "s", decimals=SECOND_DECIMALS),
        Column(
            "cause",
            TEXT,
            "what the greatest part of it is put down to: collector not running, frozen, late, clock, or the kind that "
            "the error of its failed polls begins with, such as timeout or http 429",
            required=True,
        ),
        Column("cause_s", REAL, "how much of duration_s that part is; null while open", "s", decimals=SECOND_DECIMALS),
        Column("polls_made", COUNT, "polls within that brought no new fix", required=True),
        Column(
            "interval_s",
            REAL,
            "interval between polls, the longer of those at both ends",
            "s",
            required=True,
            decimals=INTERVAL_DECIMALS,
        ),
        Column(
            "creation_date",
            UTC_MICROSECONDS,
            "CREATION_DATE of the issue whose states cover the gap; null where none does, or none was looked for",
            "UTC",
        ),
    ),
)

POSITIONS_FILLED: Final = Table(
    name="positions_filled",
    meaning="One row a poll that a gap has room for, where an ephemeris tells the position: never a row of positions.",
    key=("object_id", "source", "event_time"),
    partition_by=("date",),
    sort_by=("object_id", "source", "event_time"),
    frame="geodetic on WGS-84, in ITRS",
    columns=(
        OBJECT_ID,
        SOURCE,
        Column("event_time", UTC_MICROSECONDS, "start of the gap and whole intervals of it more", "UTC", required=True),
        Column("latitude_deg", REAL, "geodetic latitude", "deg", required=True, decimals=DEGREE_DECIMALS),
        Column(
            "geocentric_latitude_deg",
            REAL,
            "angle at Earth's centre, which is what Open Notify publishes as latitude",
            "deg",
            required=True,
            decimals=DEGREE_DECIMALS,
        ),
        Column("longitude_deg", REAL, "longitude, east positive", "deg", required=True, decimals=DEGREE_DECIMALS),
        Column("altitude_km", REAL, "height above the ellipsoid", "km", required=True, decimals=KM_DECIMALS),
        Column("method", TEXT, "HERMITE: interpolated between the states of the issue", required=True),
        Column(
            "creation_date",
            UTC_MICROSECONDS,
            "CREATION_DATE of the issue created last of those that cover the instant",
            "UTC",
            required=True,
        ),
        Column(
            "age_s",
            REAL,
            "event_time less creation_date: negative was flown when the issue was made, positive was predicted",
            "s",
            required=True,
            decimals=SECOND_DECIMALS,
        ),
        Column(
            "p50_km",
            REAL,
            "what half of the errors of such predictions kept to before the issue; null where flown or never seen",
            "km",
            decimals=ERROR_DECIMALS,
        ),
        Column("p90_km", REAL, "what nine tenths of them kept to, likewise", "km", decimals=ERROR_DECIMALS),
        Column("gap_start_time", UTC_MICROSECONDS, "start_time of the gap in gaps", "UTC", required=True),
    ),
)

REVISION_COLUMNS: Final = (
    Column(
        "burn_between",
        FLAG,
        "whether the issue flies a burn that begins after its creation and by then",
        required=True,
    ),
    Column(
        "creation_date",
        UTC_MICROSECONDS,
        "CREATION_DATE of the issue created last of those that cover all of it; where CANCELLED of the first that has "
        "it no more, all else being as told before",
        "UTC",
        required=True,
    ),
    Column("revision", SMALL, "how many later issues told of it again or cancelled it; 0 as first told", required=True),
    Column(
        "status",
        TEXT,
        "PREDICTED as first told; REVISED by a later issue; MOVED where that is a shift of at least a second, and "
        "further than time_p90_s told before or due to another plan of burns; CANCELLED where it is gone; FLOWN where "
        "the issue was created after the end",
        required=True,
    ),
)
"""Of a row of passes or approaches: how it came to be."""

PASSES: Final = Table(
    name="passes",
    meaning="One row a pass of an object over a site: when and where it is seen, and how sure that is.",
    key=("object_id", "site", "pass_id"),
    partition_by=("object_id", "site"),
    sort_by=("object_id", "site", "rise_time", "pass_id"),
    frame="directions at the site, up the normal of the WGS-84 ellipsoid, in ITRS; light time counts, and with "
    "ORBITLAKE_REFRACTION=standard air does",
    columns=(
        ISSUE_OBJECT_ID,
        Column("site", LABEL, "name of the site in the file of places", required=True),
        Column(
            "pass_id",
            TEXT,
            "culmination as first told, and the issue that told of it first: it stays while the pass is revised",
            required=True,
        ),
        Column("rise_time", UTC_MICROSECONDS, "when it rises above the horizon of the site", "UTC", required=True),
        Column("culmination_time", UTC_MICROSECONDS, "when it stands highest", "UTC", required=True),
        Column("set_time", UTC_MICROSECONDS, "when it sets below the horizon of the site", "UTC", required=True),
        *(
            Column(
                f"{when}_azimuth_deg",
                REAL,
                f"azimuth at {when}, from north over east, 0 to 360",
                "deg",
                required=True,
                decimals=ANGLE_DECIMALS,
            )
            for when in ("rise", "culmination", "set")
        ),
        Column("max_elevation_deg", REAL, "elevation at culmination", "deg", required=True, decimals=ANGLE_DECIMALS),
        Column("range_km", REAL, "distance at culmination", "km", required=True, decimals=ERROR_DECIMALS),
        Column(
            "visible_from",
            UTC_MICROSECONDS,
            "first moment at which it is outside of the Earth's shadow, a cylinder of the equatorial radius, while the "
            "Sun's centre stands 6 degrees or more below the horizontal; null where there is none",
            "UTC",
        ),
        Column(
            "visible_until",
            UTC_MICROSECONDS,
            "last such moment, also where shadow lies in between; null likewise",
            "UTC",
        ),
        Column(
            "visible_max_elevation_deg",
            REAL,
            "highest elevation at such a moment; null likewise",
            "deg",
            decimals=ANGLE_DECIMALS,
        ),
        Column(
            "magnitude",
            REAL,
            "estimated brightness then, as of an evenly scattering sphere; null likewise, and where the object's own "
            "is not known",
            decimals=MAGNITUDE_DECIMALS,
        ),
        Column(
            "time_sigma_s",
            REAL,
            "standard deviation of rise_time, of a normal distribution with the bound of prediction_bands known for "
            "nine in ten errors, else with that for half of them; null where flown or neither is known",
            "s",
            decimals=SIGMA_DECIMALS,
        ),
        Column(
            "time_p90_s",
            REAL,
            "what nine in ten errors of rise_time keep to; null where flown or not known",
            "s",
            decimals=SIGMA_DECIMALS,
        ),
        *REVISION_COLUMNS,
        Column(
            "shift_s",
            REAL,
            "culmination less that of the revision before; null as first told and where CANCELLED",
            "s",
            decimals=SHIFT_DECIMALS,
        ),
    ),
)

APPROACHES: Final = Table(
    name="approaches",
    meaning="One row an approach of an object's ground track to a point: from when to when, and how near.",
    key=("object_id", "point", "approach_id"),
    partition_by=("object_id", "point"),
    sort_by=("object_id", "point", "closest_time", "approach_id"),
    frame="great circles on a sphere of 6371 km between geodetic places on WGS-84, the object's straight below it",
    columns=(
        ISSUE_OBJECT_ID,
        Column("point", LABEL, "name of the point in the file of places", required=True),
        Column(
            "approach_id",
            TEXT,
            "closest_time as first told, and the issue that told of it first: it stays while it is revised",
            required=True,
        ),
        Column("entry_time", UTC_MICROSECONDS, "when it comes within the point's within_km", "UTC", required=True),
        Column("closest_time", UTC_MICROSECONDS, "when it is nearest", "UTC", required=True),
        Column("exit_time", UTC_MICROSECONDS, "when it leaves again", "UTC", required=True),
        Column("distance_km", REAL, "distance when nearest", "km", required=True, decimals=ERROR_DECIMALS),
        Column(
            "time_sigma_s",
            REAL,
            "standard deviation of closest_time, as in passes; null likewise",
            "s",
            decimals=SIGMA_DECIMALS,
        ),
        Column(
            "time_p90_s",
            REAL,
            "what nine in ten errors of closest_time keep to; null likewise",
            "s",
            decimals=SIGMA_DECIMALS,
        ),
        *REVISION_COLUMNS,
        Column(
            "shift_s",
            REAL,
            "closest_time less that of the revision before; null as first told and where CANCELLED",
            "s",
            decimals=SHIFT_DECIMALS,
        ),
    ),
)


TABLES: Final = {
    table.name: table
    for table in (
        POSITIONS,
        WINDOW_STATS,
        OEM_ISSUES,
        OEM_SEGMENTS,
        STATE_VECTORS,
        TRAJECTORY_EVENTS,
        THRUST_EPISODES,
        OEM_COVARIANCES,
        TRAJECTORY,
        PREDICTION_ERROR,
        PREDICTION_ERROR_SUMMARY,
        PREDICTION_BANDS,
        BURN_HISTORY,
        POSITION_AUDIT,
        COVERAGE,
        GAPS,
        POSITIONS_FILLED,
        PASSES,
        APPROACHES,
    )
}
OEM_TABLES: Final = (OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, TRAJECTORY_EVENTS, THRUST_EPISODES, OEM_COVARIANCES)
POSITION_TABLES: Final = (POSITIONS, WINDOW_STATS)
AUDIT_TABLES: Final = (TRAJECTORY, PREDICTION_ERROR, PREDICTION_ERROR_SUMMARY, PREDICTION_BANDS, BURN_HISTORY)
"""What issues say of each other, by object."""
PLACE_TABLES: Final = (PASSES, APPROACHES)
"""What the ephemeris means for places on the ground, by object and place."""
FEED_TABLES: Final = (COVERAGE, GAPS)
"""What the raw records say of the feeds, by UTC day."""


def dictionary(table: Table) -> str:
    """The table's page of the data dictionary as Markdown: what docs/tables.md prints, and a test compares."""
    folders = " and ".join(f"`{key}`" for key in table.partition_by)
    lines = [
        f"### {table.name}",
        "",
        f"{table.meaning} Version {table.version}; partitioned by {folders}.",
        *([f"Frame: {table.frame}."] if table.frame else []),
        "",
        "| column | type | unit | decimals | meaning |",
        "|---|---|---|---|---|",
    ]
    for column in table.columns:
        name = f"`{column.name}`" + ("" if column.required else " (null where unknown)")
        decimals = "" if column.decimals is None else column.decimals
        lines.append(f"| {name} | {type_name(column.type)} | {column.unit or ''} | {decimals} | {column.meaning} |")
    return "\n".join(lines) + "\n"


def overview() -> str:
    """All tables at a glance as Markdown: what docs/tables.md prints, and a test compares."""
    lines = ["| table | one row | partitioned by |", "|---|---|---|"]
    for table in TABLES.values():
        row = table.meaning.removeprefix("One row ")
        lines.append(f"| [`{table.name}`](#{table.name}) | {row} | {', '.join(table.partition_by)} |")
    return "\n".join(lines) + "\n"


def type_name(type_: pa.DataType) -> str:
    """An Arrow type in words: the encoding of a column is no part of its meaning."""
    if pa.types.is_dictionary(type_):
        return type_name(type_.value_type)
    if pa.types.is_list(type_):
        return f"list of {type_name(type_.value_type)}"
    return str(type_)
