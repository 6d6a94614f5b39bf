"""What a live trial went through as columns of `trials.parquet`, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness.core.record import Stage, Step, Trace, Usage
from harness.core.values import JsonValue
from harness.storage.text import json_text, parse_or_none, utf8, utf8_or_none


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
        "steps": json_text([step_json(step) for step in trace.steps]),
    }


def trace_of(row: Mapping[str, Any]) -> Trace | None:
    """The trace in a row; None for recorded outputs. A baseline's has no steps."""
    if row["calls"] is None:
        return None
    return Trace(
        steps=tuple(_step(step) for step in parse_or_none(row["steps"]) or ()),
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


def step_json(step: Step) -> dict[str, JsonValue]:
    """A step as the JSON that `steps` holds: what is at its default is left out."""
    usage = {key: n for key, n in asdict(step.usage).items() if n is not None} if step.usage else {}
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
