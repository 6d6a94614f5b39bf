"""One attempt through a vendor's SDK: its deadline, its answer in bounded bytes, its errors.

The SDK makes the request and holds the connections; the answer's bytes are read here, so that
there is a limit to them, and a broken answer is told from a whole one. `openai` and `anthropic`
are built alike, so that one reading of their errors serves both. Neither is imported here.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

from harness.core.chat import Completion, ServiceError
from harness.core.values import JsonValue, parse_json
from harness.plugins.wire.http_client import retry_after_s
from harness.plugins.wire.openai_chat import malformed
from harness.plugins.wire.service_errors import error_kind, service_error, without_key
from harness.plugins.wire.sse import EventParser

MAX_BYTES = 10_000_000
"""An answer that is longer is none."""

DRAIN_S = 0.02
"""How long the end of a finished stream is waited for, so that the connection can be used again."""


async def attempt(
    timeout_s: float,
    ask: Callable[[float], Awaitable[Completion]],
    errors: tuple[type[Exception], ...],
    explain: Callable[[Exception], ServiceError],
    key: str | None,
) -> Completion:
    """Make one attempt.

    Args:
        timeout_s: bounds the whole attempt.
        ask: gets the time of the start on `perf_counter`.
        errors: what may go wrong in it.
        explain: turns one of these into our error.
        key: what no error's text may hold.

    Raises:
        ServiceError: if there is no whole answer; with the time that the attempt took.
    """
    started = perf_counter()
    try:
        async with asyncio.timeout(timeout_s):
            return await ask(started)
    except ServiceError as error:
        told = error
    except TimeoutError:
        told = ServiceError("timeout", f"no whole answer within {timeout_s:g} s")
    except errors as error:
        told = explain(error)
    told.latency_s = perf_counter() - started
    raise without_key(told, key) from None  # what is behind it may hold the key


async def warm_up() -> None:
    """Import what the SDKs' HTTP libraries import at their first request."""
    import anyio.lowlevel

    await anyio.lowlevel.checkpoint()


async def read_json(response: Any) -> JsonValue:
    """The JSON that an SDK's raw response holds.

    Raises:
        ServiceError: `malformed`.
    """
    parts, n_bytes = [], 0
    async with aclosing(response.iter_bytes()) as pieces:
        async for piece in pieces:
            n_bytes = _within(n_bytes + len(piece))
            parts.append(piece)
    return _without_error(decoded(b"".join(parts)))


async def read_events(
    response: Any, is_last: Callable[[JsonValue], bool] = lambda _: False
) -> AsyncGenerator[JsonValue]:
    """The JSON of each server-sent event as they come, up to `[DONE]` or the last one.

    Raises:
        ServiceError: `malformed`, or what an error event tells.
    """
    parser, n_bytes = EventParser(), 0
    async with aclosing(response.iter_bytes()) as pieces:
        async for piece in pieces:
            n_bytes = _within(n_bytes + len(piece))
            for data in parser.feed(piece):
                if data.strip() == b"[DONE]":
                    await _drain(pieces)
                    return
                event = _without_error(decoded(data))
                yield event
                if is_last(event):
                    await _drain(pieces)
                    return
    for data in parser.end():
        if data.strip() != b"[DONE]":
            yield _without_error(decoded(data))


def decoded(raw: bytes) -> JsonValue:
    """`raw` as JSON.

    Raises:
        ServiceError: `malformed`.
    """
    try:
        return parse_json(raw.decode())
    except UnicodeDecodeError as error:
        raise malformed(f"the answer is not UTF-8: byte {error.start}") from None
    except ValueError as error:
        raise malformed(f"the answer is not JSON: {error}") from None


def errors_of(sdk: Any) -> tuple[type[Exception], ...]:
    """What calls of the SDK raise: its own errors, and those of the HTTP library below it.

    Which library that is depends on the SDK's version (httpx or httpx2); it has been imported.
    """
    base = sdk.OpenAIError if hasattr(sdk, "OpenAIError") else sdk.AnthropicError
    return (base, OSError, *(library.HTTPError for library in _http_libraries()))


def explained(sdk: Any, error: Exception, key: str | None) -> ServiceError:
    """An SDK's error, or its HTTP library's, as ours."""
    timeouts = (sdk.APITimeoutError, *(library.TimeoutException for library in _http_libraries()))
    if isinstance(error, timeouts):
        return ServiceError("timeout", "the connection timed out")
    if isinstance(error, sdk.APIStatusError):
        return status_error(error.status_code, error.body, error.response.headers, key)
    cause = error.__cause__ or error
    text = str(cause) or type(cause).__name__
    if isinstance(error, (sdk.APIConnectionError, OSError)) or not isinstance(error, sdk.APIError):
        return service_error("connection", f"no connection, or a broken one: {text}", key=key)
    return service_error("malformed", text, key=key)


def status_error(
    status: int | None, body: JsonValue, headers: Mapping[str, str], key: str | None
) -> ServiceError:
    """An error answer, or an error event in a stream (with no status)."""
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    fields = inner if isinstance(inner, Mapping) else {}
    message = fields.get("message") or inner or ""
    kind = error_kind(
        status, code=fields.get("code"), type_=fields.get("type"), message=str(message)
    )
    where = "the server breaks off" if status is None else f"the server answers {status}"
    text = f"{where}: {message}" if message else where
    return service_error(kind, text, key=key, retry_after_s=retry_after_s(headers))


def sdk_version(name: str) -> str:
    """`name version` of an installed package, which is not imported for it."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} (not installed)"


def _without_error(value: JsonValue) -> JsonValue:
    """`value`, unless it tells of an error: in a stream that had begun, or under the status 200."""
    if isinstance(value, Mapping) and value.get("error"):
        raise status_error(None, value, {}, None)
    return value


def _within(n_bytes: int) -> int:
    if n_bytes > MAX_BYTES:
        raise malformed(f"the answer is longer than {MAX_BYTES} bytes")
    return n_bytes


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read what follows the last event, for a moment: a connection at its end can be kept."""
    broken = (TimeoutError, OSError, *(library.HTTPError for library in _http_libraries()))
    with suppress(*broken):  # the answer is whole; only the connection is lost
        async with asyncio.timeout(DRAIN_S):
            async for _ in pieces:
                pass


def _http_libraries() -> list[Any]:
    return [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]
