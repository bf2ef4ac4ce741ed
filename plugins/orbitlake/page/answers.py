"""What the page's API answers: every answer carries its rows, the query that gave them, and the moment it was asked."""

from datetime import date, datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from orbitlake.tables import OEM_ISSUES, POSITIONS, STATE_VECTORS, THRUST_EPISODES, WINDOW_STATS, Table


class Row(BaseModel):
    """A row of an answer; its fields take their meaning and unit from the table they come from."""

    model_config = ConfigDict(frozen=True)

    def __init_subclass__(cls, table: Table | None = None, **settings: Any) -> None:
        super().__init_subclass__(**settings)

    @classmethod
    def __pydantic_init_subclass__(cls, table: Table | None = None, **_: Any) -> None:
        for column in table.columns if table else ():
            if column.name in cls.model_fields:
                cls.model_fields[column.name].description = (
                    f"{column.meaning} ({column.unit})" if column.unit else column.meaning
                )
        cls.model_rebuild(force=True)


class LatestFix(Row, table=POSITIONS):
    source: str
    event_time: datetime
    fetch_time: datetime | None
    latitude_deg: float
    longitude_deg: float
    altitude_km: float | None
    velocity_km_s: float | None
    orbit_phase: str
    hemisphere_ns: str
    hemisphere_ew: str
    distance_to_paris_km: float
    age_s: float = Field(description="as_of minus event_time (s)")


class Fix(Row, table=POSITIONS):
    source: str
    event_time: datetime
    latitude_deg: float
    longitude_deg: float
    velocity_km_s: float | None
    orbit_phase: str


class Window(Row, table=WINDOW_STATS):
    source: str
    window_start: datetime
    window_end: datetime
    data_points: int
    avg_velocity_km_s: float | None
    min_velocity_km_s: float | None
    max_velocity_km_s: float | None
    velocity_stddev_km_s: float | None
    ground_speed_km_s: float | None
    last_event_time: datetime
    is_filling: bool = Field(description="whether fixes of this minute may still come: it ended less than 15 s ago")


class Day(Row):
    date: date
    fixes: int = Field(description="distinct fixes of the UTC day")
    first_event_time: datetime | None
    last_event_time: datetime | None
    minutes_seen: int = Field(description="minutes of the day with at least one fix")
    completeness: float = Field(description="minutes_seen over the minutes of the day that have begun, 0 to 1")
    longest_gap_s: float = Field(
        description="longest time without a fix from midnight to the next midnight, or to now (s)"
    )
    median_delay_s: float | None = Field(description="median of fetch_time minus event_time (s)")


class DayFix(Row, table=POSITIONS):
    source: str
    event_time: datetime
    latitude_deg: float
    longitude_deg: float


class Freshness(Row):
    table_name: str
    newest: datetime | None = Field(description="newest event_time, last_event_time or creation_date")
    age_s: float | None = Field(description="as_of minus newest (s)")


class Judgement(Row):
    """One verdict of the table in orbitlake.verdicts, which watch_freshness raises its alerts by as well."""

    subject: Literal["feed", "stream", "issues"]
    state: str = Field(description="the row of the table, such as fresh or handing over")
    level: Literal["ok", "wait", "wrong", "none"] = Field(
        description="ok; wait: passes by itself; wrong: a person is needed; none: nothing has come yet"
    )
    text: str = Field(description="what is known, in words")
    since: datetime | None = Field(description="since when, where that is known")
    clears: str = Field(description="what ends the state, in words; empty where all is well")


class StandingAlert(Row):
    name: str
    text: str = Field(description="what is wrong, in words")
    since: datetime
    clears: str = Field(description="what ends the alert, in words")


class Issue(Row, table=OEM_ISSUES):
    issue: str = Field(description="name of the issue, to be given as `issue` elsewhere")
    creation_date: datetime
    object_id: str
    object_name: str
    originator: str
    oem_version: str
    file_format: str
    center_name: str
    ref_frame: str
    time_system: str
    start_time: datetime
    useable_start_time: datetime | None
    useable_stop_time: datetime | None
    stop_time: datetime
    mass_kg: float | None
    drag_area_m2: float | None
    drag_coefficient: float | None
    solar_rad_area_m2: float | None
    solar_rad_coefficient: float | None
    first_node_time: datetime | None
    first_node_orbit: int | None
    last_node_time: datetime | None
    last_node_orbit: int | None
    segment_count: int
    state_count: int
    content_sha256: str
    retrieved_at: datetime | None
    age_s: float = Field(description="as_of minus creation_date (s)")


class Burn(Row, table=THRUST_EPISODES):
    thrust_episode: int
    manoeuvre: int
    ignition_time: datetime
    cutoff_time: datetime
    duration_s: float
    delta_v_m_s: float | None
    delta_v_radial_m_s: float | None
    delta_v_intrack_m_s: float | None
    delta_v_crosstrack_m_s: float | None
    mean_acceleration_mm_s2: float | None
    event_names: list[str]
    event_delta_v_m_s: float | None
    mean_altitude_before_km: float | None = Field(description="semi-major axis before ignition less 6378.137 km (km)")
    mean_altitude_after_km: float | None = Field(description="semi-major axis after cut-off less 6378.137 km (km)")
    rise_km: float | None = Field(description="semi-major axis after cut-off less that before ignition (km)")


class OrbitAltitude(Row):
    orbit_start: datetime = Field(description="start of a bin of 93 minutes, about one orbit of the ISS")
    lowest_km: float = Field(description="lowest height above the WGS-84 ellipsoid (km)")
    mean_km: float = Field(description="mean of the same over time (km)")
    highest_km: float = Field(description="highest of the same (km)")
    states: int


class TrackPoint(Row, table=STATE_VECTORS):
    time: datetime
    latitude_deg: float
    longitude_deg: float
    altitude_km: float


RowT = TypeVar("RowT", bound=Row)


class Answer(BaseModel, Generic[RowT]):
    """All rows of a bounded question."""

    as_of: datetime = Field(description="the moment that counts as now in the query")
    sql: str = Field(description="the query, for orbitlake.query.connect()")
    rows: list[RowT]


class FreshnessAnswer(Answer[Freshness]):
    """How feed, stream and ephemeris are, by when things arrived, and the newest time that each table holds."""

    verdicts: list[Judgement]
    stale: bool = Field(description="whether the verdict on the feed or on the stream is wrong")
    reason: str | None = Field(description="the first verdict on feed and stream that is not ok, in words")
    stream_age_s: float | None = Field(description="as_of minus the end of the stream's last micro-batch (s)")
    fix_stale_after_s: float = Field(description="age from which on the latest fix is worth a word (s)")
    upstream: str = Field(description="whose numbers the data root holds: live, simulator, replay of ...")


class Alerts(BaseModel):
    """The alerts that stand, by name."""

    as_of: datetime = Field(description="the moment of the answer")
    folder: str = Field(description="where they lie below the data root, a file each")
    rows: list[StandingAlert]


class Page(Answer[RowT], Generic[RowT]):
    """One page of rows."""

    next_offset: int | None = Field(description="offset of the next page; null where this one was not full")


class Track(Answer[TrackPoint]):
    """The ground track that the newest issue gives; without rows where it says nothing about these hours."""

    sql: str = Field(description="the query for the states that the rows were interpolated from")
    call: str = Field(description="the Python that interpolates them to these rows")
    step_s: int
    creation_date: datetime | None = Field(description="CREATION_DATE of the issue")
    now: TrackPoint | None = Field(description="where the issue has the spacecraft at as_of")
