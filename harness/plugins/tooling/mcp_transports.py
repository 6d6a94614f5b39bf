"""How an MCP server is reached, with bounds on what it can send.

The SDK's own transports read a line, or a JSON answer, of any length into memory.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from harness.plugins.tooling.child_process import LastLines, LineProcess

if TYPE_CHECKING:
    import httpx2
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.client._transport import TransportStreams
    from mcp.shared.message import SessionMessage

MAX_MESSAGE_BYTES = 8_000_000
_GRACE_S = 1.0

# What goes wrong is a result; the SDK would write it to standard error as well.
logging.getLogger("mcp").addHandler(logging.NullHandler())


@asynccontextmanager
async def stdio(
    argv: Sequence[str], env: Mapping[str, str], errors: LastLines
) -> AsyncGenerator[TransportStreams]:
    """A server as a child process that speaks in lines; `errors` gets its standard error.

    Raises:
        OSError: if the command cannot be started.
    """
    import anyio
    from mcp.shared.message import SessionMessage

    process = await LineProcess.start(
        argv, env=env, max_line_bytes=MAX_MESSAGE_BYTES, errors=errors
    )
    to_session, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with (
            to_session, read, write, from_session, anyio.create_task_group() as tasks
        ):  # fmt: skip
            tasks.start_soon(_receive, process, to_session)
            tasks.start_soon(_send, process, from_session, to_session)
            try:
                yield read, write
            finally:
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await process.close(grace_s=_GRACE_S)


async def _receive(
    process: LineProcess, to_session: MemoryObjectSendStream[SessionMessage | Exception]
) -> None:
    """Hand on the server's messages; at its end, or after a line too long, end the session."""
    import anyio
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    async with to_session:
        while True:
            try:
                line = await process.receive()
            except ValueError:
                return
            if line is None:
                return
            try:
                message: SessionMessage | Exception = SessionMessage(
                    jsonrpc_message_adapter.validate_json(line, by_name=False)
                )
            except ValueError:
                continue  # a server that prints: the protocol tells clients to ignore it
            try:
                await to_session.send(message)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                return


async def _send(
    process: LineProcess,
    from_session: MemoryObjectReceiveStream[SessionMessage],
    to_session: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    """Hand on the session's messages."""
    async for message in from_session:
        text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
        try:
            await process.send(text.encode("utf-8", "replace"))
        except OSError:
            await to_session.aclose()
            return


@asynccontextmanager
async def streamable_http(url: str, headers: Mapping[str, str]) -> AsyncGenerator[TransportStreams]:
    """A server at an address."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx2.AsyncClient(
                headers=dict(headers),
                timeout=httpx2.Timeout(30.0, read=None),  # every call has a deadline of its own
                transport=_bounded_transport(),
                trust_env=False,
            )
        )
        streams = await stack.enter_async_context(
            streamable_http_client(url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES)
        )
        yield streams


def _bounded_transport() -> httpx2.AsyncBaseTransport:
    """A transport whose answers end in an error once they are too long (streams excepted)."""
    import httpx2

    class Body(httpx2.AsyncByteStream):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            n_bytes = 0
            async for chunk in self._stream:
                n_bytes += len(chunk)
                if n_bytes > MAX_MESSAGE_BYTES:
                    raise httpx2.ReadError("the answer is too long")
                yield chunk

        async def aclose(self) -> None:
            await self._stream.aclose()

    class Bounded(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            response = await super().handle_async_request(request)
            kind = response.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                response.stream = Body(response.stream)
            return response

    return Bounded(trust_env=False)
