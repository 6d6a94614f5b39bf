"""Anthropic's models through the official SDK, by the messages API.

The SDK is imported when a run opens. Address and API version are always given to it, so that
neither an environment variable nor a new SDK changes what is measured; the key comes from the
environment and nowhere else.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from importlib import import_module
from time import perf_counter
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.chat import Completion, ModelRequest, ServiceError
from harness.core.values import JsonValue
from harness.plugins.wire.anthropic_messages import (
    EventJoiner,
    is_last,
    messages_body,
    read_message,
)
from harness.plugins.wire.endpoint import BaseUrl, EnvName, address_of
from harness.plugins.wire.http_client import key_from
from harness.plugins.wire.model_params import anthropic_problems
from harness.plugins.wire.sdk import (
    attempt,
    errors_of,
    explained,
    read_events,
    read_json,
    sdk_version,
    warm_up,
)

_ADDRESS = "https://api.anthropic.com"


class Anthropic(BaseModel):
    """Models of Anthropic through the `anthropic` package."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key_hints: ClassVar[Mapping[str, str]] = {
        "api_key": "keys come from the environment only: name the variable in api_key_env"
    }

    base_url: BaseUrl | None = Field(
        default=None, description="The API's address; default: Anthropic's."
    )
    api_key_env: EnvName = Field(
        default="ANTHROPIC_API_KEY", description="The environment variable that holds the key."
    )
    api_version: str = Field(
        default="2026-10-21",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="The version of the API, sent as the header anthropic-version.",
    )

    _client: Any = PrivateAttr(default=None)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The SDK's version, the API's, and the address."""
        return {
            "sdk": sdk_version("anthropic"),
            "api_version": self.api_version,
            "base_url": address_of(self.base_url or _ADDRESS),
        }

    def problems(self, request: ModelRequest) -> Sequence[str]:
        """What the API or the model is known to refuse, and a missing key."""
        missing = [] if os.environ.get(self.api_key_env, "").strip() else [self.api_key_env]
        told = [f"the environment variable {name} is not set" for name in missing]
        return told + anthropic_problems(request)

    async def open(self) -> None:
        """Import the SDK, and make its client.

        Raises:
            ServiceError: if there is no key.
        """
        await self._ready(key_from(self.api_key_env))

    async def complete(self, request: ModelRequest) -> Completion:
        """One attempt, whole or streamed (see `harness.ports.Provider`)."""
        if request.params.get("max_output_tokens") is None:
            raise ServiceError("bad_request", "Anthropic's API needs max_output_tokens")
        key = key_from(self.api_key_env)
        client = self._client or await self._ready(key)
        import anthropic

        async def ask(started: float) -> Completion:
            return await _ask(client, request, started)

        def explain(error: Exception) -> ServiceError:
            return explained(anthropic, error, key)

        return await attempt(request.timeout_s, ask, errors_of(anthropic), explain, key)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _ready(self, key: str) -> Any:
        """The client. The SDK takes a second to import, in which others go on."""
        await asyncio.to_thread(import_module, "anthropic.resources.messages")
        await warm_up()
        import anthropic

        if self._client is not None:
            return self._client
        self._client = anthropic.AsyncAnthropic(
            api_key=key,
            base_url=self.base_url or _ADDRESS,
            default_headers={"anthropic-version": self.api_version},
            max_retries=0,
        )
        return self._client


async def _ask(client: Any, request: ModelRequest, started: float) -> Completion:
    call = client.messages.with_streaming_response.create(
        **messages_body(request),
        extra_body=request.params.get("extra"),
        timeout=float(request.timeout_s),
    )
    async with call as response:
        if request.stream:
            return await _joined(response, started)
        answer = await read_json(response)
        return read_message(answer, perf_counter() - started)


async def _joined(response: Any, started: float) -> Completion:
    joiner, latency_s, ttft_s = EventJoiner(), 0.0, None
    async with aclosing(read_events(response, is_last)) as events:
        async for event in events:
            latency_s = perf_counter() - started
            if joiner.add(event) and ttft_s is None:
                ttft_s = latency_s
    return joiner.completion(latency_s, ttft_s)
