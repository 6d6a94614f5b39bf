"""Costs of models on machines that are paid by the hour, known when all calls have been made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.core.prices import PriceBook
from harness.core.record import Record, Step
from harness.execution.hours import shared_hours_cost


@dataclass(frozen=True, slots=True)
class Clocked:
    """A record and when its trial began, in seconds on the run's clock."""

    began_s: float
    record: Record


def with_hours(clocked: Sequence[Clocked], prices: PriceBook) -> list[Record]:
    """The records, with the calls of models that are paid by the hour priced.

    A machine's busy time is shared, at every instant, by the calls in flight.
    """
    calls: dict[str, list[tuple[int, int]]] = {}
    for which, item in enumerate(clocked):
        for number, step in enumerate(_steps(item.record)):
            model = step.detail.get("model")
            price = prices.price(model) if isinstance(model, str) else None
            if price is not None and price.usd_per_hour is not None:
                calls.setdefault(str(model), []).append((which, number))
    records = [item.record for item in clocked]
    if not calls:
        return records
    costs: dict[tuple[int, int], float] = {}
    for model, places in calls.items():
        price = prices.price(model)
        intervals = [_interval(clocked[which], number) for which, number in places]
        per_hour = price.usd_per_hour if price and price.usd_per_hour is not None else 0.0
        costs |= dict(zip(places, shared_hours_cost(intervals, per_hour), strict=True))
    return [_priced(record, which, costs) for which, record in enumerate(records)]


def _steps(record: Record) -> tuple[Step, ...]:
    return record.trace.steps if record.trace else ()


def _interval(item: Clocked, number: int) -> tuple[float, float]:
    """When the successful attempt of a step was under way."""
    step = _steps(item.record)[number]
    began_s = item.began_s + step.start_s + step.queue_s + step.retry_wait_s
    return began_s, began_s + step.latency_s


def _priced(record: Record, which: int, costs: dict[tuple[int, int], float]) -> Record:
    if record.trace is None:
        return record
    steps = tuple(
        replace(step, cost_usd=costs[which, number]) if (which, number) in costs else step
        for number, step in enumerate(record.trace.steps)
    )
    known = [step.cost_usd for step in steps if step.cost_usd is not None]
    total = sum(known) if len(known) == len(steps) else None
    return replace(record, cost_usd=total, trace=replace(record.trace, steps=steps))
