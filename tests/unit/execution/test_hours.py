"""A machine's busy hours, shared by the calls in flight."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.execution.hours import shared_hours_cost

HOUR = 3600.0
INTERVALS = st.lists(
    st.tuples(st.floats(0, 1e5), st.floats(0, 1e4)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=30,
)


def busy_s(intervals: list[tuple[float, float]]) -> float:
    """The length of the union, by walking along it."""
    total, until = 0.0, -math.inf
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def by_pieces(intervals: list[tuple[float, float]], usd_per_hour: float) -> list[float]:
    """The definition, read literally: every piece of time is divided among its calls."""
    marks = sorted({time for interval in intervals for time in interval})
    costs = [0.0] * len(intervals)
    for begin, finish in pairwise(marks):
        inside = [i for i, (start, end) in enumerate(intervals) if start <= begin and finish <= end]
        for i in inside:
            costs[i] += (finish - begin) / len(inside) * usd_per_hour / HOUR
    return costs


@pytest.mark.parametrize(
    ("intervals", "costs"),
    [
        ([], []),
        ([(0.0, HOUR)], [2.0]),
        ([(0.0, HOUR), (0.0, HOUR)], [1.0, 1.0]),
        ([(0.0, HOUR), (HOUR, 2 * HOUR)], [2.0, 2.0]),
        ([(0.0, 2 * HOUR), (HOUR, 2 * HOUR)], [3.0, 1.0]),
        ([(0.0, HOUR), (5 * HOUR, 6 * HOUR)], [2.0, 2.0]),
        ([(0.0, HOUR), (0.5 * HOUR, 0.5 * HOUR)], [2.0, 0.0]),
        ([(7.0, 7.0)], [0.0]),
    ],
)
def test_worked_examples(intervals: list[tuple[float, float]], costs: list[float]) -> None:
    assert shared_hours_cost(intervals, 2.0) == pytest.approx(costs)


@given(INTERVALS, st.floats(0, 100))
def test_costs_are_those_of_the_definition(
    intervals: list[tuple[float, float]], usd_per_hour: float
) -> None:
    costs = shared_hours_cost(intervals, usd_per_hour)
    assert costs == pytest.approx(by_pieces(intervals, usd_per_hour), abs=1e-9)


@given(INTERVALS, st.floats(0, 100))
def test_costs_sum_to_the_busy_hours(
    intervals: list[tuple[float, float]], usd_per_hour: float
) -> None:
    costs = shared_hours_cost(intervals, usd_per_hour)
    assert sum(costs) == pytest.approx(busy_s(intervals) / HOUR * usd_per_hour, abs=1e-9)
    assert all(cost >= 0 for cost in costs)


@given(INTERVALS, st.data())
def test_the_order_of_the_calls_does_not_matter(
    intervals: list[tuple[float, float]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(intervals))))
    costs = shared_hours_cost(intervals, 1.0)
    shuffled = shared_hours_cost([intervals[i] for i in order], 1.0)
    assert shuffled == pytest.approx([costs[i] for i in order])


@given(INTERVALS.filter(bool))
def test_two_calls_at_the_same_time_pay_the_same(intervals: list[tuple[float, float]]) -> None:
    costs = shared_hours_cost([*intervals, intervals[0]], 1.0)
    assert costs[0] == costs[-1]


@pytest.mark.parametrize("interval", [(1.0, 0.0), (0.0, math.inf), (math.nan, 1.0)])
def test_times_that_are_none_are_refused(interval: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="every call needs a start"):
        shared_hours_cost([interval], 1.0)
