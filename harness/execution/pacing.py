"""Limits how many calls a service has at once, and repeats those that may yet succeed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np

from harness.core.chat import SYSTEM_ERRORS, GaveUpError, ServiceError
from harness.errors import ServiceDownError
from harness.execution.places import Places
from harness.ports import Paced, Timer

T = TypeVar("T")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONGEST_ASKED_PAUSE_S = 120.0
"""What a server may ask for at most; if it asks for more, there is no further attempt."""
_REFUSALS = frozenset({"rate_limited", "overloaded"})
FIRST_CALLS = 10
"""A service of which so many calls, and no fewer than are made at once, all fail is down."""


class ServicePacer:
    """A `harness.ports.Pacer`: at most `concurrency` calls in flight per route (see `Places`).

    A call is attempted up to `attempts` times, if the kind of its failure allows. The pause before
    the n-th repetition is drawn from 0 to `FIRST_PAUSE_S` x 2^n ("full jitter": Brooker,
    Exponential Backoff and Jitter, AWS Architecture Blog, 2015), or what the server asked for,
    whichever is longer. A call that pauses holds no place.
    """

    def __init__(self, concurrency: int, attempts: int, timer: Timer, seed: int = 0) -> None:
        self._concurrency = concurrency
        self._attempts = attempts
        self._timer = timer
        self._generator = np.random.default_rng(seed)
        self._places: dict[str, Places] = {}
        self._n_lost: dict[str, int] = {}
        self._answered: set[str] = set()

    @property
    def lowered(self) -> dict[str, int]:
        """How few calls at once the services took that refused many, by route."""
        found = ((route, places.least) for route, places in self._places.items())
        return {route: least for route, least in found if least < self._concurrency}

    async def run(
        self,
        route: str,
        attempt: Callable[[], Awaitable[T]],
        own_s: Callable[[T], float] | None = None,
    ) -> Paced[T]:
        """Make `attempt` until it succeeds or there is no point in another one.

        Raises:
            GaveUpError: with the last attempt's error and what all of them took.
            ServiceDownError: if the route has answered none of its first calls.
        """
        places = self._places.get(route)
        if places is None:
            places = self._places[route] = Places(self._concurrency)
        now_s = self._timer.now_s
        queue_s = retry_wait_s = 0.0
        made = 0
        while True:
            asked = now_s()
            await places.take()
            began = now_s()
            queue_s += began - asked
            made += 1
            refused = False
            try:
                value = await attempt()
            except ServiceError as error:
                failed = error
                refused = error.kind in _REFUSALS
            else:
                self._answered.add(route)
                took_s = now_s() - began
                latency_s = took_s if own_s is None else min(took_s, own_s(value))
                queue_s += took_s - latency_s
                return Paced(value, latency_s, made, queue_s, retry_wait_s)
            finally:
                places.give_back(refused=refused)
            retry_wait_s += now_s() - began
            pause_s = self._pause_s(failed, made)
            if pause_s is None:
                self._count(route, failed)
                raise GaveUpError(
                    failed, attempts=made, queue_s=queue_s, retry_wait_s=retry_wait_s
                ) from failed
            paused = now_s()
            await self._timer.sleep(pause_s)
            retry_wait_s += now_s() - paused

    def _count(self, route: str, failed: ServiceError) -> None:
        """Note a call that was given up; raises ServiceDownError if there is no hope for others.

        A service that has answered once is never called down: an outage ends.
        """
        if failed.kind in SYSTEM_ERRORS:
            self._answered.add(route)
        if route in self._answered:
            return
        n_lost = self._n_lost[route] = self._n_lost.get(route, 0) + 1
        if n_lost >= max(FIRST_CALLS, self._concurrency):
            raise ServiceDownError(route, n_lost, f"{failed.kind}: {failed.message}")

    def _pause_s(self, failed: ServiceError, made: int) -> float | None:
        """How long to wait before the next attempt; None if there is to be none."""
        asked_s = failed.retry_after_s or 0.0
        if not failed.retryable or made == self._attempts or asked_s > LONGEST_ASKED_PAUSE_S:
            return None
        longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**made)
        return max(asked_s, float(self._generator.uniform(0, longest_s)))
