"""Means and paired differences whose intervals hold for rare, few, clustered or repeated outcomes.

One idea serves all cases. A mean of values between 0 and 1 has at most a share's variance; the
ratio of its real variance, clusters respected, to a share's is the dispersion. Dividing the counts
by the dispersion gives the share of an independent sample that is known as well, and the score
intervals of `harness.statistics.binomial` apply. The dispersion is itself an estimate: it is shrunk
towards a cautious value with the weight of an event or two, so that an interval neither collapses
when no event was seen nor trusts the spread of two. A paired difference is treated alike, as wins
and losses of one magnitude that match the mean and the variance of the differences; what their
third moment has beyond that shifts the interval, as Johnson (1978) shifts Student's.
docs/statistics.md derives it and reports the simulations that chose the weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.core.score import FloatArray, IntArray
from harness.statistics import binomial

_ROUNDING = 1e-12
"""A mean difference this small, relative to the largest possible, is rounding."""
_LEAST_SPAN = 1e-100
"""Values no further apart are one value: their squares are beyond floating point."""
_PRIOR_EVENTS_MEAN = 1.0
_PRIOR_EVENTS_PAIR = 2.0
_PRIOR_EVENTS_MAGNITUDE = 1.0
_EXTRA_DEGREES_PAIR = 4.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, its standard error and interval, and the name of the interval's method.

    The ends are None where the data say nothing about them.
    """

    value: float
    standard_error: float
    low: float | None
    high: float | None
    method: str


def mean_estimate(
    values: FloatArray,
    clusters: IntArray | None,
    bounds: tuple[float | None, float | None],
    confidence: float,
    *,
    binary: bool = False,
) -> Estimate:
    """The mean of `values`, one per example, with its interval.

    Args:
        values: shape (n,), n >= 1, finite.
        clusters: shape (n,), codes from 0 of dependent groups, none empty; None where all are
            independent.
        bounds: the least and the largest value that can occur; None where unknown, and then
            the observed ones serve.
        confidence: two-sided.
        binary: each value is one 0 or 1.
    """
    n = len(values)
    mean = float(values.mean())
    residuals, sizes = _cluster_sums(values - mean, clusters)
    variance = _variance_of_mean(residuals, n)
    error = math.sqrt(variance)
    bottom = float(values.min()) if bounds[0] is None else bounds[0]
    top = float(values.max()) if bounds[1] is None else bounds[1]
    span = top - bottom
    if span < _LEAST_SPAN:
        return Estimate(mean, error, None, None, "undefined: no spread, no known range")
    share = min(max((mean - bottom) / span, 0.0), 1.0)
    if binary and clusters is None:
        low, high = binomial.share_interval(round(share * n), n, confidence)
        return _scaled(mean, error, (low, high), (bottom, span), "exact_or_wilson_or_jeffreys")
    if len(residuals) < 2:
        return Estimate(mean, error, None, None, "undefined: one cluster only")
    model = share * (1 - share) / n
    events = _events(values, clusters)
    observed = (
        _cautious_variance((values - mean) / span, residuals / span) / model if model else 0.0
    )
    dispersion = _shrunk(observed, events, _cautious_dispersion(sizes), _PRIOR_EVENTS_MEAN)
    divisor = dispersion * _student_factor(len(sizes) - 1, confidence)
    low, high = binomial.wilson_or_jeffreys(share * n / divisor, n / divisor, confidence)
    if None in bounds:
        # The observed range hides the tail: move by the skewness that a share would not have.
        excess = _third_over_second(residuals) - span * divisor * (1 - 2 * share)
        shift = _johnson(excess, confidence) / n / span * events / (events + _PRIOR_EVENTS_MEAN)
        low, high = min(low + shift, share), max(high + shift, share)
    return _scaled(mean, error, (low, high), (bottom, span), "wilson_or_jeffreys_effective_n")


def paired_estimate(
    diffs: FloatArray,
    clusters: IntArray | None,
    scale: float | None,
    confidence: float,
    *,
    binary: bool = False,
) -> Estimate:
    """The mean of paired differences, one per example, with its interval.

    Args:
        diffs: shape (n,), n >= 1, candidate minus baseline, finite.
        clusters: as in `mean_estimate`.
        scale: the largest difference possible (1 for shares); None where unknown, and then the
            largest observed one serves.
        confidence: two-sided.
        binary: each difference is one -1, 0 or 1; independent ones take Tango's interval as it is.
    """
    n = len(diffs)
    mean = float(diffs.mean())
    residuals, _ = _cluster_sums(diffs - mean, clusters)
    error = math.sqrt(_variance_of_mean(residuals, n))
    if scale is None:
        scale = float(np.abs(diffs).max())
        if scale < _LEAST_SPAN or np.ptp(diffs) == 0:
            return Estimate(mean, error, None, None, "undefined: no spread, no known range")
    if abs(mean) < _ROUNDING * scale:
        mean = 0.0
    if binary and clusters is None:
        wins, losses = float((diffs > 0).sum()), float((diffs < 0).sum())
        low, high = binomial.tango(wins, losses, n, confidence)
        return Estimate(mean, error, low, high, "tango")
    if len(residuals) < 2:
        return Estimate(mean, error, None, None, "undefined: one cluster only")
    low, high = _paired_interval(diffs / scale, clusters, residuals / scale, confidence)
    low, high = max(-1.0, low) * scale, min(1.0, high) * scale
    return Estimate(mean, error, min(low, mean), max(high, mean), "tango_effective_n")


def cluster_totals(values: FloatArray, clusters: IntArray | None) -> FloatArray:
    """Sums of `values` (n, columns) within each cluster: shape (n_clusters, columns)."""
    if clusters is None:
        return values
    totals = np.zeros((int(clusters.max()) + 1, values.shape[1]))
    np.add.at(totals, clusters, values)
    return totals


def _paired_interval(
    diffs: FloatArray, clusters: IntArray | None, residuals: FloatArray, confidence: float
) -> tuple[float, float]:
    """Tango's interval of the wins and losses that match the differences' moments."""
    n, n_clusters = len(diffs), len(residuals)
    gains, falls = float(diffs[diffs > 0].sum()), float(-diffs[diffs < 0].sum())
    events = _events(diffs, clusters)
    square = float((diffs**2).sum())
    observed = square / (gains + falls) if square else 1.0
    magnitude = _shrunk(observed, events, 1.0, _PRIOR_EVENTS_MAGNITUDE)
    model = (magnitude * (gains + falls) / n - ((gains - falls) / n) ** 2) / n
    variance = _cautious_variance(diffs - (gains - falls) / n, residuals)
    observed = variance / model if model > 0 else 0.0
    cautious = _cautious_dispersion(_cluster_sums(diffs, clusters)[1])
    # Where most clusters have an event, their spread needs no prior.
    prior_events = _PRIOR_EVENTS_PAIR * (1 - min(1.0, events / n_clusters)) ** 2
    dispersion = max(observed, _shrunk(observed, events, cautious, prior_events))
    degrees = min(n_clusters - 1, events + _EXTRA_DEGREES_PAIR)
    divisor = dispersion * _student_factor(degrees, confidence)
    size = magnitude * divisor
    wins, losses, effective = gains / size, falls / size, n / divisor
    low, high = binomial.tango(wins, losses, effective, confidence)
    shift = _skewness_shift(residuals, (wins, losses, effective, size), confidence) / n
    shift *= events / (events + _PRIOR_EVENTS_PAIR)
    return low * magnitude + shift, high * magnitude + shift


def _skewness_shift(
    residuals: FloatArray, model: tuple[float, float, float, float], confidence: float
) -> float:
    """How far the sum's interval moves for the skewness that Tango's counts do not have."""
    wins, losses, n, size = model
    apart, events = wins - losses, wins + losses
    third = apart - 3 * events * apart / n + 2 * apart**3 / n**2
    second = events - apart**2 / n
    expected = size * third / second if second > 0 else 0.0
    return _johnson(_third_over_second(residuals) - expected, confidence)


def _third_over_second(residuals: FloatArray) -> float:
    square = float((residuals**2).sum())
    return float((residuals**3).sum()) / square if square > 0 else 0.0


def _johnson(third_over_second: float, confidence: float) -> float:
    """How far a skewed sum's interval moves (Johnson 1978, JASA 73, 536-544).

    (1 + 2 z^2) / 6 times the sum's third moment over its second.
    """
    z = binomial.z_quantile(confidence)
    return (1 + 2 * z * z) / 6 * third_over_second


def _scaled(
    mean: float,
    error: float,
    interval: tuple[float, float],
    place: tuple[float, float],
    method: str,
) -> Estimate:
    """An interval of a share brought back to the metric's own range, bottom and span."""
    bottom, span = place
    return Estimate(mean, error, bottom + span * interval[0], bottom + span * interval[1], method)


def _cluster_sums(values: FloatArray, clusters: IntArray | None) -> tuple[FloatArray, FloatArray]:
    """Sum and size of every cluster; each value its own where None."""
    if clusters is None:
        return values, np.ones(len(values))
    sums = np.bincount(clusters, weights=values).astype(np.float64, copy=False)
    return sums, np.bincount(clusters).astype(np.float64)


def _variance_of_mean(residual_sums: FloatArray, n: int) -> float:
    """The cluster-robust (CR1) variance of a mean of `n` values (Liang and Zeger 1986)."""
    n_clusters = len(residual_sums)
    if n_clusters < 2:
        return 0.0
    return float(n_clusters / (n_clusters - 1) * (residual_sums**2).sum() / n**2)


def _cautious_variance(residuals: FloatArray, cluster_sums: FloatArray) -> float:
    """The variance of a mean, clusters respected, but at least half of what it is without them.

    Differences that happen to cancel within every cluster are chance, not certainty.
    """
    n = len(residuals)
    return max(_variance_of_mean(cluster_sums, n), 0.5 * _variance_of_mean(residuals, n))


def _events(values: FloatArray, clusters: IntArray | None) -> float:
    """Over how many clusters the deviations from the usual value are spread.

    k if k clusters hold equal parts of them. With rare wins and losses the usual value is 0, and
    these are counted; if all differ alike but for a few, the few are.
    """
    sums, _ = _cluster_sums(np.abs(values - np.median(values)), clusters)
    largest = float(sums.max())
    if largest == 0:
        return 0.0
    shares = sums / largest
    return float(shares.sum() ** 2 / (shares**2).sum())


def _cautious_dispersion(sizes: FloatArray) -> float:
    """The design effect of clusters of these sizes if half of all variance were between them."""
    return float(1 + 0.5 * ((sizes**2).sum() / sizes.sum() - 1))


def _shrunk(observed: float, events: float, cautious: float, prior_events: float) -> float:
    """A dispersion or magnitude seen in `events`, averaged with a cautious one."""
    weight = events + prior_events
    return (events * observed + prior_events * cautious) / weight if weight > 0 else cautious


def _student_factor(degrees: float, confidence: float) -> float:
    """How much the variance must be inflated for z to do as Student's t."""
    from scipy.special import stdtrit

    t = float(stdtrit(degrees, 0.5 + confidence / 2))
    return (t / binomial.z_quantile(confidence)) ** 2
