"""Short ways to ask a provider something, for tests of providers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from harness.core.chat import Completion, Message, ModelRequest, ServiceError, ToolSpec
from harness.ports import Provider

KEY = "sk-test-0123456789abcdef"
HELLO = (Message("system", "Be brief."), Message("user", "Hello?"))
LOOK_UP = ToolSpec(
    "look_up", "Looks up an order.", {"type": "object", "properties": {"id": {"type": "string"}}}
)
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


def request(model: str = "m", **changes: Any) -> ModelRequest:
    """A request; `params` are given as a mapping."""
    given: dict[str, Any] = {"messages": HELLO, "timeout_s": 20.0} | changes
    return ModelRequest(model=model, **given)


def ask(provider: Provider, *requests: ModelRequest) -> Completion:
    """The answer to the last of the requests, asked one after another in one loop."""
    return asyncio.run(_ask(provider, requests))


def failure(provider: Provider, asked: ModelRequest) -> ServiceError:
    """The error that the request ends in."""
    try:
        ask(provider, asked)
    except ServiceError as error:
        return error
    raise AssertionError("the request succeeded")


def kind_of(call: Callable[[], object]) -> str | None:
    """The kind of the error that the call ends in, or None."""
    try:
        call()
    except ServiceError as error:
        return error.kind
    return None


async def _ask(provider: Provider, requests: tuple[ModelRequest, ...]) -> Completion:
    try:
        for asked in requests[:-1]:
            await provider.complete(asked)
        return await provider.complete(requests[-1])
    finally:
        await provider.close()
