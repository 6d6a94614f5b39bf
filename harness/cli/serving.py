"""Serves a provider until it is told to end."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Protocol

from harness.cli.output import note, say
from harness.core.chat import ServiceError
from harness.errors import ExitCode, InputError, Problem
from harness.experiment.clock import SystemClock
from harness.ports import Provider
from harness.serving.server import ChatServer


class Server(Protocol):
    """What can listen."""

    async def start(self, host: str, port: int) -> str:
        """Listen; the address for clients."""
        ...


async def serve(provider: Provider, models: Sequence[str], host: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM, and then let go of everything.

    Raises:
        InputError: if the models cannot be had, or the address.
    """
    stopped = stop_signals()
    try:
        await provider.open()
        server = ChatServer(provider, models, SystemClock(), note)
        try:
            address = await listening(server, host, port)
            say(f"Serving {' and '.join(models)} at {address} (Ctrl-C ends it)")
            await stopped.wait()
        finally:
            await server.end()
    except ServiceError as error:
        raise InputError(Problem("", error.message)) from None
    finally:
        await provider.close()


def stop_signals() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set; the second Ctrl-C does not wait for what follows."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, lambda *_: os._exit(ExitCode.INTERRUPTED))
        with suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stopped.set)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return stopped


async def listening(server: Server, host: str, port: int) -> str:
    """The address for clients.

    Raises:
        InputError: if nothing can be served there.
    """
    try:
        return await server.start(host, port)
    except OSError as error:
        hint = "end what listens there, or choose another port; --port 0 takes a free one"
        if error.errno == errno.EADDRINUSE:
            raise InputError(Problem("--port", f"{port} is in use at {host}", hint)) from None
        what = f"cannot listen at {host}, port {port}: {os.strerror(error.errno or 0)}"
        raise InputError(Problem("", what, "--port 0 takes a free port")) from None
