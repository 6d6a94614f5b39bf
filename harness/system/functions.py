"""Rules in Python: functions of the user's, called with a limit on their time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

from harness.core.values import JsonValue
from harness.core.variant import Output
from harness.system.rejection import Reason
from harness.system.text import bounded
from harness.system.validation import SHOWN_CHARS, broken

LIMIT_S = 10.0
"""How long one call of a function may take."""


class FunctionRules:
    """The rules of an output that are functions."""

    def __init__(
        self,
        output: Output,
        functions: Mapping[str, Callable[..., Any]],
        limit_s: float = LIMIT_S,
    ) -> None:
        self._rules = [(rule, functions[rule.function]) for rule in output.rules if rule.function]
        self._limit_s = limit_s

    async def reasons(self, output: JsonValue, given: JsonValue) -> list[Reason]:
        """What the functions say is wrong with an output for an input.

        A function that raises or does not end in time is a broken rule too.
        """
        found = []
        for rule, function in self._rules:
            try:
                said = await in_thread(function, (output, given), self._limit_s)
            except TimeoutError:
                found.append(Reason("rule", f"{rule.name}: took more than {self._limit_s:g} s"))
            except _RaisedError as error:
                found.append(Reason("rule", f"{rule.name}: {error}"))
            else:
                found += [] if said is None else [broken(rule, said)]
        return found


class _RaisedError(Exception):
    """A function raised."""


def _words_of(problem: BaseException) -> str:
    """What an exception says; nothing if that raises too."""
    try:
        return f": {bounded(str(problem), SHOWN_CHARS)}"
    except Exception:  # noqa: BLE001 - foreign code raises anything
        return ""


async def in_thread(
    function: Callable[..., Any], arguments: Sequence[JsonValue], limit_s: float
) -> str | None:
    """What `function` returns for copies of `arguments`, as text, from a thread of its own.

    A thread cannot be ended. One that goes on for ever is left behind, and does not keep the
    process from ending, as the threads of a pool would.

    Raises:
        TimeoutError: if it takes longer than `limit_s` seconds.
        Exception: saying what the function raised.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str | None] = loop.create_future()
    copies = deepcopy(tuple(arguments))

    def finish(result: str | None, error: _RaisedError | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def work() -> None:
        result, error = None, None
        try:
            said = function(*copies)
            result = None if said is None else bounded(str(said), SHOWN_CHARS)
        except (Exception, SystemExit) as problem:  # noqa: BLE001 - foreign code raises anything
            error = _RaisedError(f"raised {type(problem).__name__}{_words_of(problem)}")
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=work, name="harness rule", daemon=True).start()
    return await asyncio.wait_for(done, limit_s)
