"""What is asked of a model and what it answers, in one shape for every provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from harness.core.record import Usage
from harness.core.values import JsonValue

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "refusal", "unknown"]
"""Why a model stopped: done, cut at the limit, wants tools, refused (or was filtered)."""

ToolChoice: TypeAlias = Literal["auto", "required", "none"]


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """A tool call as a model asks for it. `arguments` is the model's own text, valid or not."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    `calls` are those an assistant message asks for; a `tool` message answers the call `call_id`.
    """

    role: Role
    content: str
    calls: tuple[RequestedCall, ...] = ()
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it; `parameters` is a JSON Schema of its arguments (an object)."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model.

    `model` is the name without its provider. `params` are those of `PARAMS` that are set, and
    `extra`: a mapping that goes into the request's body as it is. `schema` asks for output
    constrained to a JSON Schema by the provider (structured output). `timeout_s` bounds one
    attempt, first byte out to last byte in.
    """

    model: str
    messages: tuple[Message, ...]
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    schema: Mapping[str, JsonValue] | None = None
    stream: bool = False
    timeout_s: float = 120.0


PARAMS = (
    "temperature", "top_p", "top_k", "max_output_tokens", "seed", "stop", "presence_penalty",
    "frequency_penalty", "logprobs", "top_logprobs", "reasoning_effort", "service_tier", "extra",
)  # fmt: skip
"""Every parameter that a variant may set, by one name for all providers."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer to one attempt.

    `latency_s` is from the first byte out to the last byte in; `ttft_s` to the first token, where
    the answer was streamed. `served_model` is the model's id as the server tells it. `confidence`
    is the mean probability of the answer's tokens where log-probabilities were asked for;
    `first_logprobs` those of the likeliest tokens in the place of the first that is not blank,
    where `top_logprobs` were. `connect_s`, before all this, is what a connection took; None where
    the client does not tell: then `latency_s` holds that, and the lag of our own event loop.
    """

    text: str
    calls: tuple[RequestedCall, ...]
    finish_reason: FinishReason
    usage: Usage
    latency_s: float
    ttft_s: float | None = None
    served_model: str | None = None
    confidence: float | None = None
    first_logprobs: Mapping[str, float] | None = None
    connect_s: float | None = None


ErrorKind: TypeAlias = Literal[
    "timeout", "connection", "rate_limited", "overloaded", "server_error", "malformed",
    "authentication", "not_found", "bad_request", "context_too_long", "refused",
]  # fmt: skip
"""What can go wrong with an attempt; the last two are the system's own failures."""

RETRYABLE: frozenset[ErrorKind] = frozenset(
    {"timeout", "connection", "rate_limited", "overloaded", "server_error", "malformed"}
)
SYSTEM_ERRORS: frozenset[ErrorKind] = frozenset({"context_too_long", "refused"})


class ServiceError(Exception):
    """An attempt to use a model, a search engine, a reranker or an embedder failed.

    The adapter maps its client's errors to this one, once. The text never holds a key.
    `retry_after_s` is what the server asked for. `latency_s` is the time that the attempt took.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        retry_after_s: float | None = None,
        latency_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind
        self.message = message
        self.retry_after_s = retry_after_s
        self.latency_s = latency_s

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed when it is sent again."""
        return self.kind in RETRYABLE


class GaveUpError(ServiceError):
    """A service failed for good. Carries what all attempts together took."""

    def __init__(
        self, last: ServiceError, *, attempts: int, queue_s: float, retry_wait_s: float
    ) -> None:
        super().__init__(last.kind, last.message, latency_s=last.latency_s)
        self.attempts = attempts
        self.queue_s = queue_s
        self.retry_wait_s = retry_wait_s
