"""The lag of our own loop, and when it leads to fewer trials in flight."""

from __future__ import annotations

import asyncio
import time

import pytest

from harness.execution.lag import EVERY_S, LoopLag


def lagging(
    lag_s: float, latency_s: float, n: int = 30, allowed: int = 100, lag: LoopLag | None = None
) -> LoopLag:
    lag = lag or LoopLag(allowed)
    lag._samples_s.extend([lag_s] * 20)
    for _ in range(n):
        lag.told(latency_s)
    lag.judge()
    return lag


@pytest.mark.parametrize(
    ("lag_s", "latency_s", "n", "allowed"),
    [
        (0.02, 0.1, 30, 80),  # a fifth of the latency
        (0.009, 0.1, 30, 100),  # under a tenth
        (0.02, 0.1, 5, 100),  # too few trials to tell
        (0.5, 60.0, 30, 100),  # nothing beside a minute
    ],
)
def test_trials_are_lowered_where_the_lag_would_show(
    lag_s: float, latency_s: float, n: int, allowed: int
) -> None:
    lag = lagging(lag_s, latency_s, n)
    assert lag.allowed == allowed
    assert lag.facts["in_flight"] == allowed
    assert lag.facts["in_flight_asked_for"] == 100


def test_trials_in_flight_grow_until_the_lag_would_show() -> None:
    lag = LoopLag(100, doubles=True)
    seen = [lag.allowed]
    for lag_s in (0.001, 0.001, 0.02, 0.001, 0.02):
        seen.append(lagging(lag_s, 0.1, lag=lag).allowed)
    assert seen == [16, 32, 64, 51, 54, 43]


def test_trials_in_flight_grow_to_what_was_asked_for() -> None:
    lag = LoopLag(50, doubles=True)
    seen = [lag.allowed]
    for n_told in (0, 30, 0):  # a slow service has told nothing yet
        seen.append(lagging(0.001, 0.1, n_told, lag=lag).allowed)
    assert seen == [16, 32, 50, 50]
    assert LoopLag(4, doubles=True).allowed == 4


def test_a_lag_is_judged_once() -> None:
    lag = lagging(0.5, 0.1)
    for _ in range(30):
        lag.told(0.1)
    lag.judge()  # no lag since
    assert lag.allowed == 80


def test_one_trial_always_goes_on() -> None:
    assert lagging(9.0, 0.1, allowed=1).allowed == 1


def test_a_loop_that_is_held_up_is_seen() -> None:
    async def held_up() -> LoopLag:
        lag = LoopLag(4)
        task = asyncio.create_task(lag.watch())
        await asyncio.sleep(EVERY_S * 2)
        time.sleep(0.3)  # noqa: ASYNC251 - what is to be seen
        await asyncio.sleep(EVERY_S * 2)
        task.cancel()
        return lag

    most = asyncio.run(held_up()).facts["lag_max_s"]
    assert most is not None
    assert most >= 0.3 - EVERY_S


def test_without_a_sample_nothing_is_known() -> None:
    facts = LoopLag(4).facts
    assert (facts["lag_p50_s"], facts["lag_max_s"]) == (None, None)


def test_what_was_lowered_is_told_and_nothing_else() -> None:
    short = LoopLag(100, doubles=True)
    assert lagging(0.001, 0.1, lag=short).lowered_to is None  # ended before it had grown
    held = lagging(0.02, 0.1)
    for _ in range(5):
        lagging(0.001, 0.1, lag=held)
    assert held.allowed == 100
    assert held.lowered_to == 80
