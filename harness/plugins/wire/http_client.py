"""One lean HTTP client for every plugin that speaks JSON to a server without an SDK.

Each call is one attempt with one deadline and a limit on the bytes that are read. What goes wrong
is a `ServiceError`, whose text never holds the key. No proxy is taken from the environment, no
redirect is followed, no cookie is kept: every variant talks to just the address in its config.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from harness.core.chat import ErrorKind, ServiceError
from harness.core.values import JsonValue, encodable, parse_json
from harness.plugins.wire.arrivals import Times, Turns, stamping_connector, under_way
from harness.plugins.wire.service_errors import error_kind, readable
from harness.plugins.wire.sse import EventParser

if TYPE_CHECKING:
    import aiohttp

_T = TypeVar("_T")

MAX_BYTES = 16_000_000
MAX_ERROR_BYTES = 64_000
DRAIN_S = 0.02
"""How long the end of a finished stream is waited for, so that the connection can be used again."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class JsonReply:
    """A server's answer of a status 2xx.

    `latency_s` is from sending the request to the last byte of the answer (see `arrivals`);
    `connect_s`, before it, what a connection took. `body` is None for a stream.
    """

    body: JsonValue
    status: int
    headers: Mapping[str, str]
    latency_s: float
    connect_s: float = 0.0


class JsonClient:
    """Speaks JSON to the server at `base_url`. Use it in one event loop, and close it there.

    Args:
        base_url: scheme, host, port and path (see `endpoint.BaseUrl`), without credentials; the
            paths of calls are appended to it.
        headers: sent with every request: `bearer(key)` among them, where there is a key.
        max_bytes: an answer that is longer is `malformed`.
        secret: the key, which is blotted out of every error's text, should a server repeat it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
        secret: str | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # unpacking costs more than it saves, and may be a bomb
            **(headers or {}),
        }
        self._max_bytes = max_bytes
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None
        self._turns = Turns()

    async def open(self) -> None:
        """Import what is needed, so that no call has to. Nothing is sent; no call needs it."""
        await asyncio.to_thread(import_module, "aiohttp")
        if self._session is None:
            self._open()

    async def post(self, path: str, body: JsonValue, *, timeout_s: float) -> JsonReply:
        """POST `body` and read the JSON that comes back.

        Raises:
            ServiceError: if no whole JSON answer of a status 2xx came within `timeout_s`.
        """
        return await self._attempt("POST", path, _encoded(body), timeout_s, self._json)

    async def get(self, path: str, *, timeout_s: float) -> JsonReply:
        """GET the JSON at `path`; raises as `post` does."""
        return await self._attempt("GET", path, None, timeout_s, self._json)

    async def stream(
        self,
        path: str,
        body: JsonValue,
        receive: Callable[[str, float], bool],
        *,
        timeout_s: float,
    ) -> JsonReply:
        """POST `body` and read the server-sent events that come back.

        Args:
            path: appended to the base address.
            body: a JSON value.
            receive: gets each event's data and the seconds since the request was sent; returns
                whether this was the last event. It may raise ServiceError, which ends the attempt.
            timeout_s: bounds the whole attempt.

        Returns:
            a reply without a body; or with one, where the server ignored the wish for a stream.

        Raises:
            ServiceError: as `post` does.
        """

        async def read(response: aiohttp.ClientResponse, times: Times) -> JsonReply:
            if response.content_type == "application/json":
                return await self._json(response, times)
            return await self._events(response, times, receive)

        return await self._attempt("POST", path, _encoded(body), timeout_s, read)

    def told(self, error: ServiceError, latency_s: float) -> ServiceError:
        """`error` with the time that the attempt took, and with a text that is fit to be shown."""
        error.message = readable(error.message, self._secret)
        error.args = (error.message,)
        error.latency_s = latency_s
        return error

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=stamping_connector(limit=0),  # the pacer limits, and tells what waited
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers=self._headers,
            trust_env=False,
        )
        return self._session

    async def _attempt(
        self,
        method: str,
        path: str,
        data: bytes | None,
        timeout_s: float,
        read: Callable[[aiohttp.ClientResponse, Times], Awaitable[_T]],
    ) -> _T:
        import aiohttp
        from aiohttp.http_exceptions import HttpProcessingError

        session = self._session or self._open()
        url = self.base_url + path
        times = Times(perf_counter())
        under_way.set(times)
        try:
            async with (
                asyncio.timeout(timeout_s),
                session.request(method, url, data=data, allow_redirects=False) as response,
            ):
                if not 200 <= response.status < 300:
                    raise await self._refusal(response)
                return await read(response, times)
        except ServiceError as error:
            told = error
        except TimeoutError:
            told = ServiceError("timeout", f"no whole answer within {timeout_s:g} s")
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            told = self._told(error)
        raise self.told(told, times.latency_s) from None

    async def _json(self, response: aiohttp.ClientResponse, times: Times) -> JsonReply:
        raw = await self._read(response, self._max_bytes)
        await self._turns.turn()
        headers = response.headers
        return JsonReply(_decoded(raw), response.status, headers, times.latency_s, times.connect_s)

    async def _events(
        self,
        response: aiohttp.ClientResponse,
        times: Times,
        receive: Callable[[str, float], bool],
    ) -> JsonReply:
        parser, n_bytes, elapsed_s = EventParser(), 0, 0.0
        async for chunk in response.content.iter_any():
            elapsed_s = times.latency_s
            n_bytes += len(chunk)
            if n_bytes > self._max_bytes:
                raise _too_long(self._max_bytes)
            if any(receive(_text(data), elapsed_s) for data in parser.feed(chunk)):
                await _drain(response)
                break
        else:
            elapsed_s = times.latency_s
            for data in parser.end():
                receive(_text(data), elapsed_s)
        return JsonReply(None, response.status, response.headers, elapsed_s, times.connect_s)

    async def _read(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        chunks, n_bytes = [], 0
        async for chunk in response.content.iter_any():
            n_bytes += len(chunk)
            if n_bytes > limit:
                raise _too_long(limit)
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _refusal(self, response: aiohttp.ClientResponse) -> ServiceError:
        """The error that the server answers with."""
        status = response.status
        try:
            text = (await self._read(response, MAX_ERROR_BYTES)).decode("utf-8", "replace")
        except ServiceError:  # an endless error page: the status says enough
            text = ""
        kind, says = error_in(_parsed(text), status)
        if 300 <= status < 400:
            says = "a redirect, which is not followed: give the final address"
        return ServiceError(
            kind,
            f"the server answers {status}" + (f": {says}" if says else ""),
            retry_after_s=retry_after_s(response.headers),
        )

    def _told(self, error: Exception) -> ServiceError:
        """What went wrong below HTTP, or in it."""
        import aiohttp
        from aiohttp.http_exceptions import HttpProcessingError

        text = str(error) or type(error).__name__
        match error:
            case aiohttp.InvalidURL():
                return ServiceError("bad_request", f"{text} is no address")
            case aiohttp.ClientPayloadError():
                return ServiceError("malformed", f"the answer was cut off: {text}")
            case aiohttp.ClientResponseError() | HttpProcessingError():
                return ServiceError("malformed", f"the server does not speak HTTP: {text}")
            case _:
                return ServiceError("connection", f"no connection: {text}")


def key_from(env_name: str) -> str:
    """The key in the environment variable `env_name`.

    Raises:
        ServiceError: `authentication`, with the variable's name, if it holds no key.
    """
    key = os.environ.get(env_name, "").strip()
    if not key:
        raise ServiceError("authentication", f"the environment variable {env_name} is not set")
    if not _KEY.fullmatch(key):
        raise ServiceError(
            "authentication", f"the environment variable {env_name} holds what cannot be a key"
        )
    return key


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key to most services."""
    return {"Authorization": f"Bearer {key}"}


def error_in(body: JsonValue, status: int | None) -> tuple[ErrorKind, str]:
    """The kind of error that a body tells of, and what it says.

    Args:
        body: the answer's JSON, or its text where it is none.
        status: of the answer; None if the error is told inside an answer of the status 200.
    """
    fields = body.get("error", body) if isinstance(body, Mapping) else None
    fields = fields if isinstance(fields, Mapping) else {}
    code, type_ = fields.get("code"), fields.get("type")
    says = _said(body)
    return error_kind(status, code=code, type_=type_, message=says), says


def error_message(text: str) -> str:
    """What an error's body says: its `error.message` or the like, else the text itself."""
    return _said(_parsed(text)) or text


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the server asks to wait, from `Retry-After-Ms` or `Retry-After`; None if unsaid.

    A date is counted from the answer's own `Date`, so that our clock need not be right.
    """
    for name, unit_s in (("Retry-After-Ms", 0.001), ("Retry-After", 1.0)):
        given = headers.get(name, "").strip()
        try:
            seconds = float(given) * unit_s
        except ValueError:
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        until = parsedate_to_datetime(headers["Retry-After"])
        wait = until - parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())


def _parsed(text: str) -> JsonValue:
    try:
        return parse_json(text)
    except ValueError:
        return text


def _said(body: JsonValue) -> str:
    """The `message` of an error, or the like; a text itself; "" if nothing is said."""
    if isinstance(body, Mapping) and isinstance(body.get("status"), Mapping):
        body = body["status"]  # Qdrant's; `reason` is OpenSearch's
    for name in ("error", "message", "detail", "reason"):
        if isinstance(body, Mapping) and body.get(name):
            body = body[name]
    return body if isinstance(body, str) else ""


def _encoded(body: JsonValue) -> bytes:
    return encodable(_ENCODER.encode(body)).encode()


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ServiceError("malformed", f"the answer is not UTF-8: byte {error.start}") from None


def _decoded(raw: bytes) -> JsonValue:
    try:
        return parse_json(_text(raw))
    except ValueError as error:
        raise ServiceError("malformed", f"the answer is not JSON: {error}") from None


def _too_long(limit: int) -> ServiceError:
    return ServiceError("malformed", f"the answer is longer than {limit} bytes")


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read what follows the last event, for a moment: a connection at its end can be kept."""
    import aiohttp

    try:
        async with asyncio.timeout(DRAIN_S):
            for _ in range(4):
                if response.content.at_eof():
                    return
                await response.content.readany()
    except (TimeoutError, aiohttp.ClientError, OSError):
        return  # the answer is whole; only the connection is lost
