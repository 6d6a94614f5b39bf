"""The ratio of two positive figures from their intervals."""

from __future__ import annotations

import math
from typing import TypeAlias

Interval: TypeAlias = tuple[float, float | None, float | None]
"""A figure, and the ends of its interval where they are known."""


def ratio_interval(ours: Interval, theirs: Interval) -> Interval | None:
    """Ours over theirs with its interval; None unless both figures are above 0, or both 0.

    Two zeros are alike: their ratio is 1.

    MOVER (Donner and Zou 2012, Statistical Methods in Medical Research 21, 347-359) on the
    logarithmic scale: each side's distance to its limit is squared and added. The two are taken as
    uncorrelated, which is cautious: on the same examples they rise and fall together.
    """
    (a, a_low, a_high), (b, b_low, b_high) = ours, theirs
    if a == b == 0:
        return 1.0, 1.0, 1.0
    if a <= 0 or b <= 0:
        return None
    down = _hypotenuse(_log_distance(a, a_low), _log_distance(b, b_high))
    up = _hypotenuse(_log_distance(a, a_high), _log_distance(b, b_low))
    ratio = a / b
    return (
        ratio,
        None if down is None else ratio * math.exp(-down),
        None if up is None else ratio * math.exp(up),
    )


def _log_distance(value: float, end: float | None) -> float | None:
    return abs(math.log(value / end)) if end is not None and end > 0 else None


def _hypotenuse(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else math.hypot(first, second)
