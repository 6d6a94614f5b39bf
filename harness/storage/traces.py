"""What a live trial went through as columns of `trials.parquet`, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, overload

from harness.core.record import Stage, Step, Trace, Usage
from harness.core.values import JsonValue, fields_of
from harness.storage.text import json_text, utf8, utf8_or_none


class StoredSteps(Sequence[Step]):
    """Steps as they are stored, read when they are asked for: many readers need none."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return tuple(map(_step, json.loads(self.text)))

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps)

    @overload
    def __getitem__(self, at: int) -> Step: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Step, ...]: ...
    def __getitem__(self, at: int | slice) -> Step | tuple[Step, ...]:
        return self._steps[at]

    def __eq__(self, other: object) -> bool:
        return self._steps == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


def columns_of(trace: Trace) -> dict[str, Any]:
    """The values of a trace's columns by name."""
    return {
        "block": trace.block,
        "began_s": trace.began_s,
        "queue_s": trace.queue_s,
        "retry_wait_s": trace.retry_wait_s,
        "ttft_s": trace.ttft_s,
        "calls": trace.calls,
        "attempts": trace.attempts,
        "validation": trace.validation,
        "rejections": [utf8(text) for text in trace.rejections],
        "repairs": trace.repairs,
        "fallback_used": trace.fallback_used is not None,
        "fallback_to": utf8_or_none(trace.fallback_used),
        "routed_to": utf8_or_none(trace.routed_to),
        "served_model": utf8_or_none(trace.served_model),
        "steps": _steps_json(trace.steps),
    }


def trace_of(row: Mapping[str, Any]) -> Trace | None:
    """The trace in a row; None for recorded outputs. A baseline's has no steps.

    The steps themselves are `StoredSteps`.
    """
    if row["calls"] is None:
        return None
    return Trace(
        steps=() if row["steps"] is None else StoredSteps(row["steps"]),
        queue_s=row["queue_s"],
        retry_wait_s=row["retry_wait_s"],
        ttft_s=row["ttft_s"],
        calls=row["calls"],
        attempts=row["attempts"],
        validation=row["validation"],
        rejections=tuple(row["rejections"] or ()),
        repairs=row["repairs"],
        fallback_used=row["fallback_to"],
        routed_to=row["routed_to"],
        served_model=row["served_model"],
        block=row["block"],
        began_s=row["began_s"],
    )


def _steps_json(steps: Sequence[Step]) -> str:
    if isinstance(steps, StoredSteps):
        return steps.text
    return json_text([step_json(step) for step in steps])


def step_json(step: Step) -> dict[str, JsonValue]:
    """A step as the JSON that `steps` holds: what is at its default is left out."""
    counts = fields_of(step.usage) if step.usage else {}
    usage = {key: n for key, n in counts.items() if n is not None}
    extras: dict[str, JsonValue] = {
        "usage": usage,
        "attempts": step.attempts if step.attempts != 1 else None,
        "queue_s": step.queue_s,
        "retry_wait_s": step.retry_wait_s,
        "variant": step.variant,
        "detail": dict(step.detail),
    }
    return {
        "stage": step.stage.value,
        "start_s": step.start_s,
        "latency_s": step.latency_s,
        "cost_usd": step.cost_usd,
        **{key: value for key, value in extras.items() if value},
    }


def _step(given: Mapping[str, Any]) -> Step:
    usage = given.get("usage")
    return Step(
        stage=Stage(given["stage"]),
        start_s=given["start_s"],
        latency_s=given["latency_s"],
        cost_usd=given["cost_usd"],
        usage=Usage(**usage) if usage else None,
        attempts=given.get("attempts", 1),
        queue_s=given.get("queue_s", 0.0),
        retry_wait_s=given.get("retry_wait_s", 0.0),
        variant=given.get("variant", ""),
        detail=given.get("detail", {}),
    )
