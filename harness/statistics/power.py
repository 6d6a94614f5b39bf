"""How small a difference a comparison can show, and how many examples it would need."""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.statistics.binomial import z_quantile

_HOPELESS = 1e-4
"""A difference this far below the detectable one would need 100 million times the examples."""
POWER = 0.8
"""The chance of finding a difference of the detectable size."""


def detectable_difference(low: float | None, high: float | None, confidence: float) -> float | None:
    """The difference found with 80 % power by a comparison whose interval is (`low`, `high`)."""
    if low is None or high is None:
        return None
    z = z_quantile(confidence)
    return (high - low) / 2 * (z + NormalDist().inv_cdf(POWER)) / z


def planned_detectable_difference(
    n: int, discordant_share: float, confidence: float
) -> float | None:
    """The difference of two shares that `n` paired examples would show with 80 % power.

    `discordant_share` is the assumed share of examples on which the two variants differ; the
    variance of a paired difference near 0 is that share (Connor 1987). None where even that is
    too large a difference for so few discordant examples.
    """
    if n < 1:
        return None
    z = z_quantile(confidence) + NormalDist().inv_cdf(POWER)
    difference = z * math.sqrt(discordant_share / n)
    return difference if difference <= discordant_share else None


def examples_needed(n: int, estimate: float, bound: float, limit: float) -> int | None:
    """How many examples would bring an interval's `bound` to `limit`, the estimate unchanged.

    None where no number would, because the estimate itself is on the wrong side.
    """
    reach, room = estimate - bound, estimate - limit
    if room == 0 or reach * room <= 0:
        return None
    return max(n + 1, math.ceil(n * (reach / room) ** 2))


def examples_to_show(n: int, difference: float, detectable: float) -> int | None:
    """How many examples would show `difference` with 80 % power, if `n` show `detectable`.

    None where there is no difference to show, `n` are enough, or no set is that large.
    """
    if abs(difference) >= detectable or abs(difference) < detectable * _HOPELESS:
        return None
    return math.ceil(n * (detectable / difference) ** 2)
