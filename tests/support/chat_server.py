"""A provider behind OpenAI's chat protocol, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import aiohttp

from harness.core.chat import Completion, ModelRequest
from harness.core.record import Usage
from harness.plugins.providers.scripted import Scripted
from harness.ports import Provider
from harness.serving.server import ChatServer, Limits

MODELS = ("desk-base", "desk-tuned")
HELLO: Any = [{"role": "user", "content": "Hello?"}]
BODY = {"model": "desk-base", "messages": HELLO}


class HeldClock:
    def now_iso(self) -> str:
        return "2026-11-20T12:00:00+00:00"


class Kept:
    """A provider that keeps what it is asked, gives one answer, and may hold it back."""

    def __init__(
        self,
        completion: Completion | None = None,
        *,
        problems: Sequence[str] = (),
        error: Exception | None = None,
        holds: bool = False,
    ) -> None:
        usage = Usage(prompt_tokens=3, completion_tokens=1)
        self.completion = completion or Completion("Yes.", (), "stop", usage, 0.1)
        self.requests: list[ModelRequest] = []
        self.asked = threading.Semaphore(0)
        self.n_cancelled = 0
        self._problems, self._error, self._holds = problems, error, holds

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"sdk": "kept"}

    def problems(self, request: ModelRequest) -> Sequence[str]:
        return self._problems

    async def open(self) -> None: ...

    async def complete(self, request: ModelRequest) -> Completion:
        self.requests.append(request)
        self.asked.release()
        if self._error is not None:
            raise self._error
        try:
            if self._holds:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        return self.completion

    async def close(self) -> None: ...


def scripted(*rules: Mapping[str, Any]) -> Scripted:
    return Scripted.model_validate({"rules": list(rules)})


class Served:
    """The server, on a free port; a context manager. `reports` are its own failures."""

    def __init__(
        self, provider: Provider, limits: Limits | None = None, *, opens: bool = False
    ) -> None:
        self._opens = opens
        self.reports: list[str] = []
        self.url = ""
        self._provider, self._limits = provider, limits
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].removesuffix("/v1"))

    def stop(self) -> None:
        """Tell the server to end, without waiting for it."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._stop.set)

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._started.wait(30), "the server did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server did not stop"

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._opens:
            await self._provider.open()
        server = ChatServer(self._provider, MODELS, HeldClock(), self.reports.append, self._limits)
        self.url = await server.start("127.0.0.1", 0)
        self._started.set()
        await self._stop.wait()
        await server.end()
        await self._provider.close()


async def send_async(method: str, url: str, **given: Any) -> tuple[int, Any, dict[str, str]]:
    """A plain request: status, body (JSON, if it is), headers."""
    async with aiohttp.ClientSession() as session, session.request(method, url, **given) as reply:
        raw = await reply.read()
        body = json.loads(raw) if reply.content_type == "application/json" else raw
        return reply.status, body, dict(reply.headers)


def send(method: str, url: str, **given: Any) -> tuple[int, Any, dict[str, str]]:
    """As `send_async`."""
    return asyncio.run(send_async(method, url, **given))


def post(server: Served, body: Any = None, **given: Any) -> tuple[int, Any, dict[str, str]]:
    """A request for an answer; `BODY`, if nothing else is given."""
    url = f"{server.url}/chat/completions"
    return send("POST", url, **(given or {"json": BODY if body is None else body}))
