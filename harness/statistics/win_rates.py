"""Win rates, where a tie is half a win: an interval for clustered examples, and the sign test."""

from __future__ import annotations

import math

import numpy as np

from harness.core.score import FloatArray, IntArray
from harness.statistics import binomial
from harness.statistics.estimates import Estimate, cluster_totals
from harness.statistics.permutation import mcnemar_exact

_PRIOR_EVENTS = 0.5
_PRIOR_CORRELATION = 0.2
"""What the prior dispersion takes two examples of one cluster to have in common."""
_LEAST_OF_UNCLUSTERED = 0.5


def win_rate_estimate(values: FloatArray, clusters: IntArray | None, confidence: float) -> Estimate:
    """The mean of wins (1), losses (0) and ties (0.5), one per example, with its interval.

    Wilson's interval on effective counts, as `mean_estimate` has it, but meant to cover what it
    says instead of at least that: `mean_estimate` covers up to 99 % where few clusters hold a rare
    win. Its dispersion is averaged with half an event's weight of a correlation of 0.2, and only
    Wilson's ends are taken. Ties lower the variance, and with it the dispersion, below a share's.
    docs/statistics.md has the simulations (tests/statistical/test_win_rates.py). Fewer than about
    five clusters with an event are too few for it to be exact.

    Args:
        values: shape (n,), n >= 1, each between 0 and 1.
        clusters: shape (n,), codes from 0 of dependent groups, none empty; None where all are
            independent.
        confidence: two-sided.

    Returns:
        The estimate; its ends are None where there is one cluster only.

    Raises:
        ValueError: there is no value, or one is not between 0 and 1.
    """
    n = len(values)
    if not n or not np.all((values >= 0) & (values <= 1)):
        raise ValueError("win rates need values between 0 and 1, and at least one")
    mean = float(values.mean())
    columns = (values - mean, np.abs(values - np.median(values)), np.ones(n))
    residuals, deviations, sizes = cluster_totals(np.stack(columns, axis=1), clusters).T
    if len(sizes) < 2:
        return Estimate(mean, 0.0, None, None, "undefined: one cluster only")
    variance = _variance_of_mean(residuals, n)
    cautious = max(variance, _LEAST_OF_UNCLUSTERED * _variance_of_mean(values - mean, n))
    share_variance = mean * (1 - mean) / n
    observed = cautious / share_variance if share_variance > 0 else 0.0
    dispersion = _averaged(observed, deviations, sizes)
    divisor = dispersion * _student_factor(len(sizes) - 1, confidence)
    low, high = binomial.wilson(mean * n / divisor, n / divisor, confidence)
    return Estimate(
        mean, math.sqrt(variance), min(low, mean), max(high, mean), "wilson_effective_n"
    )


def sign_test(wins: int, losses: int) -> float:
    """The two-sided exact p-value that wins and losses are equally likely; ties are left out.

    Two independent examples that a cluster ties together count as two: with clusters it is too
    sure.

    Raises:
        ValueError: a count is negative.
    """
    if min(wins, losses) < 0:
        raise ValueError("wins and losses are at least 0")
    return mcnemar_exact(wins, losses)


def _variance_of_mean(residual_sums: FloatArray, n: int) -> float:
    """The cluster-robust (CR1) variance of a mean of `n` values (Liang and Zeger 1986)."""
    n_clusters = len(residual_sums)
    return float(n_clusters / (n_clusters - 1) * (residual_sums**2).sum() / n**2)


def _averaged(observed: float, deviations: FloatArray, sizes: FloatArray) -> float:
    """The observed dispersion, averaged with the prior one by the events that it rests on.

    Events: over how many clusters the deviations from the usual value are spread.
    """
    square = float((deviations**2).sum())
    events = float(deviations.sum()) ** 2 / square if square > 0 else 0.0
    expected = 1 + _PRIOR_CORRELATION * (float((sizes**2).sum() / sizes.sum()) - 1)
    return (events * observed + _PRIOR_EVENTS * expected) / (events + _PRIOR_EVENTS)


def _student_factor(degrees: int, confidence: float) -> float:
    """How much the variance must be inflated for z to do as Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + confidence / 2) / binomial.z_quantile(confidence)) ** 2
