"""Exact and resampled tests of paired differences."""

from __future__ import annotations

import numpy as np

from harness.core.score import FloatArray

_EXACT_UP_TO = 13
"""With this many differing units, all 2**13 sign patterns are enumerated."""
_CHUNK = 256
_TOLERANCE = 1e-4
"""Sums this close, relative to the largest difference, count as tied (float32 rounding)."""


def mcnemar_exact(wins: int, losses: int) -> float:
    """The two-sided exact p-value of McNemar's test (binomial on the discordant pairs)."""
    from scipy.special import bdtr

    discordant = wins + losses
    if discordant == 0:
        return 1.0
    return min(1.0, 2.0 * float(bdtr(min(wins, losses), discordant, 0.5)))


def sign_flip_p_values(diffs: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Two-sided p-values of the paired permutation test, one per column.

    Under the hypothesis that candidate and baseline are exchangeable, every unit's difference is as
    likely with either sign. With up to 13 differing units all patterns are enumerated; beyond, the
    p-value is (1 + extreme) / (1 + resamples), which is valid for any number of resamples (Phipson
    and Smyth 2010). A column's signs depend on the seed and the rows alone, never on other columns.

    Args:
        diffs: shape (units, columns); a unit that a column lacks is 0 there.
        resamples: how many sign patterns to draw.
        seed: of the generator that draws them.
    """
    n_units, n_columns = diffs.shape
    scale = np.abs(diffs).max(axis=0, initial=0.0)
    scaled = (diffs / np.where(scale > 0, scale, 1.0)).astype(np.float32)
    differing = (scaled != 0).sum(axis=0)
    result = np.ones(n_columns)
    for column in np.flatnonzero((differing > 0) & (differing <= _EXACT_UP_TO)):
        result[column] = _enumerated(scaled[:, column])
    drawn = np.flatnonzero(differing > _EXACT_UP_TO)
    if len(drawn):
        rows = np.flatnonzero((scaled[:, drawn] != 0).any(axis=1))
        extreme = _count_extreme(scaled[np.ix_(rows, drawn)], rows, n_units, resamples, seed)
        result[drawn] = (1 + extreme) / (1 + resamples)
    return result


def _enumerated(column: np.ndarray) -> float:
    values = column[column != 0].astype(np.float64)
    patterns = (np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1
    sums = np.abs((2 * patterns - 1) @ values)
    return float((sums >= abs(values.sum()) - _TOLERANCE).mean())


def _count_extreme(
    values: np.ndarray, rows: np.ndarray, n_units: int, resamples: int, seed: int
) -> np.ndarray:
    """How often a random flip is as extreme as the data, per column.

    A flipped sum is twice the sum over the positive signs less the total, so that one product
    of 0/1 bits with the values serves.
    """
    generator = np.random.default_rng(seed)
    totals = values.sum(axis=0, dtype=np.float64)
    bound = np.abs(totals) - _TOLERANCE
    n_bytes = (n_units + 7) // 8
    extreme = np.zeros(values.shape[1])
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        packed = generator.integers(0, 256, size=(size, n_bytes), dtype=np.uint8)
        bits = np.unpackbits(packed, axis=1, count=n_units)[:, rows].astype(np.float32)
        flipped = 2.0 * (bits @ values) - totals
        extreme += (np.abs(flipped) >= bound).sum(axis=0)
    return extreme
