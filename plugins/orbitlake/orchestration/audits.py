"""What a task of audit_positions does: one table brought up to date, and told of."""

from collections.abc import Callable
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
