"""A win rate as humans would give it, from a judge's win rate and the judge's known errors."""

from __future__ import annotations

import math

from harness.statistics.binomial import z_quantile
from harness.statistics.estimates import Estimate

_METHOD = "lang_reiczigel"


def corrected_rate(  # noqa: PLR0913, PLR0917
    rate: float,
    variance: float,
    sensitivity: float,
    specificity: float,
    n_sensitivity: float,
    n_specificity: float,
    confidence: float,
) -> Estimate | None:
    """The rate at which humans prefer the candidate, from the rate at which the judge does.

    The estimator of Rogan and Gladen (1978, Am. J. Epidemiol. 107, 71-76), kept within 0 and 1:
    (rate + specificity - 1) / (sensitivity + specificity - 1). The interval is that of Lang and
    Reiczigel (2014, Prev. Vet. Med. 113, 13-22), which knows that all three rates are estimates;
    the number of verdicts behind `rate` is the one of independent verdicts with its variance. The
    items on which the judge's errors were measured are taken as others than those of `rate`, and
    as independent.

    Args:
        rate: the judge's win rate of the candidate, 0 to 1, a tie counting half.
        variance: of `rate`, clusters respected.
        sensitivity: P(the judge prefers the candidate | humans do), 0 to 1.
        specificity: P(the judge prefers the baseline | humans do), 0 to 1.
        n_sensitivity: items behind `sensitivity`.
        n_specificity: items behind `specificity`.
        confidence: two-sided.

    Returns:
        None where sensitivity + specificity is at most 1: the judge does no better than chance, and
        its rate says nothing. None too where either was measured on nothing. The ends are None
        where `variance` is 0: the data show no sampling error, not that there is none.

    Raises:
        ValueError: a rate is outside 0 to 1, the variance is negative, or one is not a number.
    """
    if not all(0 <= share <= 1 for share in (rate, sensitivity, specificity)):
        raise ValueError("rate, sensitivity and specificity lie between 0 and 1")
    if not 0 <= variance < math.inf:
        raise ValueError("variance is at least 0 and finite")
    better_than_chance = sensitivity + specificity - 1
    if better_than_chance <= 0 or min(n_sensitivity, n_specificity) <= 0:
        return None
    value = min(max((rate + specificity - 1) / better_than_chance, 0.0), 1.0)
    hits, rejections = (sensitivity, n_sensitivity), (specificity, n_specificity)
    error = math.sqrt(_error_variance(value, variance, hits, rejections)) / better_than_chance
    if variance == 0:
        return Estimate(value, error, None, None, "undefined: no sampling error was seen")
    low, high = _interval(rate, variance, hits, rejections, confidence)
    return Estimate(value, error, min(low, value), max(high, value), _METHOD)


def _error_variance(
    value: float,
    variance: float,
    hits: tuple[float, float],
    rejections: tuple[float, float],
) -> float:
    """The variance of the judge's rate and of what it would be at a human rate of `value`."""
    (se, n_se), (sp, n_sp) = hits, rejections
    return variance + value**2 * se * (1 - se) / n_se + (1 - value) ** 2 * sp * (1 - sp) / n_sp


def _interval(
    rate: float,
    variance: float,
    hits: tuple[float, float],
    rejections: tuple[float, float],
    confidence: float,
) -> tuple[float, float]:
    """Lang and Reiczigel's interval: every share moved towards 1/2, and the centre corrected.

    The observed rate gets z^2 verdicts more, half of them wins, the judge's two shares a success
    and a failure each.
    """
    z = z_quantile(confidence)
    # Independent verdicts that would tell as much; none where a rate of 0 or 1 leaves no trace.
    n = rate * (1 - rate) / variance
    rate = (n * rate + z * z / 2) / (n + z * z)
    (se, n_se), (sp, n_sp) = (((x * n + 1) / (n + 2), n + 2) for x, n in (hits, rejections))
    better_than_chance = se + sp - 1
    if better_than_chance <= 0:
        return 0.0, 1.0
    value = (rate + sp - 1) / better_than_chance
    centre = value + 2 * z * z * (value * se * (1 - se) / n_se - (1 - value) * sp * (1 - sp) / n_sp)
    spread = _error_variance(value, rate * (1 - rate) / (n + z * z), (se, n_se), (sp, n_sp))
    half = z * math.sqrt(spread) / better_than_chance
    return max(0.0, centre - half), min(1.0, centre + half)
