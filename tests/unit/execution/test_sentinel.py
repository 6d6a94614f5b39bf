"""The fixed request: made to each service, at intervals, and what it tells of a drift."""

from __future__ import annotations

import asyncio

import pytest

from harness.execution.sentinel import Sentinel


def sentinel(samples: dict[str, list[float]]) -> Sentinel:
    made = {
        route: [(30.0 * i, latency_s) for i, latency_s in enumerate(latencies)]
        for route, latencies in samples.items()
    }
    return Sentinel({}, samples=made)


def test_a_drift_is_that_between_the_first_and_the_last_third() -> None:
    drifting = [9.9, 0.1, 0.11, 0.1, 0.15, 0.16, 0.2, 0.21, 0.2]  # the first one connected
    found = sentinel({"a": drifting, "b": [0.1] * 9}).drifts_s()
    assert found == {"a": (pytest.approx(0.105), pytest.approx(0.205)), "b": (0.1, 0.1)}


def test_the_first_request_of_each_process_connects() -> None:
    one = Sentinel({})
    for at_s, latency_s in enumerate([9.9, 0.1, 0.1, 0.1]):
        one.add("a", at_s, latency_s, 0.5)
    one.reconnect()
    for at_s, latency_s in enumerate([9.9, 0.2, 0.2, 0.2]):
        one.add("a", 10.0 + at_s, latency_s, None)
    assert one.drifts_s() == {"a": (0.1, 0.2)}
    assert (one.spending.spent_usd, one.spending.n_unknown) == (2.0, 4)


def test_a_few_requests_tell_nothing() -> None:
    assert sentinel({"a": [0.1, 0.1, 0.9, 0.9]}).drifts_s() == {}


def test_every_service_is_asked_at_intervals_and_failures_leave_no_sample() -> None:
    asked: list[str] = []
    often = asyncio.Event()

    async def good() -> tuple[float | None, float | None]:
        asked.append("good")
        return 0.25, 0.5

    async def bad() -> tuple[float | None, float | None]:
        asked.append("bad")
        if len(asked) >= 12:
            often.set()
        return None, None

    async def watched() -> Sentinel:
        one = Sentinel({"good": good, "bad": bad}, every_s=0.0)
        await one.warm_up()
        assert sorted(asked) == ["bad", "good"]
        task = asyncio.create_task(one.watch())
        await often.wait()
        task.cancel()
        return one

    one = asyncio.run(watched())
    assert set(one.samples) == {"good"}
    assert {latency_s for _, latency_s in one.samples["good"]} == {0.25}
    n_good, n_bad = asked.count("good"), asked.count("bad")
    assert one.spending.spent_usd == pytest.approx(0.5 * len(one.samples["good"]))
    assert n_bad - one.spending.n_unknown in {0, 1}
    assert abs(n_good - n_bad) <= 1


def test_a_service_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.execution.sentinel.WARM_UP_S", 0.01)

    async def never() -> tuple[float | None, float | None]:
        await asyncio.Event().wait()
        return None, None

    asyncio.run(Sentinel({"a": never}).warm_up())
