"""What a task of audit_positions does: tables brought up to date, and told of."""

from collections.abc import Callable, Mapping
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
