"""How far judges agree: share of equal verdicts, Cohen's kappa, Krippendorff's nominal alpha."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.core.score import FloatArray, IntArray
from harness.statistics.binomial import EXACT_BELOW_EVENTS
from harness.statistics.estimates import mean_estimate
from harness.statistics.resampling import resampled_sums


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two raters' verdicts on the same items have in common.

    The ends are None where the data say nothing about them; kappa is None where chance alone
    would make both agree always, and all but `n` are None where nothing was rated by both.
    """

    n: int
    share: float | None
    low: float | None
    high: float | None
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None


def confusion(a: IntArray, b: IntArray, n_categories: int) -> IntArray:
    """Counts of verdicts: shape (n_categories, n_categories), rows by `a`, columns by `b`.

    Args:
        a: shape (n,), codes from 0.
        b: shape (n,), the other rater's, item by item.
        n_categories: how many there are.

    Raises:
        ValueError: the two differ in length, or a code is outside its range.
    """
    cells = _cells(a, b, n_categories)
    counts = np.bincount(cells, minlength=n_categories**2)
    return counts.reshape(n_categories, n_categories).astype(np.int32)


def agreement(a: IntArray, b: IntArray) -> tuple[float | None, int]:
    """The share of items with equal codes, None of no items, and how many items: (n,) each.

    Raises:
        ValueError: the two differ in length.
    """
    if len(a) != len(b):
        raise ValueError("the raters' codes differ in length")
    return (float(np.mean(a == b)) if len(a) else None), len(a)


def cohen_kappa(a: IntArray, b: IntArray, n_categories: int) -> float | None:
    """Agreement beyond chance, 1 at most (Cohen 1960, Educ. Psychol. Meas. 20, 37-46).

    Chance is what two raters with these shares of every category would have. None where that is
    1 (both gave one and the same category throughout) or nothing was rated.

    Args:
        a: shape (n,), codes from 0.
        b: shape (n,), the other rater's, item by item.
        n_categories: how many there are; unused ones change nothing.

    Raises:
        ValueError: as in `confusion`.
    """
    kappa = float(_kappas(confusion(a, b, n_categories)[None].astype(np.float64))[0])
    return None if np.isnan(kappa) else kappa


def krippendorff_alpha(codes: IntArray, n_categories: int) -> float | None:
    """Krippendorff's alpha for nominal codes of any number of raters, some missing.

    1 - observed over expected disagreement, by coincidences within units (Krippendorff 2011,
    "Computing Krippendorff's Alpha-Reliability"). Units with fewer than two codes do not count.
    None where no unit has two, or all codes that count are alike.

    Args:
        codes: shape (raters, units), from 0; -1 where a rater gave none.
        n_categories: how many there are; unused ones change nothing.

    Raises:
        ValueError: a code is outside its range.
    """
    if codes.size and (codes.min() < -1 or codes.max() >= n_categories):
        raise ValueError(f"a code is outside -1 to {n_categories - 1}")
    given = np.stack([(codes == c).sum(axis=0) for c in range(n_categories)], axis=1)
    raters = given.sum(axis=1)
    given, raters = given[raters > 1].astype(np.float64), raters[raters > 1]
    totals, n = given.sum(axis=0), float(raters.sum())
    expected = n**2 - (totals**2).sum()
    if expected == 0:
        return None
    unlike = (raters**2 - (given**2).sum(axis=1)) / (raters - 1)
    return float(1 - (n - 1) * unlike.sum() / expected)


def agree(  # noqa: PLR0913, PLR0917
    a: IntArray,
    b: IntArray,
    n_categories: int,
    clusters: IntArray | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Share of equal verdicts and kappa of two raters, with intervals that respect clusters.

    The share's interval is `mean_estimate`'s. Kappa's is the percentile interval of resampled
    clusters; resamples without a kappa are left out. Where fewer than three verdicts differ, or
    fewer than three agree, resamples are too much alike to show the spread: there kappa's ends are
    at least as far out as those of the share, with the agreement by chance taken as it is.

    Args:
        a: shape (n,), codes from 0.
        b: shape (n,), the other rater's, item by item.
        n_categories: how many there are.
        clusters: shape (n,), codes of dependent groups; None: all items are independent.
        confidence: two-sided.
        resamples: how many, at least 1.
        seed: of the generator that draws them.

    Raises:
        ValueError: as in `confusion`; or `clusters` is of another length.
    """
    counts = confusion(a, b, n_categories)
    n = len(a)
    if clusters is not None and len(clusters) != n:
        raise ValueError("clusters and codes differ in length")
    if n == 0:
        return Agreement(0, None, None, None, None, None, None)
    groups = None if clusters is None else np.unique(clusters, return_inverse=True)[1]
    if groups is not None and groups.max() == n - 1:
        groups = None
    equal = (a == b).astype(np.float64)
    codes = None if groups is None else groups.astype(np.int32)
    share = mean_estimate(equal, codes, (0.0, 1.0), confidence, binary=True)
    kappa = cohen_kappa(a, b, n_categories)
    units = np.arange(n) if groups is None else groups
    low = high = None
    if kappa is not None and share.low is not None and share.high is not None:
        place = (_cells(a, b, n_categories), units)
        chunks = list(resampled_sums(np.ones(n), place, n_categories**2, resamples, seed))
        tables = np.concatenate(chunks).reshape(-1, n_categories, n_categories)
        low, high = _kappa_interval(tables, counts, (share.low, share.high), confidence)
    return Agreement(n, share.value, share.low, share.high, kappa, low, high)


def _cells(a: IntArray, b: IntArray, n_categories: int) -> np.ndarray:
    """Each item's place in the flattened table, `a` by `b`."""
    if len(a) != len(b):
        raise ValueError("the raters' codes differ in length")
    for codes in (a, b):
        if len(codes) and (codes.min() < 0 or codes.max() >= n_categories):
            raise ValueError(f"a code is outside 0 to {n_categories - 1}")
    return np.asarray(a, dtype=np.int64) * n_categories + b


def _kappas(tables: FloatArray) -> FloatArray:
    """Kappa of tables (m, categories, categories): shape (m,), NaN where undefined."""
    totals = tables.sum(axis=(1, 2))
    observed = np.trace(tables, axis1=1, axis2=2) * totals
    by_chance = (tables.sum(axis=2) * tables.sum(axis=1)).sum(axis=1)
    # Counts are whole numbers: where chance is 1 the difference is exactly 0.
    beyond = totals**2 - by_chance
    result = np.full(len(tables), np.nan)
    np.divide(observed - by_chance, beyond, out=result, where=beyond > 0)
    return result


def _kappa_interval(
    tables: FloatArray, counts: IntArray, share: tuple[float, float], confidence: float
) -> tuple[float | None, float | None]:
    """The ends of kappa's interval, from resampled tables and the share's interval."""
    kappas = _kappas(tables)
    kappas = kappas[~np.isnan(kappas)]
    if not len(kappas):
        return None, None
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = (float(end) for end in np.quantile(kappas, tails))
    n, equal = int(counts.sum()), int(np.trace(counts))
    if min(equal, n - equal) < EXACT_BELOW_EVENTS:
        chance = float(counts.sum(axis=0) / n @ (counts.sum(axis=1) / n))
        low = min(low, max(-1.0, (share[0] - chance) / (1 - chance)))
        high = max(high, (share[1] - chance) / (1 - chance))
    return low, high
