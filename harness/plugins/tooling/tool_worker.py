"""The process that a user's tool runs in: `python -m harness.plugins.tooling.tool_worker`.

Arguments: `module:function`, the memory in MB that calls may take beside what importing the module
took, and the seconds that a call may take. It reads a JSON line of arguments per call and writes a
JSON line `{text, error}`; the first line that it writes is `{"ready": true}` or `{"error": why}`.
What the tool prints goes nowhere.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import math
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

MAX_RESULT_CHARS = 1_000_000
MAX_ERROR_CHARS = 2000


def main() -> int:
    """Serve calls until there are no more."""
    name, memory_mb, timeout_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    requests, replies = _private_pipes()
    try:
        function = _load(name)
        _limit_memory(memory_mb)
    except BaseException as error:  # noqa: BLE001 - importing runs foreign code
        _reply(replies, {"error": f"cannot import {name} ({_said(error)})"})
        return 1
    _reply(replies, {"ready": True})
    for line in requests:
        signal.alarm(math.ceil(timeout_s) + 5)  # should nobody be left to end a call that hangs
        answer = _answer(function, json.loads(line), memory_mb)
        signal.alarm(0)
        _reply(replies, answer)
    return 0


def _private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Our ends of the pipes; the tool and its children get the null device in their place."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    return requests, replies


def _load(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    function: Any = getattr(importlib.import_module(module), attribute)
    if not callable(function):
        raise TypeError(f"{attribute} is not a function")
    found: Callable[..., Any] = function
    return found


def _limit_memory(memory_mb: int) -> None:
    import resource

    used = 0
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        used = pages * resource.getpagesize()
    limit = used + memory_mb * 1_000_000
    with suppress(ValueError, OSError):  # a stricter limit stands already
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(
    function: Callable[..., Any], arguments: dict[str, Any], memory_mb: int
) -> dict[str, Any]:
    try:
        value = function(**arguments)
        if inspect.isawaitable(value):
            value = asyncio.run(_wait(value))
    except MemoryError:
        return {"error": "memory", "text": f"the tool took more than {memory_mb} MB"}
    except BaseException as error:  # noqa: BLE001 - any error of foreign code is its result
        return {"error": "raised", "text": _said(error)}
    try:
        text = value if isinstance(value, str) else json.dumps(
            value, ensure_ascii=False, allow_nan=False
        )  # fmt: skip
    except MemoryError:
        return {"error": "memory", "text": f"the tool's result took more than {memory_mb} MB"}
    except (TypeError, ValueError, RecursionError) as error:
        return {"error": "raised", "text": f"the tool's result is no JSON: {_said(error)}"}
    if len(text) > MAX_RESULT_CHARS:
        text = f"the tool's result is longer than {MAX_RESULT_CHARS:,} characters"
        return {"error": "raised", "text": text}
    return {"error": None, "text": text}


async def _wait(value: Awaitable[Any]) -> Any:
    return await value


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - it is foreign code too
        text = "an error that cannot be told"
    return f"{type(error).__name__}: {text}"[:MAX_ERROR_CHARS]


def _reply(replies: IO[bytes], answer: dict[str, Any]) -> None:
    replies.write(json.dumps(answer).encode("ascii") + b"\n")
    replies.flush()


if __name__ == "__main__":
    sys.exit(main())
