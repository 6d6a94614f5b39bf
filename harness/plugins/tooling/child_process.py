"""Child processes that speak in lines: a cut-down environment, bounded lines, no orphans."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from harness.core.chat import ServiceError
from harness.plugins.wire.endpoint import EnvName

_PASSED = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "USER", "LOGNAME",
    "PYTHONPATH",
)  # fmt: skip
_REAP_S = 5.0
_DRAIN_S = 1.0
_KEPT_BYTES = 4_000
_KEPT_LINES = 3

EnvNames: TypeAlias = Annotated[tuple[EnvName, ...], Field(max_length=100)]
"""An option that lists environment variables to hand on."""


def own_python_path() -> str:
    """The `PYTHONPATH` with which a child finds the modules that this process finds."""
    here = Path.cwd()
    return os.pathsep.join(str(here / entry) for entry in [*sys.path, ""])


def environment(names: Sequence[str], python_path: str | None = None) -> dict[str, str]:
    """What a child may see of our environment: no key, unless its variable is named.

    Args:
        names: further variables.
        python_path: its `PYTHONPATH`; default: ours.

    Raises:
        ServiceError: `authentication`, if a named variable is not set.
    """
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith("HARNESS_")
    }
    if python_path:
        passed["PYTHONPATH"] = python_path
    for name in names:
        if name not in os.environ:
            raise ServiceError("authentication", f"the environment variable {name} is not set")
        passed[name] = os.environ[name]
    return passed


def without_secrets(text: str, names: Sequence[str]) -> str:
    """`text` with the values of the named variables blotted out."""
    for name in names:
        value = os.environ.get(name, "")
        if len(value) >= 8:
            text = text.replace(value, "***")
    return text


class LastLines:
    """The last lines that a child wrote, in bounded space; it writes on as if all were read."""

    def __init__(self) -> None:
        self._kept = b""

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Read to the end."""
        self._kept = b""
        while part := await stream.read(_KEPT_BYTES):
            kept = self._kept + part
            # a line that is cut may have lost the half of a secret by which it would be known
            self._kept = (
                kept if len(kept) <= _KEPT_BYTES else kept[-_KEPT_BYTES:].partition(b"\n")[2]
            )

    def lines(self) -> list[str]:
        """The last few that are not blank, the last one last."""
        lines = self._kept.decode("utf-8", "replace").splitlines()
        return [line.strip() for line in lines if line.strip()][-_KEPT_LINES:]


class LineProcess:
    """A child in a session of its own, so that it and its children can be ended together."""

    def __init__(
        self, process: asyncio.subprocess.Process, errors: asyncio.Task[None] | None = None
    ) -> None:
        self._process = process
        self._errors = errors

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        max_line_bytes: int,
        errors: LastLines | None = None,
    ) -> LineProcess:
        """Start a program. What it writes to its standard error goes to `errors`, or nowhere.

        Raises:
            OSError: if it cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE if errors else asyncio.subprocess.DEVNULL,
            env=dict(env),
            limit=max_line_bytes,
            start_new_session=True,
        )
        if errors is None or process.stderr is None:
            return cls(process)
        return cls(process, asyncio.create_task(errors.read(process.stderr)))

    async def send(self, line: bytes) -> None:
        """Write a line.

        Raises:
            OSError: if the child reads no more.
        """
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing():
            raise BrokenPipeError("the process reads no more")
        stdin.write(line + b"\n")
        await stdin.drain()

    async def receive(self) -> bytes | None:
        """The next line; None at the end.

        Raises:
            ValueError: if the line is too long.
        """
        stdout = self._process.stdout
        line = await stdout.readline() if stdout else b""
        return line or None

    @property
    def exit_status(self) -> int | None:
        """The exit status, or minus the number of the signal; None while it runs."""
        return self._process.returncode

    async def close(self, grace_s: float = 0.0) -> None:
        """End the child and what it has started, at once or after a chance to end by itself."""
        if self._process.stdin:
            self._process.stdin.close()
        if grace_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(_REAP_S):
                await self._process.wait()
        if self._errors:  # what is in the pipe still is read: it says why the child ended
            await asyncio.wait([self._errors], timeout=_DRAIN_S)
            self._errors.cancel()
            await asyncio.wait([self._errors])
        # One that left the session may still hold our pipe: then only the transport can let go.
        transport: Any = getattr(self._process, "_transport", None)
        if transport is not None:
            transport.close()
        if self._process.stdin:
            with suppress(OSError):
                await self._process.stdin.wait_closed()
