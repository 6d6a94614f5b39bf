"""A model server on loopback that speaks the real wire formats, for tests of clients.

It answers `.../chat/completions` as OpenAI does and `.../messages` as Anthropic does, whole or as
a stream of server-sent events, whichever the request asks for; any other path gets the scripted
`Reply` as it is. Replies are taken in the order given; then `respond` (if there is one) decides.

    with ModelServer(Say("Hello"), error(429, "slow down", retry_after="2")) as server:
        ask(base_url=server.openai_url)
        assert server.requests[0].body["model"] == "m"
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, TypeAlias

from aiohttp import web
from model_wire import ANTHROPIC, OPENAI, Call, Fail, Say, error_body, events, whole

__all__ = [
    "ANTHROPIC", "CUT", "HANG", "OPENAI", "Asked", "Call", "Fail", "ModelServer", "Reply", "Say",
    "broken", "error", "partial",
]  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A request as it came over the wire; `body` is its JSON, or None if it is none."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    raw: bytes = b""
    peer: str = ""
    """The client's address and port: the same for requests over one connection."""

    @property
    def format(self) -> str | None:
        """The wire format that belongs to the path."""
        if self.path.endswith("/chat/completions"):
            return OPENAI
        return ANTHROPIC if self.path.endswith("/messages") else None

    @property
    def streams(self) -> bool:
        return isinstance(self.body, dict) and bool(self.body.get("stream"))


@dataclass(frozen=True)
class Reply:
    """Bytes to send. `then`: what follows them.

    `end` ends the answer properly, `cut` breaks the connection, `hang` sends nothing more and
    keeps it open, `repeat` sends the last chunk again and again until the client goes away.
    With no status nothing at all is sent before `then`.
    """

    chunks: Sequence[bytes] = ()
    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Literal["end", "cut", "hang", "repeat"] = "end"
    content_type: str = "application/json"


Scripted: TypeAlias = Say | Fail | Reply
Respond: TypeAlias = Callable[[Asked], Scripted]

HANG = Reply(status=None, then="hang")
"""The request is read and never answered."""
CUT = Reply(status=None, then="cut")
"""The request is read and the connection closed."""


def error(
    status: int,
    message: str = "it failed",
    *,
    code: str | None = None,
    type: str = "invalid_request_error",
    retry_after: str | None = None,
) -> Fail:
    """An error answer with an optional Retry-After."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Fail(status, message, code, type, headers)


def broken(text: str | bytes, *, content_type: str = "application/json") -> Reply:
    """A 200 whose body is exactly this."""
    return Reply([text.encode() if isinstance(text, str) else text], content_type=content_type)


def partial(
    say: Say, asked_format: str, n_events: int, then: Literal["cut", "end", "hang"]
) -> Reply:
    """The first events of a stream, and then something else than its end."""
    body = {"model": say.model or "m", "stream": True, "stream_options": {"include_usage": True}}
    chunks = list(events(say, asked_format, body))[:n_events]
    return Reply(chunks, then=then, content_type="text/event-stream")


class ModelServer:
    """The server, on a free port, in a thread of its own; a context manager."""

    def __init__(self, *replies: Scripted, respond: Respond | None = None) -> None:
        self.requests: list[Asked] = []
        self._replies = list(replies)
        self._respond = respond
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self.port = 0

    @property
    def url(self) -> str:
        """The root: `http://127.0.0.1:PORT`. Anthropic's client wants this one."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """The root of an OpenAI-compatible API."""
        return f"{self.url}/v1"

    @property
    def bodies(self) -> list[Any]:
        """The JSON of every request so far."""
        return [request.body for request in self.requests]

    def add(self, *replies: Scripted) -> None:
        """Script further replies."""
        self._replies.extend(replies)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        assert self._started.wait(30), "the server did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server did not stop"

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        peer = str(request.transport and request.transport.get_extra_info("peername"))
        asked = Asked(request.method, request.path, dict(request.headers), body, raw, peer)
        self.requests.append(asked)
        return await self._send(request, _render(self._next(asked), asked))

    def _next(self, asked: Asked) -> Scripted:
        if self._replies:
            return self._replies.pop(0)
        if self._respond:
            return self._respond(asked)
        return Fail(500, "the test scripted no further reply", type="server_error")

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        if reply.status is None:
            return await self._then(request, reply, web.Response())
        headers = {"Content-Type": reply.content_type} | dict(reply.headers)
        if reply.then == "end" and len(reply.chunks) <= 1:
            return web.Response(status=reply.status, headers=headers, body=b"".join(reply.chunks))
        response = web.StreamResponse(status=reply.status, headers=headers)
        try:
            await response.prepare(request)
            for chunk in reply.chunks:
                await response.write(chunk)
            return await self._then(request, reply, response)
        except ConnectionError:
            return response  # the client has gone

    async def _then(
        self, request: web.Request, reply: Reply, response: web.StreamResponse
    ) -> web.StreamResponse:
        match reply.then:
            case "cut":
                assert request.transport is not None
                request.transport.close()
            case "hang":
                await self._stop.wait()
            case "repeat":
                while not self._stop.is_set():
                    await response.write(reply.chunks[-1])
            case "end":
                await response.write_eof()
        return response


def _render(scripted: Scripted, asked: Asked) -> Reply:
    if isinstance(scripted, Reply):
        return scripted
    wire = asked.format
    if isinstance(scripted, Fail):
        return Reply([error_body(scripted, wire)], scripted.status, scripted.headers)
    assert wire, f"no wire format for {asked.path}"
    if asked.streams:
        chunks = list(events(scripted, wire, asked.body))
        return Reply(chunks, 200, scripted.headers, content_type="text/event-stream")
    return Reply([whole(scripted, wire, asked.body)], 200, scripted.headers)
