"""Places of a service: in order, never too many, fewer while it refuses many."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.execution.places import Places


def after(places: Places, outcomes: list[bool]) -> int:
    """How many places there are after calls, one by one, of which some were refused."""

    async def calls() -> None:
        for refused in outcomes:
            await places.take()
            places.give_back(refused=refused)

    asyncio.run(calls())
    return places.allowed


def test_a_few_refusals_change_nothing() -> None:
    outcomes = [i % 20 == 0 for i in range(2000)]
    assert after(Places(200), outcomes) == 200


@pytest.mark.parametrize("most", [1, 8, 200])
def test_a_service_that_refuses_everything_is_asked_one_call_at_a_time(most: int) -> None:
    places = Places(most)
    assert after(places, [True] * 5000) == 1
    assert places.least == 1


def test_places_come_back_one_by_one() -> None:
    places = Places(20)
    after(places, [True] * 500)
    assert after(places, [False] * 40) in range(5, 12)
    assert after(places, [False] * 2000) == 20
    assert places.least == 1


def test_it_finds_what_a_service_can_bear() -> None:
    """A service that refuses what is beyond 25 calls at once: nearly all of them are used."""
    places = Places(200)

    async def rounds() -> list[int]:
        seen = []
        for _ in range(300):
            n = places.allowed
            for _ in range(n):
                await places.take()
            for i in range(n):
                places.give_back(refused=i >= 25)
            seen.append(n)
        return seen

    seen = asyncio.run(rounds())[50:]
    assert 17 <= np.mean(seen) <= 32
    assert max(seen) <= 40


@given(st.integers(1, 9), st.lists(st.booleans(), max_size=60), st.randoms(use_true_random=False))
def test_never_more_than_allowed_and_in_order(most: int, outcomes: list[bool], r: object) -> None:
    places = Places(most)
    flying, order = 0, []

    async def call(i: int, *, refused: bool) -> None:
        nonlocal flying
        await places.take()
        order.append(i)
        flying += 1
        assert flying <= most
        for _ in range(i % 3):
            await asyncio.sleep(0)
        flying -= 1
        places.give_back(refused=refused)

    async def every() -> None:
        async with asyncio.TaskGroup() as group:
            for i, refused in enumerate(outcomes):
                group.create_task(call(i, refused=refused))

    asyncio.run(every())
    assert order == list(range(len(outcomes)))
    assert flying == 0


def test_who_is_cancelled_while_waiting_takes_no_place() -> None:
    async def tell() -> None:
        places = Places(1)
        await places.take()
        waiting = [asyncio.create_task(places.take()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        places.give_back(refused=False)
        waiting[1].cancel()  # it has been let in, and has not gone on yet
        async with asyncio.timeout(10):
            await waiting[2]
        assert [task.cancelled() for task in waiting] == [True, True, False]

    asyncio.run(tell())
