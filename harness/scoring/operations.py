"""What live trials did on the way to their answers, in columns."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from harness.core.record import Failure, Record, Stage, Step, Trace
from harness.core.score import FloatArray, OperationsTable, ToolCalls
from harness.core.slots import Slots
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
_K = TypeVar("_K")


class Operations:
    """Events, times and tokens of live records, while they are being collected.

    Tokens of recorded outputs are taken along, to be compared with.
    """

    def __init__(self, slots: Slots) -> None:
        n = len(slots)
        self._slots = slots
        self._events = {name: np.zeros(n, np.bool_) for name in _EVENTS}
        self._amounts = {name: np.full(n, np.nan) for name in _AMOUNTS}
        self._stage_s: dict[Stage, FloatArray] = {}
        self._stage_usd: dict[Stage, FloatArray] = {}
        self._route = np.full(n, -1, np.int32)
        self._routes: dict[tuple[str, str | None], int] = {}
        self._tools: dict[tuple[int, str], _Calls] = {}

    def add(self, slot: int, record: Record) -> None:
        """Take a trial by its slot."""
        for name, amount in _tokens(record):
            self._amounts[name][slot] = _known(amount)
        if record.trace is None:
            return
        for name in _events(record, record.trace):
            self._events[name][slot] = True
        for name, amount in _amounts(record.trace):
            self._amounts[name][slot] = _known(amount)
        self._add_stages(slot, record.trace.steps)
        decided = routed(record)
        if decided is not None:
            self._route[slot] = self._routes.setdefault(decided, len(self._routes))
        for step in record.trace.steps:  # those that the system itself made among them
            if step.stage is Stage.TOOL:
                key = self._slots.variants[record.variant], _name(step.detail.get("name"))
                self._tools.setdefault(key, _Calls()).add(step)

    def table(self) -> OperationsTable:
        """All of them in columns."""
        shape = self._slots.shape
        columns: dict[str, Any] = _shaped({**self._events, **self._amounts}, shape)
        return OperationsTable(
            **columns,
            route=self._route.reshape(shape),
            routes=tuple(self._routes),
            stage_s=_shaped(self._stage_s, shape),
            stage_usd=_shaped(self._stage_usd, shape),
            tools=tuple(
                ToolCalls(variant, tool, np.array(calls.latency_s), dict(calls.errors))
                for (variant, tool), calls in self._tools.items()
            ),
        )

    def _add_stages(self, slot: int, steps: Iterable[Step]) -> None:
        """Add up a trial's steps by stage; one unknown cost makes its stage's unknown."""
        by_stage: dict[Stage, list[Step]] = {}
        for step in steps:
            by_stage.setdefault(step.stage, []).append(step)
        for stage, own in by_stage.items():
            if stage not in self._stage_s:
                self._stage_s[stage] = np.full(len(self._slots), np.nan)
                self._stage_usd[stage] = np.full(len(self._slots), np.nan)
            self._stage_s[stage][slot] = _time_s(own)
            self._stage_usd[stage][slot] = _known(_cost_usd(own))


@dataclass(slots=True)
class _Calls:
    """The calls of one tool."""

    latency_s: array[float] = field(default_factory=lambda: array("d"))
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, step: Step) -> None:
        """Take another call."""
        self.latency_s.append(step.latency_s)
        if step.detail.get("error") is not None:
            self.errors[_name(step.detail["error"])] += 1


def _shaped(columns: Mapping[_K, Any], shape: tuple[int, ...]) -> dict[_K, Any]:
    return {name: column.reshape(shape) for name, column in columns.items()}


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


def fallback_steps(trace: Trace) -> Sequence[Step]:
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
