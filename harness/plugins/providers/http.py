"""Any server that speaks chat completions (vLLM, llama.cpp, Ollama, a gateway), without an SDK."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.chat import Completion, ModelRequest, ServiceError
from harness.core.values import JsonValue, parse_json
from harness.plugins.wire.endpoint import BaseUrl, EnvName, address_of
from harness.plugins.wire.http_client import JsonClient, bearer, error_in, key_from
from harness.plugins.wire.model_params import extra_problems
from harness.plugins.wire.openai_chat import ChunkJoiner, chat_body, malformed, read_answer
from harness.plugins.wire.sdk import MAX_BYTES

PATH = "/chat/completions"
DONE = "[DONE]"
"""The data of a stream's last event."""


class Http(BaseModel):
    """A model behind an OpenAI-compatible address."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key_hints: ClassVar[Mapping[str, str]] = {
        "base_url": "give the server's address, such as http://127.0.0.1:8000/v1",
        "api_key": "keys come from the environment only: name the variable in api_key_env",
    }

    stamps_bytes: ClassVar[bool] = True

    base_url: BaseUrl = Field(
        description="The address that /chat/completions is appended to: http or https, host, "
        "port and path."
    )
    api_key_env: EnvName | None = Field(
        default=None,
        description="The environment variable that holds the key, which is sent as a bearer "
        "token; without it no key is sent.",
    )
    _client: JsonClient | None = PrivateAttr(default=None)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """No SDK and no version: the address is what defines the route."""
        return {"sdk": "http", "api_version": None, "base_url": address_of(self.base_url)}

    def problems(self, request: ModelRequest) -> Sequence[str]:
        """A missing key, and keys of `extra` that harness sets.

        All else is sent: only the server knows what its model takes.
        """
        told = extra_problems(request, _own_body(request))
        name = self.api_key_env
        missing = name is not None and not os.environ.get(name, "").strip()
        return [f"the environment variable {name} is not set", *told] if missing else told

    async def open(self) -> None:
        """Import the HTTP client.

        Raises:
            ServiceError: if there is no key where one is asked for.
        """
        await self._connected().open()

    async def complete(self, request: ModelRequest) -> Completion:
        """One request, whole or streamed (see `harness.ports.Provider`)."""
        body = _own_body(request) | dict(request.params.get("extra") or {})
        client = self._connected()
        try:
            if request.stream:
                return await _streamed(client, body, request.timeout_s)
            return await _whole(client, body, request.timeout_s)
        except RecursionError:
            raise malformed("the answer nests too deep") from None

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _connected(self) -> JsonClient:
        if self._client is None:
            key = key_from(self.api_key_env) if self.api_key_env else None
            headers = bearer(key) if key else None
            self._client = JsonClient(
                self.base_url, headers=headers, secret=key, max_bytes=MAX_BYTES
            )
        return self._client


async def _whole(client: JsonClient, body: JsonValue, timeout_s: float) -> Completion:
    reply = await client.post(PATH, body, timeout_s=timeout_s)
    try:
        return replace(_answer(reply.body, reply.latency_s), connect_s=reply.connect_s)
    except ServiceError as error:
        raise client.told(error, reply.latency_s) from None


async def _streamed(client: JsonClient, body: JsonValue, timeout_s: float) -> Completion:
    joiner, ttft_s = ChunkJoiner(), None

    def receive(data: str, elapsed_s: float) -> bool:
        nonlocal ttft_s
        if data.strip() == DONE:
            return True
        if joiner.add(_without_error(_event(data))) and ttft_s is None:
            ttft_s = elapsed_s
        return False

    reply = await client.stream(PATH, body, receive, timeout_s=timeout_s)
    try:
        whole = reply.body is not None  # from a server that does not stream
        answer = (
            _answer(reply.body, reply.latency_s)
            if whole
            else joiner.completion(reply.latency_s, ttft_s)
        )
        return replace(answer, connect_s=reply.connect_s)
    except ServiceError as error:
        raise client.told(error, reply.latency_s) from None


def _own_body(request: ModelRequest) -> dict[str, Any]:
    """The body without `extra`. `max_tokens` is the name that every server knows."""
    body = chat_body(request, "max_tokens")
    if request.params.get("top_k") is not None:
        body["top_k"] = request.params["top_k"]
    return body


def _answer(body: JsonValue, latency_s: float) -> Completion:
    return read_answer(_without_error(body), latency_s)


def _event(data: str) -> JsonValue:
    try:
        return parse_json(data)
    except ValueError as error:
        raise malformed(f"an event of the stream is not JSON: {error}") from None


def _without_error(body: JsonValue) -> JsonValue:
    """`body`, unless it tells of an error under the status 200, as in a stream that had begun."""
    told = body.get("error") if isinstance(body, Mapping) else None
    if not told:
        return body
    code = told.get("code") if isinstance(told, Mapping) else None
    kind, says = error_in(body, code if isinstance(code, int) and 400 <= code < 600 else None)
    raise ServiceError(kind, f"the server answers with an error: {says or 'no reason given'}")
