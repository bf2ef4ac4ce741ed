"""New fixes joined with those already published: which rows are new, which change, which minutes to sum again."""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from orbitlake.positions.fixes import BASE_COLUMNS
from orbitlake.positions.live import OWNER, STATE_REACH_S
from orbitlake.positions.motion import LONGEST_GAP_S, OF_OBJECT, distinct_fixes, seconds, with_motion
from orbitlake.tables import POSITIONS

NEW: Final = "new"
CHANGED: Final = "changed"
SAME: Final = "same"
PUBLISHED: Final = tuple(name for name in POSITIONS.column_names if name not in POSITIONS.key)


def merge_fixes(known: DataFrame, fresh: DataFrame) -> DataFrame:
    """Return the positions of known and fresh fixes together.

    `known`: published positions and the file that owns each (null: a closed day's), complete from 120 s before, and
    through the minute after, the 120 s that follow each fresh fix. `fresh`: base columns, any order, repeats allowed.
    Columns: those of positions, owner, status (new, changed, same), touched (the row's minute must be summed again),
    kept (within reach of its object's newest fix); a row that is the same, not touched and not kept is left out. Only
    rows up to 120 s after a fresh fix are derived again: others cannot have changed, and what they were derived from
    may not be among the known fixes any more.
    """
    published = F.struct(*PUBLISHED, OWNER)
    nothing = F.lit(None).cast(known.select(published.alias("published")).schema["published"].dataType)
    union = known.select(*BASE_COLUMNS, published.alias("published"), F.lit(False).alias("fresh")).unionByName(
        fresh.select(*BASE_COLUMNS, nothing.alias("published"), F.lit(True).alias("fresh"))
    )
    distinct = distinct_fixes(union, published=F.max("published"), fresh=F.max("fresh"))
    rows = with_motion(distinct.withColumn("open", follows_fresh()))
    derived_again = F.struct(*PUBLISHED, F.col("published.owner").alias(OWNER))
    is_new = F.col("published").isNull()
    is_changed = F.col("open") & ~derived_again.eqNullSafe(F.col("published")) & F.col("published.owner").isNotNull()
    status = F.when(is_new, NEW).when(is_changed, CHANGED).otherwise(SAME)
    return (
        rows.withColumn("status", status)
        .withColumns(
            {name: F.when(F.col("open"), F.col(name)).otherwise(F.col(f"published.{name}")) for name in PUBLISHED}
        )
        .withColumn("touched", F.max("open").over(Window.partitionBy(*OF_OBJECT, F.date_trunc("minute", "event_time"))))
        .withColumn(
            "kept", F.col("event_time") >= minute_in_reach(F.max("event_time").over(Window.partitionBy(*OF_OBJECT)))
        )
        .where(F.col("kept") | F.col("touched") | (F.col("status") != SAME))
        .select(*POSITIONS.column_names, F.col("published.owner").alias(OWNER), "status", "touched", "kept")
    )


def follows_fresh() -> Column:
    """Whether a fresh fix of the same object lies at the row's time or at most 120 s before it."""
    up_to_here = (
        Window.partitionBy(*OF_OBJECT).orderBy("event_time").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    )
    latest_fresh = F.max(F.when(F.col("fresh"), F.col("event_time"))).over(up_to_here)
    return F.coalesce(seconds(F.col("event_time")) - seconds(latest_fresh) <= LONGEST_GAP_S, F.lit(False))


def minute_in_reach(newest: Column) -> Column:
    """The start of the first whole minute within reach of the newest fix."""
    return F.date_trunc("minute", F.timestamp_micros(F.unix_micros(newest) - F.lit(STATE_REACH_S * 1_000_000)))
