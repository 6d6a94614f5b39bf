"""Runs all trials of a schedule in one event loop, so many at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from harness.core.record import Record
from harness.core.trial import Trial

T = TypeVar("T")


class MonotonicTimer:
    """The time of this machine (a `harness.ports.Timer`)."""

    def now_s(self) -> float:
        """Seconds on a clock that never steps."""
        return time.perf_counter()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def run_trials(
    trials: Iterable[Trial],
    answer: Callable[[Trial, bool], Awaitable[Record]],
    keep: Callable[[Record], None],
    concurrency: int,
) -> None:
    """Run every trial, in order, `concurrency` at a time.

    Args:
        trials: the schedule; it is taken from as places come free.
        answer: runs one trial; the flag says whether it is `cold`, the first of its variant in
            its place.
        keep: takes each record as soon as it is there.
        concurrency: how many trials are in flight.

    Raises:
        BaseExceptionGroup: if a trial raises, which only a bug does; the others are cancelled.
    """
    waiting = iter(trials)

    async def work() -> None:
        seen: set[str] = set()
        for trial in waiting:
            cold = trial.variant not in seen
            seen.add(trial.variant)
            keep(await answer(trial, cold))

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())


def in_event_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `work` to its end; in a thread of its own where a loop runs already (notebooks)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    result: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            result.append(asyncio.run(work()))
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, name="harness run")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return result[0]
