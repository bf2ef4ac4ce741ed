"""What is to be said of the position feeds: where they were silent and why, what fills that, how far off they are."""

from orbitlake.audit.conditions import feed_conditions
from orbitlake.audit.days import update
from orbitlake.audit.filling import fill
from orbitlake.audit.position_audit import is_being_updated, update_position_audit

__all__ = ["feed_conditions", "fill", "is_being_updated", "update", "update_position_audit"]
