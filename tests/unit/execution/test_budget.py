"""A budget that no call can exceed, whatever comes of the calls."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BudgetReachedError
from harness.execution.budget import Budget

CALLS = st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 1.0)), max_size=40)


@given(CALLS, st.floats(0.0, 8.0), st.integers(1, 8))
def test_it_is_never_exceeded_and_ends_when_the_next_call_could(
    calls: list[tuple[float, float]], limit: float, n_tasks: int
) -> None:
    budget, waiting, done = Budget(limit), iter(calls), []

    async def work() -> None:
        for most, share in waiting:
            await budget.reserve(most)
            await asyncio.sleep(0)
            await budget.settle(most, most * share)
            done.append(most)
            assert budget.spent_usd <= limit + 1e-9

    async def every() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(n_tasks):
                group.create_task(work())

    try:
        asyncio.run(every())
    except* BudgetReachedError:
        left = limit - budget.spent_usd
        assert left < max(most for most, _ in calls)
    else:
        assert len(done) == len(calls)


def test_a_call_that_does_not_fit_waits_for_those_under_way() -> None:
    async def tell() -> list[str]:
        budget, told = Budget(1.0), []
        await budget.reserve(0.9)

        async def second() -> None:
            await budget.reserve(0.9)
            told.append("goes on")

        task = asyncio.create_task(second())
        for _ in range(5):
            await asyncio.sleep(0)
        told.append("settles")
        await budget.settle(0.9, 0.05)
        await task
        return told

    assert asyncio.run(tell()) == ["settles", "goes on"]


def test_calls_of_unknown_cost_count_as_the_dearest() -> None:
    async def tell() -> None:
        budget = Budget(10.0, spent_usd=3.0, before_usd=1.0, n_uncosted=2, dearest_usd=1.0)
        assert (budget.counted_usd, budget.uncosted_usd) == (5.0, 3.0)
        await budget.reserve(2.0)
        assert (budget.counted_usd, budget.uncosted_usd) == (7.0, 5.0)
        await budget.settle(2.0, 0.5)
        await budget.reserve(3.0)

    with pytest.raises(
        BudgetReachedError,
        match=r"^\$9\.5000 of .* is spent \(\$7\.0000 of it counted for calls of",
    ):
        asyncio.run(tell())


def test_what_was_spent_before_counts() -> None:
    async def tell() -> None:
        await Budget(1.0, spent_usd=0.9).reserve(0.2)

    with pytest.raises(BudgetReachedError, match=r"\$0\.9000 of the budget of \$1\.0000 is spent"):
        asyncio.run(tell())
