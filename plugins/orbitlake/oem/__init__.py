"""CCSDS orbit ephemeris messages (OEM): one file in, one issue of tables out."""

from orbitlake.oem.errors import OemError
from orbitlake.oem.issue import Issue, read, read_bytes

__all__ = ["Issue", "OemError", "read", "read_bytes"]
