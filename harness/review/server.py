"""The review's server: the page, and the API that takes votes from that page and nobody else.

It listens on loopback only and answers requests that name a loopback address as their host. The
API takes JSON by POST, from a page of the same origin that knows the token of this very server: no
other page in the browser can read or vote, whatever name it has the address by.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from harness.core.values import JsonValue, parse_json
from harness.errors import InputError
from harness.loopback import is_own_host
from harness.review.page import page
from harness.review.session import Review, WrongRequestError

BODY_BYTES = 200_000
END_S = 5.0

_SAFE = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Action = Callable[[Mapping[str, JsonValue]], JsonValue]


class ReviewServer:
    """A review on loopback. Used in one event loop; `start`, then `end`.

    Args:
        review: what is reviewed.
        report: gets a text for whoever runs the server when it fails for a reason of its own.
    """

    def __init__(self, review: Review, report: Callable[[str], None]) -> None:
        self._report = report
        self._token = secrets.token_urlsafe(24)
        self._one_at_a_time = asyncio.Lock()
        self._page = page(self._token, review.reviewer)
        self._actions: dict[str, Action] = {
            "start": lambda asked: review.start(asked.get("reviewer")),
            "item": lambda asked: review.item(asked.get("reviewer"), asked.get("number")),
            "hidden": lambda asked: review.hidden(asked.get("reviewer"), asked.get("number")),
            "vote": review.vote,
            "summary": lambda asked: review.summary(asked.get("reviewer")),
        }
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen; the page's address.

        Args:
            host: a loopback address.
            port: 0 for a free one.

        Raises:
            OSError: if it cannot listen there.
        """
        app = web.Application(client_max_size=BODY_BYTES, middlewares=[self._guarded])
        app.router.add_get("/", self._send_page)
        app.router.add_post("/api/{action}", self._act)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            handle_signals=False,
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
        return f"http://{name}:{bound}/"

    async def end(self) -> None:
        """Take no more votes; those on their way are kept."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only this machine asks, and whatever goes wrong is told as JSON."""
        if not is_own_host(request.headers.get("Host", "")):
            return _refused(403, "the host must be a loopback address")
        try:
            return await handler(request)
        except WrongRequestError as error:
            return _refused(400, str(error))
        except (OSError, InputError) as error:
            said = getattr(error, "strerror", None) or error
            self._report(f"labels cannot be kept: {said}")
            return _refused(500, f"labels cannot be kept: {said}")
        except web.HTTPException as error:
            return _refused(error.status, error.reason)
        except Exception as error:  # noqa: BLE001  a server outlives what it did not foresee
            self._report("".join(traceback.format_exception(error)))
            return _refused(500, "the server failed; its output says how")

    async def _send_page(self, request: web.Request) -> web.StreamResponse:
        html, policy = self._page
        headers = _SAFE | {"Content-Security-Policy": policy}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def _act(self, request: web.Request) -> web.StreamResponse:
        action = self._actions.get(request.match_info["action"])
        if action is None:
            return _refused(404, "there is no such thing")
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        try:
            asked = parse_json((await request.read()).decode("utf-8"))
        except ValueError:
            return _refused(400, "the body is no JSON")
        if not isinstance(asked, dict):
            return _refused(400, "the body is no JSON object")
        async with self._one_at_a_time:
            return _json(await asyncio.to_thread(action, asked))

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Why a request is not from this server's own page, as a response; None if it is."""
        headers = request.headers
        if headers.get("Origin", "").lower() != f"http://{headers.get('Host', '')}".lower():
            return _refused(403, "only the review's own page may ask")
        if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return _refused(403, "only the review's own page may ask")
        if request.content_type != "application/json":
            return _refused(415, "the body must be JSON")
        given = headers.get("X-Harness-Token", "").encode("utf-8", "surrogateescape")
        if not secrets.compare_digest(given, self._token.encode()):
            return _refused(403, "the review was started anew: reload the page")
        return None


def _silent() -> logging.Logger:
    """Gets what the web framework has to say of clients that break the protocol."""
    logger = logging.getLogger("harness.review")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def _refused(status: int, what: str) -> web.Response:
    return _json({"error": what}, status)


def _json(body: JsonValue, status: int = 200) -> web.Response:
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        headers=_SAFE,
        content_type="application/json",
    )
