"""Functions that a user may offer to a model, well-behaved and not."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

N_CALLS = 0
IMPORTED_S = time.perf_counter()


def price(
    product: str, quantity: int = 1, currency: Literal["EUR", "USD"] = "EUR"
) -> dict[str, Any]:
    """The price of a product.

    More than a model needs to know.

    Args:
        product: The product's id.
        quantity: How many.
    """
    return {"product": product, "total": 2.5 * quantity, "currency": currency}


async def slow_price(product: str, tags: list[str] | None = None) -> str:
    """The price of a product, later."""
    await asyncio.sleep(0)
    return f"{product}: ä€ {tags}"


def untyped(value):  # type: ignore[no-untyped-def]
    return value


def count() -> int:
    """How often this process was called."""
    global N_CALLS  # noqa: PLW0603
    N_CALLS += 1
    return N_CALLS


def clocked(path: str) -> dict[str, float]:
    """When this process imported the module, began to read a line, and had read it.

    Without a path the process ends.
    """
    began_s = time.perf_counter()
    if not path:
        os._exit(1)
    with Path(path).open(encoding="ascii") as lines:
        lines.readline()
    return {"imported_s": IMPORTED_S, "began_s": began_s, "ended_s": time.perf_counter()}


def process_id() -> int:
    """The process."""
    return os.getpid()


def prints(text: str) -> str:
    """Prints."""
    sys.stdout.write(text + "\n")
    sys.stderr.write(text + "\n")
    os.write(1, b'{"error": null, "text": "forged"}\n')
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    return f"read {sys.stdin.read()!r}"


def environment(name: str) -> str:
    """A variable."""
    return repr(os.environ.get(name))


def misbehave(how: str, size: int = 0, path: str = "") -> Any:
    """Misbehaves."""
    ways: dict[str, Callable[[], Any]] = {
        "exit": lambda: sys.exit(3),
        "hard exit": lambda: os._exit(3),
        "abort": os.abort,
        "hang": lambda: time.sleep(600),
        "busy": lambda: all(iter(lambda: True, False)),
        "memory": lambda: len(bytearray(size)),
        "many objects": lambda: [str(number) for number in range(size)],
        "huge": lambda: "x" * size,
        "object": object,
        "nan": lambda: float("nan"),
        "deep": lambda: functools.reduce(lambda inner, _: [inner], range(size), []),
        "surrogate": lambda: "\ud800",
        "children": lambda: leave_behind(path, seconds=0),
        "children and hang": lambda: leave_behind(path, seconds=600),
    }
    if how == "unspeakable":
        raise UnspeakableError
    if how == "raise":
        raise ValueError("no such product")
    return ways[how]()


def leave_behind(path: str, *, seconds: int) -> str:
    """Children that outlive the call; their ids stand in the file, a line each."""
    code = "import time; time.sleep(600)"
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    forked = os.fork()
    if forked == 0:
        time.sleep(600)
    ids = [child.pid for child in children] + [forked]
    Path(path).write_text("\n".join(map(str, ids)), encoding="ascii")
    time.sleep(seconds)
    return "done"


class UnspeakableError(Exception):
    """An error that fails to tell of itself."""

    def __str__(self) -> str:
        raise RuntimeError
