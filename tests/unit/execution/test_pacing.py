"""Limits and repetitions, on a clock that the test drives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hand_timer import HandTimer
from hypothesis import given
from hypothesis import strategies as st

from harness.core.chat import ErrorKind, GaveUpError, ServiceError
from harness.core.experiment import Execution, ServiceLimits
from harness.errors import ServiceDownError
from harness.execution.pacing import (
    FIRST_CALLS,
    FIRST_PAUSE_S,
    LONGEST_ASKED_PAUSE_S,
    LONGEST_OUTAGE_S,
    LONGEST_PAUSE_S,
    ServicePacer,
)


class Flaky:
    """Fails with the given errors one after another, then answers; each attempt takes 1 s."""

    def __init__(self, timer: HandTimer, *errors: ServiceError) -> None:
        self.timer = timer
        self.errors = list(errors)
        self.made = 0

    async def __call__(self) -> str:
        self.made += 1
        await self.timer.sleep(1.0)
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def failing(kind: ErrorKind, retry_after_s: float | None = None) -> ServiceError:
    return ServiceError(kind, "no", retry_after_s=retry_after_s)


def run(pacer: ServicePacer, attempt: Callable[[], Awaitable[str]]) -> object:
    async def once() -> object:
        return await pacer.run("route", attempt)

    return asyncio.run(once())


def test_a_call_that_succeeds_takes_its_own_time_only() -> None:
    timer = HandTimer()
    paced = run(ServicePacer(Execution(1, 4), timer), Flaky(timer))
    assert (paced.value, paced.latency_s, paced.attempts) == ("done", 1.0, 1)  # type: ignore[attr-defined]
    assert (paced.queue_s, paced.retry_wait_s) == (0.0, 0.0)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "kind", ["timeout", "connection", "rate_limited", "overloaded", "server_error", "malformed"]
)
def test_what_may_yet_succeed_is_repeated_and_its_time_kept_apart(kind: ErrorKind) -> None:
    timer = HandTimer()
    attempt = Flaky(timer, failing(kind), failing(kind))
    paced = run(ServicePacer(Execution(1, 4), timer), attempt)
    assert paced.latency_s == pytest.approx(1.0)  # type: ignore[attr-defined]
    assert paced.attempts == 3  # type: ignore[attr-defined]
    pauses = timer.now_s() - 3.0
    assert paced.retry_wait_s == pytest.approx(2.0 + pauses)  # type: ignore[attr-defined]
    assert 0 <= pauses <= FIRST_PAUSE_S * (2 + 4)


@pytest.mark.parametrize(
    "kind", ["authentication", "not_found", "bad_request", "context_too_long", "refused"]
)
def test_what_cannot_succeed_is_attempted_once(kind: ErrorKind) -> None:
    timer = HandTimer()
    attempt = Flaky(timer, failing(kind))
    with pytest.raises(GaveUpError) as caught:
        run(ServicePacer(Execution(1, 4), timer), attempt)
    assert attempt.made == caught.value.attempts == 1
    assert caught.value.kind == kind
    assert caught.value.retry_wait_s == 1.0


def test_it_gives_up_after_the_last_attempt() -> None:
    timer = HandTimer()
    attempt = Flaky(timer, *[failing("server_error")] * 9)
    with pytest.raises(GaveUpError) as caught:
        run(ServicePacer(Execution(1, 3), timer), attempt)
    assert attempt.made == caught.value.attempts == 3


def test_a_server_is_given_the_time_that_it_asks_for() -> None:
    timer = HandTimer()
    run(ServicePacer(Execution(1, 2), timer), Flaky(timer, failing("rate_limited", 17.0)))
    assert timer.now_s() == 1.0 + 17.0 + 1.0


def test_a_pause_that_nobody_would_wait_for_ends_it() -> None:
    timer = HandTimer()
    attempt = Flaky(timer, failing("rate_limited", 3600))
    said = (
        f"the service asked to wait 3600 s, longer than the {LONGEST_ASKED_PAUSE_S:.0f} s that "
        "harness waits; resume later: no"
    )
    with pytest.raises(GaveUpError, match=f"^{said}$"):
        run(ServicePacer(Execution(1, 4), timer), attempt)
    assert attempt.made == 1


def test_pauses_grow_to_a_bound() -> None:
    timer = HandTimer()
    with pytest.raises(GaveUpError):
        run(ServicePacer(Execution(1, 10), timer), Flaky(timer, *[failing("timeout")] * 10))
    pauses = [pause for pause in timer.slept if pause != 1.0]
    assert len(pauses) == 9
    assert all(
        pause <= min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**made)
        for made, pause in enumerate(pauses, start=1)
    )


def test_no_route_has_more_calls_in_flight_than_allowed_and_waiting_is_told() -> None:
    most = {"a": 0, "b": 0}
    now = {"a": 0, "b": 0}
    timer = HandTimer()
    queues: list[float] = []

    async def call(pacer: ServicePacer, route: str) -> None:
        async def attempt() -> None:
            now[route] += 1
            most[route] = max(most[route], now[route])
            for _ in range(3):
                await asyncio.sleep(0)
            timer.advance(1.0)
            now[route] -= 1

        queues.append((await pacer.run(route, attempt)).queue_s)

    async def all_at_once() -> None:
        pacer = ServicePacer(Execution(3, 1), timer)
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(call(pacer, "ab"[number % 2]))

    asyncio.run(all_at_once())
    assert most == {"a": 3, "b": 3}
    assert min(queues) == 0
    assert max(queues) > 0


def calls_until_down(
    pacer: ServicePacer, timer: HandTimer, *kinds: ErrorKind | None
) -> tuple[int, str]:
    """How many calls are made, one by one, before the service counts as down (all: never); why."""
    for n_made, kind in enumerate(kinds, start=1):
        attempt = Flaky(timer, *([failing(kind)] if kind else []))
        try:
            run(pacer, attempt)
        except GaveUpError:
            continue
        except ServiceDownError as error:
            return n_made, str(error)
    return len(kinds), ""


@pytest.mark.parametrize("kind", ["connection", "authentication", "not_found", "overloaded"])
def test_a_service_that_never_answers_is_down(kind: ErrorKind) -> None:
    timer = HandTimer()
    kinds = [kind] * 40
    why = f"route has answered none of its first {FIRST_CALLS} calls: {kind}: no"
    assert calls_until_down(ServicePacer(Execution(2, 1), timer), timer, *kinds) == (
        FIRST_CALLS,
        why,
    )
    assert calls_until_down(ServicePacer(Execution(25, 1), timer), timer, *kinds)[0] == 25


@pytest.mark.parametrize("sign_of_life", [None, "context_too_long", "refused"])
def test_a_service_that_has_answered_once_never_is(sign_of_life: ErrorKind | None) -> None:
    timer = HandTimer()
    kinds: list[ErrorKind | None] = ["connection"] * 40
    kinds[7] = sign_of_life
    assert calls_until_down(ServicePacer(Execution(2, 1), timer), timer, *kinds) == (40, "")


def test_each_service_is_counted_by_itself() -> None:
    timer = HandTimer()
    pacer = ServicePacer(Execution(2, 1), timer)

    async def calls() -> list[str]:
        told = []
        for number in range(2 * FIRST_CALLS - 2):
            try:
                await pacer.run(f"route {number % 2}", Flaky(timer, failing("connection")))
            except GaveUpError as error:
                told.append(error.kind)
        return told

    assert asyncio.run(calls()) == ["connection"] * (2 * FIRST_CALLS - 2)


def timed(limits: ServiceLimits, n: int, n_tokens: int = 0, took_s: float = 0.0) -> list[float]:
    """When each of `n` calls at once to one service began."""
    timer = HandTimer()
    began: list[float] = []

    async def attempt() -> None:
        began.append(timer.now_s())
        timer.advance(took_s)

    async def all_of_them() -> None:
        pacer = ServicePacer(Execution(1, 1, {"http/m": limits}), timer)
        for _ in range(n):
            await pacer.run("http/m @ here", attempt, n_tokens=n_tokens)

    asyncio.run(all_of_them())
    return began


def test_requests_by_the_minute_are_spread() -> None:
    began = timed(ServiceLimits(requests_per_minute=60), 30)
    assert began[:2] == [0.0, pytest.approx(61 / 60)]  # no burst at first
    assert began[-1] == pytest.approx(29 * 61 / 60)


def test_tokens_by_the_minute_are_spread() -> None:
    began = timed(ServiceLimits(tokens_per_minute=6000), 20, n_tokens=1000)
    assert began[-1] == pytest.approx(19 * 61 / 6)


@given(
    st.floats(1.0, 200.0),
    st.lists(st.tuples(st.floats(0.0, 30.0), st.integers(1, 40)), min_size=1, max_size=60),
)
def test_no_minute_has_more_than_the_limits(
    per_minute: float, calls: list[tuple[float, int]]
) -> None:
    """Whatever the pauses between calls are, and however many tokens each has."""
    timer, began = HandTimer(), []
    limits = ServiceLimits(requests_per_minute=per_minute, tokens_per_minute=4 * per_minute)
    n_most = max(4 * per_minute, 40)

    async def attempt() -> None:
        began.append(timer.now_s())

    async def all_of_them() -> None:
        pacer = ServicePacer(Execution(1, 1, {"http/m": limits}), timer)
        for pause_s, n_tokens in calls:
            timer.advance(pause_s if pause_s > 15 else 0.0)
            await pacer.run("http/m @ here", attempt, n_tokens=n_tokens)

    asyncio.run(all_of_them())
    for first in began:
        within = [first <= moment <= first + 60 for moment in began]
        assert sum(within) <= per_minute
        assert sum(n for (_, n), is_in in zip(calls, within, strict=True) if is_in) <= n_most


def test_calls_at_once_wait_for_both_limits_in_their_order() -> None:
    timer, began = HandTimer(), []
    limits = ServiceLimits(requests_per_minute=120, tokens_per_minute=6000)

    async def attempt() -> None:
        began.append(timer.now_s())

    async def all_of_them() -> None:
        pacer = ServicePacer(Execution(1, 1, {"http/m": limits}), timer)
        for n_tokens in (5000, *[1] * 200):  # the others are held up behind the first
            await pacer.run("http/m @ here", attempt, n_tokens=n_tokens)

    asyncio.run(all_of_them())
    for first in began:
        assert sum(first <= moment <= first + 60 for moment in began) <= 120


def test_a_service_that_is_slower_than_its_limit_is_not_waited_for() -> None:
    began = timed(ServiceLimits(requests_per_minute=60, tokens_per_minute=1e9), 30, 10, took_s=2.0)
    assert began == pytest.approx([2.0 * i for i in range(30)])


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("http/m @ 10.0.0.1", 3),
        ("http/other @ 10.0.0.1", 5),
        ("openai/m", None),
        ("httpx/m", None),
    ],
)
def test_limits_are_by_model_or_by_provider(route: str, expected: int | None) -> None:
    limits = {"http/m": ServiceLimits(3), "http": ServiceLimits(5)}
    assert Execution(limits=limits).limits_of(route).in_flight == expected


def test_calls_in_flight_are_limited_by_service() -> None:
    flying = most = 0

    async def attempt() -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1

    async def all_at_once() -> None:
        execution = Execution(50, 1, {"http": ServiceLimits(in_flight=3)})
        pacer = ServicePacer(execution, HandTimer())
        async with asyncio.TaskGroup() as group:
            for _ in range(30):
                group.create_task(pacer.run("http/m @ here", attempt))

    asyncio.run(all_at_once())
    assert most == 3


class Outage:
    """A service that is away for a while; each attempt takes 10 ms."""

    def __init__(self, timer: HandTimer, begins_s: float, ends_s: float, kind: ErrorKind) -> None:
        self.timer, self.begins_s, self.ends_s, self.kind = timer, begins_s, ends_s, kind

    async def __call__(self) -> str:
        self.timer.advance(0.01)
        await asyncio.sleep(0)
        if self.begins_s <= self.timer.now_s() < self.ends_s:
            raise failing(self.kind)
        return "done"


def lost_in(outage: Outage, concurrency: int = 20) -> int:
    """How many of 200 calls, so many at a time, are given up."""
    n_lost, waiting = 0, iter(range(200))
    pacer = ServicePacer(Execution(concurrency, 4), outage.timer)

    async def work() -> None:
        nonlocal n_lost
        for _ in waiting:
            try:
                await pacer.run("route", outage)
            except GaveUpError:
                n_lost += 1

    async def every() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())

    asyncio.run(every())
    return n_lost


@pytest.mark.parametrize("kind", ["connection", "overloaded"])
@pytest.mark.parametrize("concurrency", [2, 20])
def test_a_service_that_comes_back_after_a_while_loses_nothing(
    kind: ErrorKind, concurrency: int
) -> None:
    timer = HandTimer()
    assert lost_in(Outage(timer, 0.5, 90.0, kind), concurrency) == 0


def test_a_service_that_stays_away_is_given_up() -> None:
    timer = HandTimer()
    assert lost_in(Outage(timer, 0.5, 1e9, "connection")) > 100
    assert timer.now_s() > LONGEST_OUTAGE_S


def test_calls_that_fail_among_others_that_succeed_are_no_outage() -> None:
    timer = HandTimer()
    pacer = ServicePacer(Execution(20, 4), timer)
    attempts: list[int] = []

    async def bad() -> str:
        timer.advance(0.01)
        raise failing("connection")

    async def good() -> str:
        timer.advance(0.01)
        return "done"

    async def every() -> None:
        for _ in range(30):
            await pacer.run("route", good)
            with pytest.raises(GaveUpError) as caught:
                await pacer.run("route", bad)
            attempts.append(caught.value.attempts)

    asyncio.run(every())
    assert attempts == [4] * 30
