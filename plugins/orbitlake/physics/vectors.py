"""Lengths and products of vectors, by ERFA's plain loops: BLAS differs in its last bits from processor to processor."""

import erfa
import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


def lengths(vectors: Reals) -> Reals:
    """Return the lengths of vectors: (n, 3) -> (n,)."""
    return np.asarray(erfa.pm(vectors))


def dots(vectors: Reals, others: Reals) -> Reals:
    """Return the scalar products of vectors, each with its own: (n, 3), (n, 3) -> (n,)."""
    return np.asarray(erfa.pdp(vectors, others))
