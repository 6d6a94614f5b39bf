"""OpenAI's models through the official SDK, by chat completions.

The SDK is imported when a run opens. The address is always given to it, so that no environment
variable leads a run elsewhere; the key comes from the environment and nowhere else.
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
from harness.plugins.wire.endpoint import BaseUrl, EnvName, address_of
from harness.plugins.wire.http_client import key_from
from harness.plugins.wire.model_params import openai_problems
from harness.plugins.wire.openai_chat import ChunkJoiner, chat_body, read_answer
from harness.plugins.wire.sdk import (
    attempt,
    errors_of,
    explained,
    read_events,
    read_json,
    sdk_version,
    warm_up,
)

_ADDRESS = "https://api.openai.com/v1"


class OpenAI(BaseModel):
    """Models of OpenAI, or of a gateway to them, through the `openai` package."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key_hints: ClassVar[Mapping[str, str]] = {
        "api_key": "keys come from the environment only: name the variable in api_key_env"
    }

    base_url: BaseUrl | None = Field(
        default=None, description="The API's address; default: OpenAI's."
    )
    api_key_env: EnvName = Field(
        default="OPENAI_API_KEY", description="The environment variable that holds the key."
    )
    organization: str | None = Field(
        default=None, description="The organisation that is billed; default: the account's own."
    )
    project: str | None = Field(
        default=None, description="The project that is billed; default: the account's own."
    )

    _client: Any = PrivateAttr(default=None)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The SDK's version and the address; the API has no version of its own."""
        return {
            "sdk": sdk_version("openai"),
            "api_version": None,
            "base_url": address_of(self.base_url or _ADDRESS),
        }

    def problems(self, request: ModelRequest) -> Sequence[str]:
        """What the model is known to refuse, and a missing key."""
        missing = [] if os.environ.get(self.api_key_env, "").strip() else [self.api_key_env]
        told = [f"the environment variable {name} is not set" for name in missing]
        return told + openai_problems(request)

    async def open(self) -> None:
        """Import the SDK, and make its client.

        Raises:
            ServiceError: if there is no key.
        """
        await self._ready(key_from(self.api_key_env))

    async def complete(self, request: ModelRequest) -> Completion:
        """One attempt, whole or streamed (see `harness.ports.Provider`)."""
        key = key_from(self.api_key_env)
        client = self._client or await self._ready(key)
        import openai

        async def ask(started: float) -> Completion:
            return await _ask(client, request, started)

        def explain(error: Exception) -> ServiceError:
            return explained(openai, error, key)

        return await attempt(request.timeout_s, ask, errors_of(openai), explain, key)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _ready(self, key: str) -> Any:
        """The client. The SDK takes a second to import, in which others go on."""
        await asyncio.to_thread(import_module, "openai.resources.chat.completions")
        await warm_up()
        import openai

        if self._client is not None:
            return self._client
        self._client = openai.AsyncOpenAI(
            api_key=key,
            base_url=self.base_url or _ADDRESS,
            organization=self.organization,
            project=self.project,
            max_retries=0,
        )
        return self._client


async def _ask(client: Any, request: ModelRequest, started: float) -> Completion:
    call = client.chat.completions.with_streaming_response.create(
        **chat_body(request),
        extra_body=request.params.get("extra"),
        timeout=float(request.timeout_s),
    )
    async with call as response:
        if request.stream:
            return await _joined(response, started)
        answer = await read_json(response)
        return read_answer(answer, perf_counter() - started)


async def _joined(response: Any, started: float) -> Completion:
    joiner, latency_s, ttft_s = ChunkJoiner(), 0.0, None
    async with aclosing(read_events(response)) as chunks:
        async for chunk in chunks:
            latency_s = perf_counter() - started
            if joiner.add(chunk) and ttft_s is None:
                ttft_s = latency_s
    return joiner.completion(latency_s, ttft_s)
