"""Limits how many calls a service has at once, and repeats those that may yet succeed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import TypeVar

import numpy as np

from harness.core.chat import SYSTEM_ERRORS, GaveUpError, ServiceError
from harness.core.experiment import Execution, ServiceLimits
from harness.errors import ServiceDownError
from harness.execution.places import Places
from harness.execution.rates import Rate
from harness.ports import Paced, Timer

T = TypeVar("T")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONGEST_ASKED_PAUSE_S = 120.0
"""What a server may ask for at most; if it asks for more, there is no further attempt."""
ASKED_TO_WAIT = "the service asked to wait"
"""How the message of such a failure begins."""
_AWAY = frozenset({"connection", "overloaded"})
LONGEST_OUTAGE_S = 120.0
"""So long a service that has answered may be away before calls are given up."""
_REFUSALS = frozenset({"rate_limited", "overloaded"})
FIRST_CALLS = 10
"""A service of which so many calls, and no fewer than are made at once, all fail is down."""


@dataclass(slots=True)
class _Service:
    """One route: its limits at work, when it last answered, and the calls that found it away since.

    `answered_s` is None for one that has never answered.
    """

    places: Places
    requests: Rate | None
    tokens: Rate | None
    answered_s: float | None = None
    failing: set[int] = field(default_factory=set)

    def answered(self, now_s: float) -> None:
        """Note that it is there."""
        self.answered_s = now_s
        self.failing.clear()

    def is_away(self, now_s: float) -> bool:
        """Whether all of late found it away that had answered before, and not for too long."""
        if self.answered_s is None or now_s - self.answered_s > LONGEST_OUTAGE_S:
            return False
        return len(self.failing) >= min(FIRST_CALLS, self.places.most)


def _service(limits: ServiceLimits, concurrency: int) -> _Service:
    requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
    return _Service(
        Places(min(limits.in_flight or concurrency, concurrency)),
        Rate(requests) if requests else None,
        Rate(tokens) if tokens else None,
    )


def _told(failed: ServiceError) -> ServiceError:
    """The failure; of one after which the service asked for too long a pause, that it did."""
    asked_s = failed.retry_after_s or 0.0
    if not failed.retryable or asked_s <= LONGEST_ASKED_PAUSE_S:
        return failed
    what = (
        f"{ASKED_TO_WAIT} {asked_s:.0f} s, longer than the {LONGEST_ASKED_PAUSE_S:.0f} s that "
        f"harness waits; resume later: {failed.message}"
    )
    return ServiceError(failed.kind, what, retry_after_s=asked_s, latency_s=failed.latency_s)


@dataclass(slots=True)
class _Spent:
    """What a call has taken so far beside a successful attempt."""

    attempts: int = 0
    queue_s: float = 0.0
    retry_wait_s: float = 0.0


class ServicePacer:
    """A `harness.ports.Pacer`: limits hold per route (see `Execution`, `Places` and `Rate`).

    A call is attempted up to `attempts` times, if the kind of its failure allows. The pause before
    the n-th repetition is drawn from 0 to `FIRST_PAUSE_S` x 2^n ("full jitter": Brooker,
    Exponential Backoff and Jitter, AWS Architecture Blog, 2015), or what the server asked for,
    whichever is longer. A call that pauses holds no place. While a service that has answered before
    is away (no connection, or overloaded, for every call of late), attempts are not counted.
    """

    def __init__(self, execution: Execution, timer: Timer, seed: int = 0) -> None:
        self._execution = execution
        self._attempts = execution.attempts
        self._timer = timer
        self._generator = np.random.default_rng(seed)
        self._services: dict[str, _Service] = {}
        self._n_lost: dict[str, int] = {}

    @property
    def lowered(self) -> dict[str, int]:
        """How few calls at once the services took that refused many, by route."""
        places = {route: service.places for route, service in self._services.items()}
        return {route: one.least for route, one in places.items() if one.least < one.most}

    async def run(
        self,
        route: str,
        attempt: Callable[[], Awaitable[T]],
        own_s: Callable[[T], float] | None = None,
        n_tokens: int = 0,
    ) -> Paced[T]:
        """Make `attempt` until it succeeds or there is no point in another one.

        Raises:
            GaveUpError: with the last attempt's error and what all of them took.
            ServiceDownError: if the route has answered none of its first calls.
        """
        service, spent = self._service(route), _Spent()
        while True:
            began = await self._admitted(service, n_tokens, spent)
            try:
                value = await attempt()
            except ServiceError as error:
                failed = _told(error)
                service.places.give_back(refused=error.kind in _REFUSALS)
            except BaseException:
                service.places.give_back(refused=False)
                raise
            else:
                service.places.give_back(refused=False)
                service.answered(self._timer.now_s())
                took_s = self._timer.now_s() - began
                latency_s = took_s if own_s is None else min(took_s, own_s(value))
                queue_s = spent.queue_s + took_s - latency_s
                return Paced(value, latency_s, spent.attempts, queue_s, spent.retry_wait_s)
            pause_s = self._pause_s(service, failed, spent)
            if pause_s is None:
                spent.retry_wait_s += self._timer.now_s() - began
                self._count(route, service, failed)
                raise GaveUpError(failed, **asdict(spent)) from failed
            await self._timer.sleep(pause_s)
            spent.retry_wait_s += self._timer.now_s() - began

    def _service(self, route: str) -> _Service:
        service = self._services.get(route)
        if service is None:
            limits = self._execution.limits_of(route)
            service = self._services[route] = _service(limits, self._execution.concurrency)
        return service

    async def _admitted(self, service: _Service, n_tokens: int, spent: _Spent) -> float:
        """Wait for a place and for the limits by the minute; when an attempt may begin."""
        asked = self._timer.now_s()
        await service.places.take()
        try:
            await self._due(service, n_tokens)
        except BaseException:
            service.places.give_back(refused=False)
            raise
        began = self._timer.now_s()
        spent.queue_s += began - asked
        spent.attempts += 1
        return began

    async def _due(self, service: _Service, n_tokens: int) -> None:
        """Wait until the limits by the minute, all of them, allow another attempt."""
        rates = [(service.requests, 1), (service.tokens, n_tokens)]
        limits = [(rate, n_units) for rate, n_units in rates if rate is not None]
        now_s = at_s = self._timer.now_s()
        for rate, n_units in limits:
            at_s = rate.due_s(n_units, at_s)
        for rate, n_units in limits:
            rate.take(n_units, at_s)
        if at_s > now_s:
            await self._timer.sleep(at_s - now_s)

    def _count(self, route: str, service: _Service, failed: ServiceError) -> None:
        """Note a call that was given up; raises ServiceDownError if there is no hope for others.

        A service that has answered once is never called down: an outage ends.
        """
        if failed.kind in SYSTEM_ERRORS:
            service.answered(self._timer.now_s())
        if service.answered_s is not None:
            return
        n_lost = self._n_lost[route] = self._n_lost.get(route, 0) + 1
        if n_lost >= max(FIRST_CALLS, self._execution.concurrency):
            raise ServiceDownError(route, n_lost, f"{failed.kind}: {failed.message}")

    def _pause_s(self, service: _Service, failed: ServiceError, spent: _Spent) -> float | None:
        """How long to wait before the next attempt; None if there is to be none."""
        asked_s, made = failed.retry_after_s or 0.0, spent.attempts
        if not failed.retryable or asked_s > LONGEST_ASKED_PAUSE_S:
            return None
        if failed.kind in _AWAY:
            service.failing.add(id(spent))
        if made >= self._attempts and not service.is_away(self._timer.now_s()):
            return None
        longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(made, 10))
        return max(asked_s, float(self._generator.uniform(0, longest_s)))
