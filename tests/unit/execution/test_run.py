"""Trials in flight: every one once, so many at a time, each kept as it ends."""

from __future__ import annotations

import asyncio
import threading

import pytest

from harness.core.record import Answer, AnswerPath, Record
from harness.core.trial import Trial
from harness.errors import ServiceDownError
from harness.execution.run import MonotonicTimer, in_event_loop, run_trials

TRIALS = [Trial(variant, example, 0, example) for example in range(20) for variant in ("a", "b")]


def record(trial: Trial, *, cold: bool) -> Record:
    path = AnswerPath.COLD if cold else AnswerPath.WARM
    return Record(trial.variant, str(trial.example), trial.repeat, Answer("x"), path)


def test_every_trial_runs_once_and_never_too_many_at_a_time() -> None:
    kept: list[Record] = []
    flying = most = 0

    async def answer(trial: Trial, cold: bool) -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        for _ in range(trial.example % 4):
            await asyncio.sleep(0)
        flying -= 1
        kept.append(record(trial, cold=cold))

    asyncio.run(run_trials(TRIALS, answer, lambda: 5))
    assert most == 5
    done = sorted((r.variant, r.example_id) for r in kept)
    assert done == sorted((t.variant, str(t.example)) for t in TRIALS)
    cold = [r for r in kept if r.path is AnswerPath.COLD]
    assert 2 <= len(cold) <= 2 * 5  # once per variant and place


def test_places_close_and_open_as_fewer_or_more_are_allowed() -> None:
    """Every trial runs once all the same, and as many at a time as are allowed just then."""
    kept: list[Trial] = []
    flying = 0
    most: dict[int, int] = {}

    def allowed() -> int:
        return (8, 2, 6, 1)[len(kept) // 10]

    async def answer(trial: Trial, cold: bool) -> None:
        nonlocal flying
        flying += 1
        now = allowed()
        await asyncio.sleep(0)
        if allowed() == now:
            most[now] = max(most.get(now, 0), flying)
        await asyncio.sleep(0)
        flying -= 1
        kept.append(trial)

    asyncio.run(run_trials(TRIALS, answer, lambda: 1 if len(kept) >= 40 else allowed()))
    assert sorted(kept, key=lambda t: (t.example, t.variant)) == TRIALS
    assert most[8] == 8
    assert most[6] == 6


def test_a_bug_ends_the_run_and_is_told() -> None:
    async def answer(trial: Trial, cold: bool) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(run_trials(TRIALS, answer, lambda: 3))
    assert caught.group_contains(ZeroDivisionError)


def test_work_runs_beside_a_loop_that_runs_already() -> None:
    async def where() -> int:
        return threading.get_ident()

    async def inside() -> int:
        return in_event_loop(where)

    assert in_event_loop(where) == threading.get_ident()
    assert asyncio.run(inside()) != threading.get_ident()


def test_what_it_raises_arrives_from_the_other_thread() -> None:
    async def fail() -> None:
        raise KeyError("x")

    async def inside() -> None:
        in_event_loop(fail)

    with pytest.raises(KeyError):
        asyncio.run(inside())


def test_the_clock_never_steps_back() -> None:
    timer = MonotonicTimer()
    asyncio.run(timer.sleep(0))
    assert timer.now_s() <= timer.now_s()


def test_a_run_that_is_given_up_says_why_and_nothing_else() -> None:
    ended: list[int] = []

    async def answer(trial: Trial, cold: bool) -> None:
        if trial.example == 2:
            raise ServiceDownError("http/m", 10, "connection: refused")
        try:
            await asyncio.sleep(0 if trial.example < 2 else 3600)
        finally:
            ended.append(trial.example)

    with pytest.raises(ServiceDownError, match="none of its first 10 calls: connection: refused"):
        asyncio.run(run_trials(TRIALS, answer, lambda: 4))
    assert set(ended) >= {0, 1}
