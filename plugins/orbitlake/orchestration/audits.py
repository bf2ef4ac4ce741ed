"""What a task of audit_positions does: tables brought up to date, and told of."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orbitlake.orchestration.outcomes import announce, note, of_audit

if TYPE_CHECKING:
    from airflow.sdk import Asset


def bring_up_to_date(update: Callable[..., Any], table: "Asset", context: Any) -> dict[str, Any]:
    """Call a function of orbitlake.trajectory.audit_tables by the run's form; return what became of the files."""
    from dataclasses import asdict

    from orbitlake.lake import Lake
    from orbitlake.settings import from_environment

    everything = context["params"]["scope"] == "everything"
    published = asdict(update(Lake(from_environment().data), everything=everything))
    note(context, of_audit(published))
    announce(context, {table: published["rows_written"]})
    return published


def follow_the_feeds(tables: "Mapping[str, Asset]", context: Any) -> dict[str, Any]:
    """Bring coverage and gaps up to the raw records; return what became of the files, by table."""
    from dataclasses import asdict

    from orbitlake import audit
    from orbitlake.lake import Lake
    from orbitlake.settings import from_environment

    published = {each.table: asdict(each) for each in audit.update(Lake(from_environment().data))}
    note(context, "; ".join(map(of_audit, published.values())))
    announce(context, {asset: published[name]["rows_written"] for name, asset in tables.items()})
    return published


def compare_the_feeds(table: "Asset", context: Any) -> dict[str, Any]:
    """Bring position_audit up to date, raise and clear the alerts of feeds; return what became of the files.

    Raises ChannelError where a channel cannot be told; the alerts wait for the next call.
    """
    from orbitlake.audit import update_position_audit

    published = bring_up_to_date(update_position_audit, table, context)
    tell_of_feeds()
    return published


def compare_live(tables: "Mapping[str, Asset]", context: Any) -> None:
    """Bring coverage, gaps and position_audit up to what is live, and tell of feeds that are wrong, minute by minute.

    While a run of audit_positions is at work on position_audit this is its task. Raises ChannelError likewise.
    """
    from orbitlake import audit
    from orbitlake.lake import Lake
    from orbitlake.settings import from_environment

    lake = Lake(from_environment().data)
    rows = dict.fromkeys(tables, 0)
    if not audit.is_being_updated(lake):
        for published in (*audit.update(lake), audit.update_position_audit(lake)):
            rows[published.table] = published.rows_written
    announce(context, {asset: rows[name] for name, asset in tables.items()})
    tell_of_feeds()


def tell_of_feeds() -> None:
    """Raise and clear an alert for each verdict on a feed. Raises ChannelError where a channel cannot be told."""
    from orbitlake.alerts import ChannelError
    from orbitlake.audit import feed_conditions
    from orbitlake.orchestration.alerting import board

    alerts = board()
    for condition in feed_conditions(alerts.lake, [alert.name for alert in alerts.standing()]):
        # One channel that takes nothing must not keep the others from what comes after; below it fails.
        with suppress(ChannelError):
            alerts.heed(condition)
    alerts.settle_all()
