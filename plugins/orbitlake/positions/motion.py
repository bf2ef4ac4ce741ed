"""Fixes -> positions: repeats dropped, speed, phase, hemisphere and distance derived; one for stream and batch."""

from typing import Final

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from orbitlake.lake import spark_schema
from orbitlake.physics import kinematics
from orbitlake.tables import POSITIONS

LONGEST_GAP_S: Final = 120
"""A fix further back says nothing about the speed now."""
OF_OBJECT: Final = ("object_id", "source")
ORDER_OF_FIXES: Final = ("event_time", "fetch_time", "latitude_deg", "longitude_deg")
"""Fixes of one second have no order of their own; this one is the same whatever the order of arrival."""
PHASES: Final = np.array(["DESCENDING", "UNKNOWN", "ASCENDING"])
MOTION: Final = pa.struct([POSITIONS.schema.field(n) for n in ("velocity_km_s", "orbit_phase", "distance_to_paris_km")])


def derive_motion(fixes: DataFrame) -> DataFrame:
    """Return the positions of `fixes` (base columns, any order, repeats allowed): one row a distinct fix."""
    return with_motion(distinct_fixes(fixes)).select(*POSITIONS.column_names)


def distinct_fixes(fixes: DataFrame, **carried: Column) -> DataFrame:
    """Return one row a key, as it was first received; `carried` are aggregates that become further columns.

    Among copies a known fetch_time counts before an unknown one, so that the result knows no order of arrival.
    """
    received = F.struct(F.col("fetch_time").isNull(), "fetch_time", F.col("altitude_km").isNull(), "altitude_km")
    aggregates = [column.alias(name) for name, column in carried.items()]
    return (
        # Spread by object once: the window functions that follow find their rows together and need no further shuffle.
        fixes.repartition(*OF_OBJECT)
        .groupBy(*POSITIONS.key)
        .agg(F.min(received).alias("first"), *aggregates)
        .select(*POSITIONS.key, "first.fetch_time", "first.altitude_km", *carried)
    )


def with_motion(fixes: DataFrame) -> DataFrame:
    """Add the derived columns to distinct fixes, other columns kept; each is measured against the latest earlier fix.

    That fix is the last one, in the order of fixes, with a strictly earlier event_time, if at most 120 s back.
    """
    in_order = Window.partitionBy(*OF_OBJECT).orderBy(*(F.asc_nulls_first(name) for name in ORDER_OF_FIXES))
    next_time = F.lead("event_time").over(in_order)
    is_last_of_its_time = next_time.isNull() | (next_time != F.col("event_time"))
    marked = F.when(is_last_of_its_time, F.struct("event_time", "latitude_deg", "longitude_deg"))
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    elapsed_s = seconds(F.col("event_time")) - seconds(F.col("earlier.event_time"))
    within_gap = F.col("elapsed_s") <= LONGEST_GAP_S
    motion = motion_of(
        F.col("latitude_deg"),
        F.col("longitude_deg"),
        F.when(within_gap, F.col("earlier.latitude_deg")),
        F.when(within_gap, F.col("earlier.longitude_deg")),
        F.when(within_gap, F.col("elapsed_s")),
    )
    return (
        fixes.withColumn("marked", marked)
        .withColumn("earlier", F.last("marked", ignorenulls=True).over(before))
        .withColumn("elapsed_s", elapsed_s)
        .withColumn("motion", motion)
        .withColumns(
            {
                "velocity_km_s": F.col("motion.velocity_km_s"),
                "orbit_phase": F.col("motion.orbit_phase"),
                "hemisphere_ns": F.when(F.col("latitude_deg") >= 0, "North").otherwise("South"),
                "hemisphere_ew": F.when(F.col("longitude_deg") >= 0, "East").otherwise("West"),
                "distance_to_paris_km": F.col("motion.distance_to_paris_km"),
            }
        )
        .drop("marked", "earlier", "elapsed_s", "motion")
    )


def seconds(time: Column) -> Column:
    """A timestamp as seconds since 1970, exact to the microsecond for any date of ours."""
    return F.unix_micros(time) / F.lit(1_000_000.0)


# PySpark's stubs ask for a functionType that the function itself finds out.
@arrow_udf(spark_schema(pa.schema(MOTION)))  # type: ignore[call-overload,untyped-decorator]
def motion_of(
    latitude: pa.Array, longitude: pa.Array, earlier_latitude: pa.Array, earlier_longitude: pa.Array, elapsed: pa.Array
) -> pa.Array:
    """The kinematics of a batch of fixes; null in the last three is a fix without an earlier one."""
    here = reals(latitude), reals(longitude)
    there = reals(earlier_latitude), reals(earlier_longitude)
    speed = kinematics.ground_speed_km_s(kinematics.great_circle_km(*there, *here), reals(elapsed))
    phase = PHASES[kinematics.latitude_trend(here[0], there[0]) + 1]
    return pa.StructArray.from_arrays(
        [
            pa.array(speed, from_pandas=True),
            pa.array(phase.tolist(), pa.string()),
            pa.array(kinematics.distance_to_paris_km(*here)),
        ],
        fields=list(MOTION),
    )


def reals(values: pa.Array) -> kinematics.Reals:
    """An Arrow column as numpy, null as NaN."""
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
