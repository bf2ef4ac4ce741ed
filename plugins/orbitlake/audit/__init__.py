"""What the raw records say of the feeds themselves: where they were silent, and why; where the object was meanwhile."""

from orbitlake.audit.days import update
from orbitlake.audit.filling import fill

__all__ = ["fill", "update"]
