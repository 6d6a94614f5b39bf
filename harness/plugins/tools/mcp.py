"""The tools of an MCP server, through the official SDK."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, model_validator

from harness.core.chat import ServiceError, ToolSpec
from harness.core.tools import ToolResult
from harness.core.values import JsonValue, encodable
from harness.plugins.tooling.child_process import EnvNames, LastLines, environment, without_secrets
from harness.plugins.tooling.mcp_transports import stdio, streamable_http
from harness.plugins.tooling.tool_options import (
    NAME_PATTERN,
    ArgumentCheck,
    ToolsModel,
    unknown_tool,
)
from harness.plugins.wire.endpoint import BaseUrl, EnvName
from harness.plugins.wire.http_client import bearer, key_from
from harness.plugins.wire.service_errors import readable

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client._transport import TransportStreams
    from mcp_types import CallToolResult

_MAX_TOOLS = 200
_MAX_PAGES = 20
_MAX_DESCRIPTION = 20_000
_OPEN_S = 60.0
_CLOSE_S = 15.0


class Mcp(ToolsModel):
    """The tools of an MCP server: a command that speaks over its pipes, or an address."""

    command: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="The server's program and its arguments."
    )
    url: BaseUrl | None = Field(
        default=None, description="Or the address of a server that speaks streamable HTTP."
    )
    only: tuple[str, ...] = Field(
        default=(), description="The tools to offer; default: all that the server has."
    )
    env: EnvNames = Field(
        default=(), description="Environment variables that the command may see; no others."
    )
    api_key_env: EnvName | None = Field(
        default=None,
        description="The environment variable that holds the key for the address, sent as a "
        "bearer token.",
    )
    _session: _Session | None = PrivateAttr(default=None)
    _checks: dict[str, ArgumentCheck] = PrivateAttr(default_factory=dict)
    _server: dict[str, JsonValue] = PrivateAttr(default_factory=dict)
    _errors: LastLines = PrivateAttr(default_factory=LastLines)

    @model_validator(mode="after")
    def _one_server(self) -> Mcp:
        if bool(self.command) == (self.url is not None):
            raise ValueError("give one of command and url")
        if self.env and not self.command:
            raise ValueError("env belongs to command")
        if self.api_key_env and not self.url:
            raise ValueError("api_key_env belongs to url; hand variables to a command with env")
        return self

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The command or the host; once it is open, the server's name and version too."""
        where: JsonValue = list(self.command) if self.command else urlsplit(self.url or "").netloc
        return {"command" if self.command else "host": where, **self._server}

    @property
    def names(self) -> Sequence[str] | None:
        """Those in `only`; without it the server alone knows."""
        return self.only or None

    def problems(self) -> Sequence[str]:
        """A program that is not there."""
        if not self.command or shutil.which(self.command[0]):
            return ()
        return (f"there is no program '{self.command[0]}' that could be run",)

    async def open(self) -> Sequence[ToolSpec]:
        """Connect, and ask for the tools.

        Raises:
            ServiceError: if there is no server, or its tools cannot be offered to a model.
        """
        self._session = _Session(self._transport)
        try:
            async with asyncio.timeout(_OPEN_S):
                client = await self._session.client()
                specs = await _listed(client, self.only)
        except TimeoutError:
            await self.close()
            told = f"no tools within {_OPEN_S:g} s{self._last_words()}"
            raise ServiceError("timeout", told) from None
        except ServiceError:
            await self.close()
            raise
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises, there are no tools
            await self.close()
            told = self._clean(_said(error)) + self._last_words()
            raise ServiceError("connection", told) from None
        info = client.server_info
        self._server = {"server": info.name, "version": info.version} if info else {}
        self._checks = {spec.name: ArgumentCheck(spec.parameters) for spec in specs}
        return specs

    async def call(self, name: str, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """Call a tool of the server (see `harness.ports.Toolbox`)."""
        if self._session is None:
            return ToolResult("the server is not connected", "connection")
        if name not in self._checks:
            return unknown_tool(name, list(self._checks))
        problem = self._checks[name].problem(arguments)
        if problem:
            return ToolResult(problem, "arguments")
        text, error, queue_s = await self._asked(self._session, name, arguments)
        return replace(self.result(self._clean(text), error), queue_s=queue_s)

    async def close(self) -> None:
        """Disconnect; ends the command."""
        session, self._session = self._session, None
        if session:
            await session.close()

    async def _asked(
        self, session: _Session, name: str, arguments: Mapping[str, JsonValue]
    ) -> tuple[str, str | None, float]:
        """A call's text, what went wrong, and the seconds for a connection that was made anew."""
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED

        client: Client | None = None
        began, queue_s = perf_counter(), 0.0
        try:
            async with asyncio.timeout(self.timeout_s):
                client = await session.client()
                queue_s = perf_counter() - began
                result = await client.call_tool(name, dict(arguments))
        except TimeoutError:
            return f"the tool gave no result within {self.timeout_s:g} s", "timeout", queue_s
        except MCPError as error:
            if error.code != CONNECTION_CLOSED:
                return error.message, "raised", queue_s
            why = "the server ended the connection"
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises, there is no result
            why = _said(error)
        else:
            return _joined(result), "raised" if result.is_error else None, queue_s
        session.forget(client)
        return why, "connection", queue_s

    def _transport(self) -> AbstractAsyncContextManager[TransportStreams]:
        if self.url is None:
            return stdio(self.command, environment(self.env), self._errors)
        headers = bearer(key_from(self.api_key_env)) if self.api_key_env else {}
        return streamable_http(self.url, headers)

    def _last_words(self) -> str:
        """What the command wrote to its standard error before it ended, as the end of a message."""
        said = " / ".join(readable(self._clean(line)) for line in self._errors.lines())
        return f"; it said: {said}" if said else ""

    def _clean(self, text: str) -> str:
        names = [*self.env, *([self.api_key_env] if self.api_key_env else [])]
        return encodable(without_secrets(text, names))


class _Session:
    """A connection, held by a task of its own: the SDK wants to be closed where it was opened.

    A connection that broke is made anew by the next call.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._end = asyncio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()

    def forget(self, client: Client | None) -> None:
        """Take note that a connection broke."""
        if self._client is client:
            self._client = None

    async def client(self) -> Client:
        """The client of a connection that stands.

        Raises:
            Exception: whatever the SDK raises if there is no connection to be had.
        """
        async with self._lock:
            if self._client is None:
                await self.close()
                self._end = asyncio.Event()
                self._ready = asyncio.get_running_loop().create_future()
                self._holder = asyncio.create_task(self._hold(self._ready))
                # Shielded, so that a deadline leaves it undone: then the task is to be cancelled.
                self._client = await asyncio.shield(self._ready)
            return self._client

    async def close(self) -> None:
        """End the connection and wait until it has ended."""
        holder, self._holder = self._holder, None
        if holder is None:
            return
        self._end.set()
        if not self._ready.done():
            holder.cancel()
        done, _ = await asyncio.wait([holder], timeout=_CLOSE_S)
        if not done:
            holder.cancel()
            await asyncio.wait([holder], timeout=_CLOSE_S)

    async def _hold(self, ready: asyncio.Future[Client]) -> None:
        from mcp import Client

        try:
            async with Client(self._transport(), cache=None) as client:
                ready.set_result(client)
                await self._end.wait()
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the connection
            if not ready.done():
                ready.set_exception(error)
                ready.exception()  # nobody may wait any more


async def _listed(client: Client, only: Sequence[str]) -> list[ToolSpec]:
    """The tools that the server has, in its order; those in `only`, where that names any."""
    specs: list[ToolSpec] = []
    cursor = None
    for _ in range(_MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        specs += [_spec(tool) for tool in page.tools if not only or tool.name in only]
        cursor = page.next_cursor
        if cursor is None or len(specs) > _MAX_TOOLS:
            break
    if len(specs) > _MAX_TOOLS or cursor is not None:
        raise ServiceError("malformed", "the server has too many tools: name some in `only`")
    names = [spec.name for spec in specs]
    missing = [name for name in only if name not in names]
    if missing:
        raise ServiceError("not_found", f"the server has no tool '{missing[0]}'")
    if len(set(names)) < len(names):
        raise ServiceError("malformed", "the server has two tools of one name")
    return specs


def _spec(tool: Any) -> ToolSpec:
    if not re.fullmatch(NAME_PATTERN, tool.name):
        why = (
            f"models cannot call a tool named {encodable(tool.name[:80])!r}: name others in `only`"
        )
        raise ServiceError("malformed", why)
    try:
        ArgumentCheck(tool.input_schema)
    except ValueError as error:
        raise ServiceError("malformed", f"the tool '{tool.name}': {error}") from None
    description = encodable(tool.description or "")[:_MAX_DESCRIPTION]
    return ToolSpec(tool.name, description, tool.input_schema)


def _joined(result: CallToolResult) -> str:
    """The texts of a result; what is no text is named by its kind."""
    parts = []
    for block in result.content:
        text = getattr(getattr(block, "resource", block), "text", None)
        parts.append(text if isinstance(text, str) else f"[{block.type}]")
    if not parts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(parts)


def _said(error: BaseException) -> str:
    """What an error says; of a group of errors, the first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:2000] if str(error) else type(error).__name__
