"""Costs of models on machines that are paid by the hour, known when all calls have been made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.core.prices import PriceBook
from harness.core.record import Record, Step
from harness.execution.hours import shared_hours_cost


def hourly_costs_usd(records: Iterable[Record], prices: PriceBook) -> dict[tuple[int, int], float]:
    """What each call of a model that is paid by the hour cost.

    By the place of its record, and its place among the record's steps. A machine is a model at an
    address. Its busy time is shared, at every instant, by the calls in flight. How long a call that
    failed for good kept the machine busy is not known, nor is its cost then.
    """
    usd_per_hour = prices.by_the_hour
    if not usd_per_hour:
        return {}
    calls: dict[tuple[str, str], dict[tuple[int, int], tuple[float, float]]] = {}
    for which, record in enumerate(records):
        for number, step in enumerate(_steps(record)):
            model = _answered_by(step)
            if model is not None and model in usd_per_hour:
                machine = (model, str(step.detail.get("route")))
                calls.setdefault(machine, {})[which, number] = _interval(record, step)
    costs: dict[tuple[int, int], float] = {}
    for (model, _), places in calls.items():
        shares = shared_hours_cost(list(places.values()), usd_per_hour[model])
        costs |= dict(zip(places, shares, strict=True))
    return costs


def priced(record: Record, which: int, costs_usd: Mapping[tuple[int, int], float]) -> Record:
    """The record at place `which`, its steps that are in `costs_usd` priced, and their sum."""
    numbers = range(len(_steps(record))) if costs_usd else ()
    if record.trace is None or not any((which, number) in costs_usd for number in numbers):
        return record
    steps = tuple(
        replace(step, cost_usd=costs_usd.get((which, number), step.cost_usd))
        for number, step in enumerate(record.trace.steps)
    )
    known = [step.cost_usd for step in steps if step.cost_usd is not None]
    total = sum(known) if len(known) == len(steps) else None
    return replace(record, cost_usd=total, trace=replace(record.trace, steps=steps))


def _steps(record: Record) -> Sequence[Step]:
    return record.trace.steps if record.trace else ()


def _answered_by(step: Step) -> str | None:
    """The model that a step is an answered call of; None for any other step."""
    model = step.detail.get("model")
    return model if isinstance(model, str) and "error" not in step.detail else None


def _interval(record: Record, step: Step) -> tuple[float, float]:
    """When the successful attempt of a step was under way."""
    trial_s = record.trace.began_s if record.trace else None
    began_s = (trial_s or 0.0) + step.start_s + step.queue_s + step.retry_wait_s
    return began_s, began_s + step.latency_s
