"""The border that no secret crosses: what a trial leaves is looked through before it is kept.

A model, a tool, a document or a server may repeat a key that it was given or has found. Everything
that a run keeps of its trials, the journal, tables, reports and exports, is made from records; the
cache between runs keeps answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.core.chat import Completion, RequestedCall
from harness.core.record import Answer, Outcome, Record, Step
from harness.core.values import ToolCall, fields_of

REDACTED = "[redacted]"
SHORTEST = 8
"""A shorter secret is likelier to be an innocent word: no service gives out such keys."""


class Redactor:
    """Takes secrets out of texts, as they are and as JSON writes them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        kept = {secret for secret in secrets if len(secret) >= SHORTEST}
        kept |= {json.dumps(secret)[1:-1] for secret in kept}
        self._secrets = sorted(kept, key=len, reverse=True)  # one may be a part of another

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return text

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, in keys neither."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [self.value(item) for item in value]
        return value

    def record(self, record: Record) -> Record:
        """What a trial left, without secrets."""
        trace, outcome = record.trace, fields_of(record.outcome)
        calls = [fields_of(call) for call in record.tool_calls or ()]
        told = [step.detail for step in trace.steps] if trace else []
        more = [trace.rejections, trace.served_model] if trace else []
        if not self._stand_in([*told, *more, {**outcome, "tool_calls": calls}]):
            return record
        if trace is not None:
            trace = replace(
                trace,
                steps=tuple(self._step(step) for step in trace.steps),
                rejections=tuple(map(self.text, trace.rejections)),
                served_model=None if trace.served_model is None else self.text(trace.served_model),
            )
        return replace(record, outcome=self._outcome(record.outcome), trace=trace)

    def completion(self, answer: Completion) -> Completion:
        """What a model answered, without secrets."""
        texts = [fields_of(call) for call in answer.calls]
        tokens = answer.first_logprobs
        if not self._stand_in([answer.text, answer.served_model, tokens, *texts]):
            return answer
        calls = tuple(
            RequestedCall(self.text(call.id), self.text(call.name), self.text(call.arguments))
            for call in answer.calls
        )
        served = None if answer.served_model is None else self.text(answer.served_model)
        return replace(
            answer,
            text=self.text(answer.text),
            calls=calls,
            served_model=served,
            first_logprobs=self.value(tokens),
        )

    def _stand_in(self, value: Any) -> bool:
        """Whether there is anything to take out: there mostly is not, and copying takes time."""
        if isinstance(value, str):
            return any(secret in value for secret in self._secrets)
        if isinstance(value, Mapping):
            return any(self._stand_in(key) or self._stand_in(item) for key, item in value.items())
        return isinstance(value, Sequence) and any(map(self._stand_in, value))

    def _step(self, step: Step) -> Step:
        return replace(step, detail=self.value(step.detail))

    def _outcome(self, outcome: Outcome) -> Outcome:
        calls, evidence = outcome.tool_calls, outcome.evidence
        if calls is not None:
            calls = tuple(self._call(call) for call in calls)
        if evidence is not None:
            evidence = tuple(map(self.text, evidence))
        if isinstance(outcome, Answer):
            output = self.value(outcome.output)
            return replace(outcome, output=output, tool_calls=calls, evidence=evidence)
        message, kind = self.text(outcome.message), self.text(outcome.error_kind)
        return replace(
            outcome, message=message, error_kind=kind, tool_calls=calls, evidence=evidence
        )

    def _call(self, call: ToolCall) -> ToolCall:
        return ToolCall(self.text(call.name), self.value(call.arguments))
