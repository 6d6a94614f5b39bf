"""What one trial (a variant, an example, a repeat) left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from harness.core.values import JsonValue, ToolCall


class Status(StrEnum):
    """How a trial ended. The two failures are never mixed (architecture.md, rule 1)."""

    OK = "ok"
    SYSTEM_FAILURE = "system_failure"
    INFRASTRUCTURE_FAILURE = "infrastructure_failure"


class AnswerPath(StrEnum):
    """Where an answer came from; only `cold` and `warm` are live latencies."""

    COLD = "cold"
    WARM = "warm"
    CACHED = "cached"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Answer:
    """The system answered. `output` is any JSON value but null."""

    output: JsonValue
    tool_calls: tuple[ToolCall, ...] | None = None
    evidence: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer. `infrastructure` tells whose fault it was: ours to exclude, or the system's."""

    infrastructure: bool
    error_kind: str
    message: str = ""


Outcome: TypeAlias = Answer | Failure


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one trial; None is unknown, never 0."""

    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One trial's outcome and what it took. Unknown numbers are None, never 0."""

    variant: str
    example_id: str
    repeat: int
    outcome: Outcome
    path: AnswerPath
    latency_s: float | None = None
    cost_usd: float | None = None
    usage: Usage = Usage()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """The outcome as one of three words."""
        match self.outcome:
            case Answer():
                return Status.OK
            case Failure(infrastructure=True):
                return Status.INFRASTRUCTURE_FAILURE
            case Failure():
                return Status.SYSTEM_FAILURE
