"""A tool behind an HTTP address: arguments in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal
from urllib.parse import urlencode, urlsplit

from pydantic import Field, PrivateAttr

from harness.core.chat import ServiceError, ToolSpec
from harness.core.tools import ToolResult
from harness.core.values import JsonValue
from harness.plugins.tooling.tool_options import (
    MAX_RESULT_CHARS,
    OneToolModel,
    Parameters,
    ToolName,
)
from harness.plugins.wire.endpoint import BaseUrl, EnvName
from harness.plugins.wire.http_client import JsonClient, bearer, key_from


class Http(OneToolModel):
    """A tool behind an HTTP address."""

    url: BaseUrl = Field(description="The tool's address, without a query.")
    method: Literal["POST", "GET"] = Field(
        default="POST", description="POST: the arguments are a JSON body; GET: the query."
    )
    name: ToolName = Field(description="The tool's name, as the model sees it.")
    description: str = Field(description="What the tool does, as the model sees it.")
    parameters: Parameters = Field(
        description="A JSON Schema of the arguments, or the path of a file that holds one."
    )
    api_key_env: EnvName | None = Field(
        default=None,
        description="The environment variable that holds the key, sent as a bearer token.",
    )
    _client: JsonClient | None = PrivateAttr(default=None)

    @cached_property
    def spec(self) -> ToolSpec:
        """The tool as a model sees it."""
        return ToolSpec(self.name, self.description, self.parameters)

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The host."""
        return {"host": urlsplit(self.url).netloc}

    async def open(self) -> Sequence[ToolSpec]:
        """Nothing is asked of the server yet.

        Raises:
            ServiceError: if the key is not in the environment.
        """
        key = key_from(self.api_key_env) if self.api_key_env else None
        headers = bearer(key) if key else None
        self._client = JsonClient(
            self.url, headers=headers, max_bytes=4 * MAX_RESULT_CHARS, secret=key
        )
        await self._client.open()
        return [self.spec]

    async def call(self, name: str, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """One request (see `harness.ports.Toolbox`)."""
        refusal = self.refusal(name, arguments)
        if refusal:
            return refusal
        if self._client is None:
            return ToolResult("the tool is not open", "connection")
        try:
            if self.method == "GET":
                path = f"?{urlencode(_query(arguments))}" if arguments else ""
                reply = await self._client.get(path, timeout_s=self.timeout_s)
            else:
                reply = await self._client.post("", dict(arguments), timeout_s=self.timeout_s)
        except ServiceError as error:
            known = error.kind in {"timeout", "connection"}
            return self.result(error.message, error.kind if known else "raised")
        except (ValueError, RecursionError) as error:  # arguments that no request can carry
            return ToolResult(str(error), "arguments")
        return self.result(_text(reply.body))

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client:
            await client.close()


def _text(body: JsonValue) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


def _query(arguments: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    """Name and text; a list gives a pair for every element, null gives none."""
    pairs = []
    for name, value in arguments.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                pairs.append((name, _text(item)))
    return pairs
