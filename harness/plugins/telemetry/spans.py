"""Trials as OpenTelemetry spans, sent as OpenTelemetry's own environment variables say.

A trial is a span, each of its steps a child. Calls of models and tools carry the attributes of the
semantic conventions for generative AI (github.com/open-telemetry/semantic-conventions-genai, in
development: their names stand here and nowhere else). No prompt, answer or argument is sent. Spans
are made of records, so that nothing is measured twice; the journal, and not they, is the record.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.core.record import Failure, Record, Stage, Step

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Where one of these is set, spans are sent there."""
HINT = "install it with: pip install 'harness[otel]', or unset OTEL_EXPORTER_OTLP_ENDPOINT"
_QUEUED = 65_536
_USAGE = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "cached_prompt_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}


def is_wanted() -> bool:
    """Whether the environment says where spans go."""
    return any(os.environ.get(name) for name in ENDPOINTS)


class TrialSpans:
    """Sends a span for each trial that ends (a `harness.ports.Progress`)."""

    def __init__(self) -> None:
        """Make ready.

        Raises:
            ImportError: without the SDK and its exporter.
        """
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = os.environ.get("OTEL_SERVICE_NAME", "harness")
        self._provider: TracerProvider = TracerProvider(
            resource=Resource.create({"service.name": name})
        )
        exporter = OTLPSpanExporter()
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_QUEUED))
        self._tracer = self._provider.get_tracer("harness")

    def begin(
        self, variants: Sequence[str], n_each: int, in_flight: int, before: Collection[Record]
    ) -> None:
        """Nothing: trials that ended before have been sent."""

    def ended(self, record: Record) -> None:
        """Send a trial that ended just now."""
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        trace = record.trace
        if trace is None:
            return
        took_s = (record.latency_s or 0.0) + trace.queue_s + trace.retry_wait_s
        end_ns = time.time_ns()
        start_ns = end_ns - _ns(took_s)
        span = self._tracer.start_span(
            f"trial {record.variant}", start_time=start_ns, attributes=dict(_of_trial(record))
        )
        if isinstance(record.outcome, Failure):
            span.set_status(Status(StatusCode.ERROR, record.outcome.error_kind))
        context = set_span_in_context(span)
        for step in trace.steps:
            began_ns = start_ns + _ns(step.start_s)
            child = self._tracer.start_span(
                _name(step), context, start_time=began_ns, attributes=dict(_of_step(step))
            )
            if "error" in step.detail:
                child.set_status(Status(StatusCode.ERROR))
            child.end(began_ns + _ns(step.latency_s + step.queue_s + step.retry_wait_s))
        span.end(end_ns)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _name(step: Step) -> str:
    if "model" in step.detail:
        return f"chat {_model(step)[1]}"
    if step.stage is Stage.TOOL:
        return f"execute_tool {step.detail.get('name', '')}"
    return step.stage.value


def _model(step: Step) -> tuple[str, str]:
    """The provider and the name of the model that a step asked."""
    provider, _, name = str(step.detail["model"]).partition("/")
    return provider, name


def _of_trial(record: Record) -> Iterator[tuple[str, Any]]:
    trace = record.trace
    yield "harness.variant", record.variant
    yield "harness.example_id", record.example_id
    yield "harness.repeat", record.repeat
    yield "harness.status", record.status.value
    yield "harness.path", record.path.value
    if isinstance(record.outcome, Failure):
        yield "error.type", record.outcome.error_kind
    for name, value in (
        ("latency_s", record.latency_s),
        ("cost_usd", record.cost_usd),
        ("queue_s", trace and trace.queue_s),
        ("retry_wait_s", trace and trace.retry_wait_s),
        ("validation", trace and trace.validation),
        ("fallback_used", trace and trace.fallback_used),
    ):
        if value is not None:
            yield f"harness.{name}", value
    if record.evidence:
        yield "harness.evidence_ids", list(record.evidence)


def _of_step(step: Step) -> Iterator[tuple[str, Any]]:
    detail = step.detail
    yield "harness.stage", step.stage.value
    if "model" in detail:
        yield from _of_call(step)
    elif step.stage is Stage.TOOL:
        yield "gen_ai.operation.name", "execute_tool"
        yield "gen_ai.tool.name", str(detail.get("name", ""))
        yield "gen_ai.tool.call.id", str(detail.get("call_id") or "")
    elif step.stage is Stage.EMBED:
        yield "gen_ai.operation.name", "embeddings"
    error = detail.get("error")
    if error is not None:
        yield "error.type", str(error.get("kind") if isinstance(error, Mapping) else error)
    if step.attempts != 1:
        yield "harness.attempts", step.attempts


def _of_call(step: Step) -> Iterator[tuple[str, Any]]:
    detail, (provider, name) = step.detail, _model(step)
    yield "gen_ai.operation.name", "chat"
    yield "gen_ai.provider.name", provider
    yield "gen_ai.request.model", name
    for key, attribute in (
        ("served_model", "gen_ai.response.model"),
        ("ttft_s", "gen_ai.response.time_to_first_chunk"),
    ):
        if detail.get(key) is not None:
            yield attribute, detail[key]
    if detail.get("finish_reason"):
        yield "gen_ai.response.finish_reasons", [str(detail["finish_reason"])]
    for field, attribute in _USAGE.items():
        value = getattr(step.usage, field, None)
        if value is not None:
            yield attribute, value
