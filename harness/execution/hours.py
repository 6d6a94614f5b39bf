"""What calls of a machine that is paid by the hour cost: shares of the time that it was busy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def shared_hours_cost(intervals: Sequence[tuple[float, float]], usd_per_hour: float) -> list[float]:
    """The cost in US dollars of each call.

    At every instant the machine's price is divided equally among the calls in flight, so that the
    costs sum to `usd_per_hour` times the hours in which at least one call was. Idle time is
    nobody's: what a machine costs that waits is a question of its load, not of a call.

    With the distinct starts and ends t_0 < ... < t_m as marks, n_j calls between t_j and t_(j+1),
    and S(t_k) the sum over j < k of (t_(j+1) - t_j) / n_j, a call's share is S(end) - S(start).
    Takes O(n log n).

    Args:
        intervals: start and end of each call in seconds, on one clock; a call of no length costs
            nothing.
        usd_per_hour: the machine's price.

    Raises:
        ValueError: if a call ends before it starts, or a time is not finite.
    """
    if not len(intervals):
        return []
    times = np.asarray(intervals, dtype=np.float64)
    start, end = times[:, 0], times[:, 1]
    if not np.isfinite(times).all() or (end < start).any():
        raise ValueError("every call needs a start, and an end that is not before it")
    marks, place = np.unique(times, return_inverse=True)
    at_start, at_end = place.reshape(times.shape).T
    change = np.bincount(at_start, minlength=len(marks)) - np.bincount(at_end, minlength=len(marks))
    in_flight = np.cumsum(change)[:-1]
    share_s = np.diff(marks) / np.maximum(in_flight, 1) * (in_flight > 0)
    passed_s = np.concatenate([[0.0], np.cumsum(share_s)])
    cost: list[float] = ((passed_s[at_end] - passed_s[at_start]) * usd_per_hour / 3600.0).tolist()
    return cost
