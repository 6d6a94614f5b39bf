"""Intervals for one share and for the difference of two paired shares.

Counts may be fractional: `harness.statistics.estimates` turns clustered or repeated data into
effective counts and comes here with them.
"""

from __future__ import annotations

import math
from statistics import NormalDist

EXACT_BELOW_N = 100
EXACT_BELOW_EVENTS = 3
"""Smaller samples, and fewer successes or failures than this, take the exact interval."""


def z_quantile(confidence: float) -> float:
    """The normal quantile of a two-sided confidence: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def clopper_pearson(x: float, n: float, confidence: float) -> tuple[float, float]:
    """The exact interval of a share: `x` successes of `n` (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(x, n - x + 1, tail)) if x > 0 else 0.0
    high = float(betaincinv(x + 1, n - x, 1 - tail)) if x < n else 1.0
    return low, high


def jeffreys(x: float, n: float, confidence: float) -> tuple[float, float]:
    """The Jeffreys interval of a share, closed at 0 and 1 (Brown, Cai and DasGupta 2001)."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(x + 0.5, n - x + 0.5, tail)) if x > 0 else 0.0
    high = float(betaincinv(x + 0.5, n - x + 0.5, 1 - tail)) if x < n else 1.0
    return low, high


def wilson(x: float, n: float, confidence: float) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927)."""
    z = z_quantile(confidence)
    share = x / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def share_interval(x: float, n: float, confidence: float) -> tuple[float, float]:
    """The interval of a share of independent draws: exact for small samples and few events.

    Covers at least 93.5 % whatever the share (tests/unit/statistics enumerates it).
    """
    if n < EXACT_BELOW_N or min(x, n - x) < EXACT_BELOW_EVENTS:
        return clopper_pearson(x, n, confidence)
    return wilson_or_jeffreys(x, n, confidence)


def wilson_or_jeffreys(x: float, n: float, confidence: float) -> tuple[float, float]:
    """At each end the wider of Wilson and Jeffreys.

    Wilson's end nearer to 0 or 1 is too tight for rare outcomes (92.2 % at n = 50 and 2 %),
    Jeffreys' other end is.
    """
    score, beta = wilson(x, n, confidence), jeffreys(x, n, confidence)
    return min(score[0], beta[0]), max(score[1], beta[1])


def tango_z(wins: float, losses: float, n: float, diff: float) -> float:
    """The score statistic of a paired difference under the hypothesis that it is `diff`.

    `wins` of `n` pairs favour the candidate, `losses` the baseline. Positive where the data lie
    above `diff`. Tango (1998), Statistics in Medicine 17, 891-908, with the restricted
    maximum-likelihood estimate in closed form.
    """
    distance = wins - losses - n * diff
    if abs(distance) < 1e-12:
        return 0.0
    a = 2 * n
    b = -wins - losses + (2 * n - wins + losses) * diff
    c = -losses * diff * (1 - diff)
    q = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * q + diff * (1 - diff))
    return distance / math.sqrt(max(variance, 1e-300))


def tango(wins: float, losses: float, n: float, confidence: float) -> tuple[float, float]:
    """Tango's score interval for a paired difference of shares, never of width 0.

    Where all discordant pairs point one way, the end nearer to 0 is that of the Jeffreys
    interval if that is wider: there Tango's covers down to 93.2 % (docs/statistics.md).
    """
    z = z_quantile(confidence)
    estimate = (wins - losses) / n
    low = -1.0 if wins == 0 and losses >= n else _solve(wins, losses, n, z, (-1.0, estimate))
    high = 1.0 if losses == 0 and wins >= n else _solve(wins, losses, n, -z, (estimate, 1.0))
    if losses == 0 and wins > 0:
        low = min(low, jeffreys(wins, n, confidence)[0])
    if wins == 0 and losses > 0:
        high = max(high, -jeffreys(losses, n, confidence)[0])
    return low, high


def _solve(
    wins: float, losses: float, n: float, target: float, bracket: tuple[float, float]
) -> float:
    """The `diff` within `bracket` at which the score statistic, falling in `diff`, is `target`."""
    low, high = bracket
    for _ in range(60):
        middle = (low + high) / 2
        if tango_z(wins, losses, n, middle) > target:
            low = middle
        else:
            high = middle
        if high - low < 1e-10:
            break
    return (low + high) / 2
