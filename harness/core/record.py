"""What one trial (a variant, an example, a repeat) left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """No answer. `infrastructure` tells whose fault it was: ours to exclude, or the system's.

    `tool_calls` and `evidence` are what a live system had done before it failed.
    """

    infrastructure: bool
    error_kind: str
    message: str = ""
    tool_calls: tuple[ToolCall, ...] | None = None
    evidence: tuple[str, ...] | None = None


Outcome: TypeAlias = Answer | Failure


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call or one trial; None is unknown, never 0.

    `prompt_tokens` are all tokens of the prompt, those read from or written to the provider's
    cache included. `completion_tokens` are all tokens put out, reasoning included.
    """

    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class Stage(StrEnum):
    """The parts of a live trial that are timed one by one."""

    NORMALISE = "normalise"
    ROUTE = "route"
    REWRITE = "rewrite"
    EMBED = "embed"
    RETRIEVE = "retrieve"
    RERANK = "rerank"
    COMPRESS = "compress"
    CONTEXT = "context"
    GENERATE = "generate"
    TOOL = "tool"
    DRAFT = "draft"
    VALIDATE = "validate"
    REPAIR = "repair"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Step:
    """One timed part of a trial.

    `latency_s` is the step's own time: of a call's successful attempt, without waiting and failed
    attempts, which are in `queue_s` and `retry_wait_s`. `start_s` counts from the trial's start.
    `cost_usd` is None where unknown. `variant` is the variant that did it, where a route or a
    fallback handed the trial on; empty for the trial's own. `detail` is JSON; docs/reference/
    files.md says what each stage puts there.
    """

    stage: Stage
    start_s: float
    latency_s: float
    cost_usd: float | None = 0.0
    usage: Usage | None = None
    attempts: int = 1
    queue_s: float = 0.0
    retry_wait_s: float = 0.0
    variant: str = ""
    detail: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """How a live trial came to its outcome.

    `attempts` counts the attempts of all its calls together, `calls` the calls; they are equal if
    nothing was retried. `validation` is `passed`, `failed` or None if nothing was to be validated;
    `rejections` are the reasons of every rejected output, in order. `fallback_used` names the
    variant (or `human`) that answered instead, `routed_to` the one that a route chose. `block`
    is the trial's place in the schedule; `began_s` when it began, in seconds on the run's clock,
    which goes on where it stood when a run is resumed.
    """

    steps: Sequence[Step] = ()
    queue_s: float = 0.0
    retry_wait_s: float = 0.0
    ttft_s: float | None = None
    calls: int = 0
    attempts: int = 0
    validation: str | None = None
    rejections: tuple[str, ...] = ()
    repairs: int = 0
    fallback_used: str | None = None
    routed_to: str | None = None
    served_model: str | None = None
    block: int | None = None
    began_s: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One trial's outcome and what it took. Unknown numbers are None, never 0.

    `trace` is None for recorded outputs.
    """

    variant: str
    example_id: str
    repeat: int
    outcome: Outcome
    path: AnswerPath
    latency_s: float | None = None
    cost_usd: float | None = None
    usage: Usage = Usage()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    trace: Trace | None = None

    @property
    def evidence(self) -> tuple[str, ...] | None:
        """The ids of what the system rested on, best first; None where it is not known."""
        return self.outcome.evidence

    @property
    def tool_calls(self) -> tuple[ToolCall, ...] | None:
        """The tools that the system called, in order; None where it is not known."""
        return self.outcome.tool_calls

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
