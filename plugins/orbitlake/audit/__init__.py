"""What the raw records say of the feeds themselves: which hours they covered, and where, and why, they did not."""

from orbitlake.audit.days import update

__all__ = ["update"]
