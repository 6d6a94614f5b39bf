"""Several calls of judges at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from harness.errors import HarnessError, first_of


async def together(work: Callable[[], Coroutine[Any, Any, None]], n: int) -> None:
    """Run `work` so many times at once, to the end of all of them.

    Raises:
        HarnessError, OSError: the first that one of them raised; the others are cancelled.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(n):
                group.create_task(work())
    except* (HarnessError, OSError) as raised:
        given_up = raised
    else:
        return
    raise first_of(given_up) from None
