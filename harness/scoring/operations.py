"""What live trials did on the way to their answers, in columns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.core.record import Failure, Record, Stage, Step, Trace
from harness.core.score import FloatArray, OperationsTable, ToolCalls
from harness.core.values import JsonValue, as_text

SELF = "self"
"""The target of a route that leaves a trial with the variant itself."""

_EVENTS = (
    "traced",
    "checked",
    "rejected",
    "schema_failed",
    "invalid",
    "repaired",
    "fallback",
    "retried",
    "tool_called",
    "tool_failed",
)
_AMOUNTS = (
    "repair_s",
    "repair_usd",
    "fallback_s",
    "fallback_usd",
    "retry_wait_s",
    "ttft_s",
    "prompt_tokens",
    "cached_prompt_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "model_calls",
)
_OF_THE_SCHEMA = ("parse:", "schema:")
"""How rejections of an output that does not parse or breaks the schema begin."""
_MAX_NAME = 200
_Slot = tuple[int, int, int]


def operations_table(
    shape: tuple[int, int, int],
    variants: Mapping[str, int],
    examples: Mapping[str, int],
    records: Sequence[Record],
) -> OperationsTable | None:
    """Events, times and tokens of all live records; None where there is none.

    `variants` and `examples` map ids to their places in `shape` (variants, examples, repeats).
    Tokens of recorded outputs are taken along, to be compared with.
    """
    if all(record.trace is None for record in records):
        return None
    events = {name: np.zeros(shape, np.bool_) for name in _EVENTS}
    amounts = {name: np.full(shape, np.nan) for name in _AMOUNTS}
    stage_s: dict[Stage, FloatArray] = {}
    stage_usd: dict[Stage, FloatArray] = {}
    route = np.full(shape, -1, np.int32)
    routes: dict[tuple[str, str | None], int] = {}
    for record in records:
        slot = variants[record.variant], examples[record.example_id], record.repeat
        for name, amount in _tokens(record):
            amounts[name][slot] = _known(amount)
        if record.trace is None:
            continue
        for name in _events(record, record.trace):
            events[name][slot] = True
        for name, amount in _amounts(record.trace):
            amounts[name][slot] = _known(amount)
        _add_stages(stage_s, stage_usd, shape, slot, record.trace.steps)
        decided = routed(record)
        if decided is not None:
            route[slot] = routes.setdefault(decided, len(routes))
    columns: dict[str, Any] = {**events, **amounts, "route": route, "routes": tuple(routes)}
    tools = tuple(_tools(variants, records))
    return OperationsTable(**columns, stage_s=stage_s, stage_usd=stage_usd, tools=tools)


def routed(record: Record) -> tuple[str, str | None] | None:
    """Where the variant's own router sent a trial, and by which rule; None if it did not decide.

    Routers of variants that a trial was handed on to do not count.
    """
    steps = record.trace.steps if record.trace else ()
    for step in steps:
        if step.stage is Stage.ROUTE and not step.variant and "to" in step.detail:
            to, rule = step.detail["to"], step.detail.get("rule")
            own = f":{record.variant}".endswith(f":{to}")  # `harness compare` says `run:variant`
            stays = to is None or (own and all(other.variant != to for other in steps))
            return SELF if stays else _name(to), None if rule is None else _name(rule)
    return None


def fallback_steps(trace: Trace) -> tuple[Step, ...]:
    """The steps that a fallback took: its own, and those of the variant that it handed over to.

    They follow the step that marks it; without one, they are known by their variant's name.
    """
    for place, step in enumerate(trace.steps):
        if step.stage is Stage.FALLBACK:
            return trace.steps[place:]
    if trace.fallback_used is None:
        return ()
    return tuple(step for step in trace.steps if step.variant == trace.fallback_used)


def _events(record: Record, trace: Trace) -> Iterable[str]:
    failed = trace.validation == "failed"
    tools = [step for step in trace.steps if step.stage is Stage.TOOL]
    holds = {
        "traced": True,
        "checked": _told(trace) and trace.validation is not None,
        "rejected": failed or any(_rejects(step) for step in trace.steps),
        "schema_failed": any(text.startswith(_OF_THE_SCHEMA) for text in trace.rejections),
        "invalid": isinstance(record.outcome, Failure) and not record.outcome.infrastructure,
        "tool_called": bool(tools),
        "tool_failed": any(step.detail.get("error") is not None for step in tools),
        "repaired": trace.repairs > 0,
        "fallback": trace.fallback_used is not None,
        "retried": trace.attempts > trace.calls,
    }
    return (name for name, is_so in holds.items() if is_so)


def _amounts(trace: Trace) -> Iterable[tuple[str, float | None]]:
    told = _told(trace)
    repairs = [step for step in trace.steps if step.stage is Stage.REPAIR]
    for name, happened, steps in (
        ("repair", trace.repairs > 0, repairs),
        ("fallback", trace.fallback_used is not None, fallback_steps(trace)),
    ):
        known = told or not happened
        yield f"{name}_s", _time_s(steps) if known else None
        yield f"{name}_usd", _cost_usd(steps) if known else None
    yield "retry_wait_s", trace.retry_wait_s
    yield "ttft_s", trace.ttft_s
    yield "model_calls", sum(step.usage is not None for step in trace.steps) if told else None


def _rejects(step: Step) -> bool:
    return step.stage is Stage.VALIDATE and step.detail.get("result") == "failed"


def _told(trace: Trace) -> bool:
    """Whether the steps are there; a baseline's are left out, because they quote answers."""
    return bool(trace.steps) or not trace.calls


def _tokens(record: Record) -> Iterable[tuple[str, float | None]]:
    yield "prompt_tokens", record.usage.prompt_tokens
    yield "cached_prompt_tokens", record.usage.cached_prompt_tokens
    yield "completion_tokens", record.usage.completion_tokens
    yield "reasoning_tokens", record.usage.reasoning_tokens


def _tools(variants: Mapping[str, int], records: Iterable[Record]) -> Iterator[ToolCalls]:
    """The calls of every variant's every tool, those that the system itself made among them."""
    found: dict[tuple[int, str], list[Step]] = {}
    for record in records:
        for step in record.trace.steps if record.trace else ():
            if step.stage is Stage.TOOL:
                key = variants[record.variant], _name(step.detail.get("name"))
                found.setdefault(key, []).append(step)
    for (variant, tool), calls in found.items():
        errors = Counter(
            _name(call.detail["error"]) for call in calls if call.detail.get("error") is not None
        )
        times = np.array([call.latency_s for call in calls])
        yield ToolCalls(variant, tool, times, dict(errors))


def _name(value: JsonValue) -> str:
    return as_text(value)[:_MAX_NAME]


def _cost_usd(steps: Iterable[Step]) -> float | None:
    """What the steps cost together; None if one is unknown."""
    total = 0.0
    for step in steps:
        if step.cost_usd is None:
            return None
        total += step.cost_usd
    return total


def _known(amount: float | None) -> float:
    return np.nan if amount is None else amount


def _time_s(steps: Sequence[Step]) -> float:
    """How long the steps took; passages that were compressed at once count as long as they took."""
    at_once = [step for step in steps if step.stage is Stage.COMPRESS]
    others = (step.latency_s for step in steps if step.stage is not Stage.COMPRESS)
    total_s, until_s = sum(others), -math.inf
    for step in sorted(at_once, key=_answering_from_s):
        began_s = _answering_from_s(step)
        ended_s = began_s + step.latency_s
        total_s += max(0.0, ended_s - max(began_s, until_s))
        until_s = max(until_s, ended_s)
    return total_s


def _answering_from_s(step: Step) -> float:
    return step.start_s + step.queue_s + step.retry_wait_s


def _add_stages(
    times: dict[Stage, FloatArray],
    costs: dict[Stage, FloatArray],
    shape: tuple[int, int, int],
    slot: _Slot,
    steps: Iterable[Step],
) -> None:
    """Add up a trial's steps by stage; one unknown cost makes its stage's unknown."""
    by_stage: dict[Stage, list[Step]] = {}
    for step in steps:
        by_stage.setdefault(step.stage, []).append(step)
    for stage, own in by_stage.items():
        if stage not in times:
            times[stage] = np.full(shape, np.nan)
            costs[stage] = np.full(shape, np.nan)
        cost_usd = _cost_usd(own)
        times[stage][slot] = _time_s(own)
        costs[stage][slot] = np.nan if cost_usd is None else cost_usd
