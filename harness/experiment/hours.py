"""Costs of models on machines that are paid by the hour, known when all calls have been made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.core.prices import PriceBook
from harness.core.record import Record, Step
from harness.execution.hours import shared_hours_cost


def with_hours(records: Sequence[Record], prices: PriceBook) -> list[Record]:
    """The records, with the calls of models that are paid by the hour priced.

    A machine is a model at an address. Its busy time is shared, at every instant, by the calls in
    flight. How long a call that
    failed for good kept the machine busy is not known, nor is its cost then.
    """
    calls: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for which, record in enumerate(records):
        for number, step in enumerate(_steps(record)):
            model = _answered_by(step)
            if model is not None and _usd_per_hour(model, prices) is not None:
                machine = (model, str(step.detail.get("route")))
                calls.setdefault(machine, []).append((which, number))
    costs: dict[tuple[int, int], float] = {}
    for (model, _), places in calls.items():
        intervals = [_interval(records[which], number) for which, number in places]
        shares = shared_hours_cost(intervals, _usd_per_hour(model, prices) or 0.0)
        costs |= dict(zip(places, shares, strict=True))
    return [_priced(record, which, costs) for which, record in enumerate(records)]


def _steps(record: Record) -> tuple[Step, ...]:
    return record.trace.steps if record.trace else ()


def _answered_by(step: Step) -> str | None:
    """The model that a step is an answered call of; None for any other step."""
    model = step.detail.get("model")
    return model if isinstance(model, str) and "error" not in step.detail else None


def _usd_per_hour(model: str, prices: PriceBook) -> float | None:
    price = prices.price(model)
    return None if price is None else price.usd_per_hour


def _interval(record: Record, number: int) -> tuple[float, float]:
    """When the successful attempt of a step was under way."""
    step, trial_s = _steps(record)[number], record.trace.began_s if record.trace else None
    began_s = (trial_s or 0.0) + step.start_s + step.queue_s + step.retry_wait_s
    return began_s, began_s + step.latency_s


def _priced(record: Record, which: int, costs: dict[tuple[int, int], float]) -> Record:
    """The record with those of its steps priced that are in `costs`, and their sum."""
    numbers = range(len(_steps(record)))
    if record.trace is None or not any((which, number) in costs for number in numbers):
        return record
    steps = tuple(
        replace(step, cost_usd=costs.get((which, number), step.cost_usd))
        for number, step in enumerate(record.trace.steps)
    )
    known = [step.cost_usd for step in steps if step.cost_usd is not None]
    total = sum(known) if len(known) == len(steps) else None
    return replace(record, cost_usd=total, trace=replace(record.trace, steps=steps))
