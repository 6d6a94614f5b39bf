"""Vectors of length 1."""

from __future__ import annotations

import numpy as np

from harness.core.score import FloatArray


def unit(vectors: FloatArray) -> FloatArray:
    """Rows scaled to length 1; a row of zeros stays one.

    Raises:
        ValueError: if a number is not finite.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    if not np.isfinite(largest).all():
        raise ValueError("a vector holds a number that is not finite")
    scaled = vectors / np.where(largest > 0, largest, 1.0)  # so that no square overflows
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    found: FloatArray = scaled / np.where(lengths > 0, lengths, 1.0)
    return found
