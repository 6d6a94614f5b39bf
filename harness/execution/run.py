"""Runs all trials of a schedule in one event loop, so many at a time."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from harness.core.trial import Trial
from harness.errors import HarnessError, first_of

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
    answer: Callable[[Trial, bool], Awaitable[None]],
    allowed: Callable[[], int],
) -> None:
    """Run every trial, in order, as many at a time as are allowed.

    Args:
        trials: the schedule; it is taken from as places come free.
        answer: runs one trial and keeps what it left; the flag says whether it is `cold`, the first
            of its variant in its place.
        allowed: how many trials may be in flight; asked anew whenever one ends.

    Raises:
        HarnessError, OSError: if a trial raises one: the run is given up, the other trials are
            cancelled.
        BaseExceptionGroup: if a trial raises anything else, which only a bug does.
    """
    waiting, working = iter(trials), set[int]()

    async def work(place: int) -> None:
        seen: set[str] = set()
        while place < allowed():
            trial = next(waiting, None)
            if trial is None:
                return  # as one that works still: it need not be opened again
            cold = trial.variant not in seen
            seen.add(trial.variant)
            await answer(trial, cold)
            open_places()
        working.remove(place)

    def open_places() -> None:
        if len(working) < allowed():
            for place in set(range(allowed())) - working:
                working.add(place)
                group.create_task(work(place))

    try:
        async with asyncio.TaskGroup() as group:
            open_places()
    except* (HarnessError, OSError) as raised:
        given_up = raised
    else:
        return
    raise first_of(given_up) from None


def in_event_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `work` to its end; in a thread of its own where a loop runs already (notebooks).

    An interrupt (Ctrl-C, a notebook's stop button) cancels the work, waits for its end, and is
    raised then.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _here(work)
    return _beside(work)


def _here(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run in this thread. asyncio itself cancels on an interrupt that nobody else handles."""
    interrupts = _interrupts()
    if not interrupts:
        return asyncio.run(work())
    stop = _Stop(interrupts)
    try:
        return asyncio.run(stop.supervised(work))
    except asyncio.CancelledError:
        if stop.was_interrupted:
            raise KeyboardInterrupt from None
        raise


@dataclass(slots=True)
class _Stop:
    """Cancels work on the signals of `interrupts`, each of which raises what it is to end with."""

    interrupts: Mapping[int, Callable[[int, FrameType | None], Any]]
    was_interrupted: bool = False

    async def supervised(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do the work; leaves the signals as they were."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def cancel(number: int, frame: FrameType | None) -> None:
            """Do what is done on an interrupt, but raise in no task: that would end it anywhere."""
            try:
                self.interrupts[number](number, frame)
            except KeyboardInterrupt:
                self.was_interrupted = True
                if task is not None:
                    loop.call_soon_threadsafe(task.cancel)

        for number in self.interrupts:
            signal.signal(number, cancel)
        try:
            return await work()
        finally:
            for number, interrupt in self.interrupts.items():
                if signal.getsignal(number) is cancel:
                    signal.signal(number, interrupt)


def _interrupts() -> dict[int, Callable[[int, FrameType | None], Any]]:
    """What others do on Ctrl-C and SIGTERM, if anything; only the main thread can change it."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    return {
        int(number): handler
        for number, handler in found.items()
        if callable(handler) and handler is not signal.default_int_handler
    }


def _beside(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run in a thread of its own, while this one waits."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T] | None]] = Future()

    async def supervised() -> T:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work()

    with ThreadPoolExecutor(1, "harness run") as pool:
        ended = pool.submit(lambda: asyncio.run(supervised()))
        try:
            return ended.result()
        except KeyboardInterrupt:
            loop, task = started.result()
            if task is not None and not ended.done():
                loop.call_soon_threadsafe(task.cancel)
            raise
