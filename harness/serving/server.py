"""The server: who may ask, how much at once, and what becomes of requests when it ends.

It listens on loopback only, and answers only requests that name a loopback address as their host
and JSON as their content: so no page in a browser can use it, whatever name it has the address by.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from harness.core.chat import Completion, ModelRequest, ServiceError
from harness.core.values import JsonValue, fingerprint
from harness.loopback import is_own_host
from harness.ports import Clock, Provider
from harness.serving.answers import Head, events, whole
from harness.serving.chat_request import read_request
from harness.serving.refusals import RefusedError, ending, of_service, too_many

PATHS = "GET /v1/models and POST /v1/chat/completions"
END_S = 10.0
"""How long answers that are being sent may take when the server ends."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what a client can ask of this machine."""

    body_bytes: int = 1_000_000
    body_s: float = 30.0
    requests_at_once: int = 128
    answer_s: float = 600.0


class ChatServer:
    """One provider behind OpenAI's chat protocol. Used in one event loop; `start`, then `end`.

    Args:
        provider: opened and closed by the caller.
        models: the models of it that are served.
        clock: tells when an answer was made.
        report: gets a text for whoever runs the server when it fails for a reason of its own.
        limits: what a client can ask.
    """

    def __init__(
        self,
        provider: Provider,
        models: Sequence[str],
        clock: Clock,
        report: Callable[[str], None],
        limits: Limits | None = None,
    ) -> None:
        self._provider = provider
        self._models = tuple(models)
        self._clock = clock
        self._report = report
        self._limits = limits or Limits()
        self._n_asked = 0
        self._ending = asyncio.Event()
        self._fingerprint = f"fp_{fingerprint(dict(provider.identity))[:12]}"
        self._started_s = self._now_s()
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen; the address for clients, such as `http://127.0.0.1:8765/v1`.

        Args:
            host: a loopback address.
            port: 0 for a free one.

        Raises:
            OSError: if it cannot listen there.
        """
        app = web.Application(
            client_max_size=self._limits.body_bytes, middlewares=[self._shaped, self._guarded]
        )
        app.router.add_get("/v1/models", self._list_models)
        app.router.add_get("/v1/models/{model:.+}", self._tell_model)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,  # a small body stays small
            handle_signals=False,
            handler_cancellation=True,
            logger=_silent(),
            shutdown_timeout=END_S,
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except BaseException:
            await self.end()
            raise
        bound: int = self._runner.addresses[0][1]
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{bound}/v1"

    async def end(self) -> None:
        """Answer nothing more: whoever waits is told so (503), and connections are closed."""
        self._ending.set()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _shaped(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whatever goes wrong is an error in OpenAI's shape."""
        try:
            return await handler(request)
        except RefusedError as error:
            return _json(error.body, error.status, error.headers)
        except ServiceError as error:
            refused = of_service(error)
            return _json(refused.body, refused.status, refused.headers)
        except web.HTTPException as error:
            refused = _of_http(error, request, self._limits)
            return _json(refused.body, refused.status, refused.headers)
        except RecursionError:
            refused = RefusedError(400, "the body nests too deep", code="invalid_value")
            return _json(refused.body, refused.status, refused.headers)
        except Exception as error:  # noqa: BLE001  a server outlives what it did not foresee
            self._report("".join(traceback.format_exception(error)))
            refused = RefusedError(500, "the server failed; its output says how", "server_error")
            return _json(refused.body, refused.status, refused.headers)

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_own_host(request.headers.get("Host", "")):
            what = "the host must be a loopback address: this server is for its own machine only"
            raise RefusedError(403, what, "permission_error", code="host_not_allowed")
        if self._ending.is_set():
            raise ending()
        return await handler(request)

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        return _json({"object": "list", "data": [self._model(name) for name in self._models]})

    async def _tell_model(self, request: web.Request) -> web.StreamResponse:
        return _json(self._model(self._known(request.match_info["model"])))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        async with self._place():
            asked = read_request(await self._body(request), self._limits.answer_s)
            self._known(asked.request.model)
            problems = self._provider.problems(asked.request)
            if problems:
                raise RefusedError(400, "; ".join(problems), code="unsupported_value")
            completion = await self._completion(asked.request)
        head = Head(
            f"chatcmpl-{secrets.token_hex(12)}",
            self._now_s(),
            completion.served_model or asked.request.model,
            self._fingerprint,
        )
        if not asked.request.stream:
            return _json(whole(head, asked, completion))
        return await _stream(request, events(head, asked, completion))

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the places for requests, held until the answer is there."""
        if self._n_asked >= self._limits.requests_at_once:
            raise too_many(self._limits.requests_at_once)
        self._n_asked += 1
        try:
            yield
        finally:
            self._n_asked -= 1

    async def _body(self, request: web.Request) -> bytes:
        if request.content_type != "application/json":
            what = "the body must be JSON: send the header Content-Type: application/json"
            raise RefusedError(415, what, code="unsupported_content_type")
        try:
            async with asyncio.timeout(self._limits.body_s):
                return await request.read()
        except web.RequestPayloadError:
            raise RefusedError(400, "the body came broken", code="invalid_json") from None
        except TimeoutError:
            what = f"the body did not come within {self._limits.body_s:g} s"
            raise RefusedError(408, what, code="timeout") from None

    async def _completion(self, request: ModelRequest) -> Completion:
        """The provider's answer, unless the server ends before it is there."""
        answer = asyncio.ensure_future(self._provider.complete(request))
        end = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait({answer, end}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise ending()
            return answer.result()
        finally:
            answer.cancel()
            end.cancel()
            await asyncio.gather(answer, end, return_exceptions=True)

    def _known(self, model: str) -> str:
        if model in self._models:
            return model
        what = f"there is no model '{model[:100]}'; there is {' and '.join(self._models)}"
        raise RefusedError(404, what, param="model", code="model_not_found")

    def _model(self, name: str) -> JsonValue:
        return {"id": name, "object": "model", "created": self._started_s, "owned_by": "harness"}

    def _now_s(self) -> int:
        """Unix time."""
        return int(datetime.fromisoformat(self._clock.now_iso()).timestamp())


def _silent() -> logging.Logger:
    """Gets what the web framework has to say of clients that break the protocol."""
    logger = logging.getLogger("harness.serving")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


async def _stream(request: web.Request, parts: Iterable[bytes]) -> web.StreamResponse:
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
    response = web.StreamResponse(headers=headers)
    with suppress(ConnectionError):  # the client has gone
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        await response.write_eof()
    return response


def _of_http(error: web.HTTPException, request: web.Request, limits: Limits) -> RefusedError:
    """What the web framework refuses."""
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    match error.status:
        case 404:
            what = f"there is no {request.path[:100]}; there is {PATHS}"
        case 405:
            what = f"{request.path} does not take {request.method}; there is {PATHS}"
        case 413:
            what = f"the body is larger than {limits.body_bytes:,} bytes"
            return RefusedError(413, what, code="request_too_large")
        case _:
            what = error.reason
    return RefusedError(error.status, what, headers=headers)


def _json(
    body: JsonValue, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        headers=headers,
        content_type="application/json",
    )
