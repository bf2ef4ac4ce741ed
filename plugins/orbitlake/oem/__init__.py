"""CCSDS orbit ephemeris messages (OEM): one message in, one issue of tables out."""

from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue import Issue
from orbitlake.oem.reader.read import read, read_all, read_all_bytes, read_bytes

__all__ = ["Issue", "OemError", "read", "read_all", "read_all_bytes", "read_bytes"]
