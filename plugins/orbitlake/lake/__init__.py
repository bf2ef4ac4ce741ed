"""The files below the data root: where each lies, how it is written, listed and checked. Its face is `Lake`."""

from orbitlake.lake.errors import LakeError
from orbitlake.lake.paths import Lake

__all__ = ["Lake", "LakeError"]
