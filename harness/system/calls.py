"""Calls of services, through the pacer, as steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from harness.core.chat import SYSTEM_ERRORS, GaveUpError
from harness.core.record import Stage, Step, Usage
from harness.core.values import JsonValue
from harness.core.variant import Component
from harness.ports import Pacer
from harness.system.log import Ended, TrialLog
from harness.system.text import bounded

T = TypeVar("T")

_ADDRESSES = ("base_url", "url", "host")
"""The options that name a service's address, in the plugins of this package."""


def service(component: Component, model: str = "") -> str:
    """The name of a service, for the pacer: `http/llama @ 127.0.0.1:8000`.

    A name or password in the address is left out.
    """
    name = f"{component.use}/{model}" if model else component.use
    address = next((component.options[key] for key in _ADDRESSES if key in component.options), None)
    if not isinstance(address, str):
        return name
    try:
        place = urlsplit(address if "//" in address else f"//{address}").netloc
    except ValueError:
        return name
    return f"{name} @ {place.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A call that is to be made.

    `described` completes the step of a call that succeeded (cost, usage, detail); it may make two
    of one. `detail` and `usage` are those of the step if the call fails for good. `own_s` is what
    the service took by what it gave, where its client tells; `n_tokens` what it counts at most.
    """

    stage: Stage
    route: str
    attempt: Callable[[], Awaitable[T]]
    described: Callable[[Step, T], tuple[Step, ...]]
    detail: Mapping[str, JsonValue] = field(default_factory=dict)
    usage: Usage | None = None
    own_s: Callable[[T], float] | None = None
    n_tokens: int = 0


async def made(call: Call[T], pacer: Pacer, log: TrialLog) -> Ended[T]:
    """Make a call. It is not added to the log yet: calls may be made at once."""
    start_s = log.now_s()
    try:
        paced = await pacer.run(call.route, call.attempt, call.own_s, call.n_tokens)
    except GaveUpError as error:
        return Ended((_failed(call, start_s, error),), error=error)
    step = Step(
        call.stage,
        start_s,
        paced.latency_s,
        attempts=paced.attempts,
        queue_s=paced.queue_s,
        retry_wait_s=paced.retry_wait_s,
    )
    return Ended(call.described(step, paced.value), paced.value)


def _failed(call: Call[T], start_s: float, error: GaveUpError) -> Step:
    """The step of a call that failed for good.

    An attempt that the system itself made fail (`context_too_long`, `refused`) is part of its
    latency; those of the infrastructure are not. A request that was turned away for its length
    was billed nothing; what any other failed one was billed is unknown.
    """
    own_s = 0.0
    if error.kind in SYSTEM_ERRORS:
        own_s = min(error.latency_s or 0.0, error.retry_wait_s)
    turned_away = error.kind == "context_too_long"
    reason = {"kind": error.kind, "message": bounded(error.message, 2_000)}
    return Step(
        call.stage,
        start_s,
        own_s,
        cost_usd=0.0 if turned_away else None,
        usage=None if turned_away else call.usage,
        attempts=error.attempts,
        queue_s=error.queue_s,
        retry_wait_s=error.retry_wait_s - own_s,
        detail={**call.detail, "error": reason},
    )
