"""`harness serve-local`."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.errors import InputError, Problem


def serve_local(
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="A loopback address.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="0 takes a free one.")
    ] = 8765,
) -> None:
    """Serve the embedded models by OpenAI's chat protocol, on this machine only."""
    import asyncio

    from harness.cli.serving import serve
    from harness.core.variant import Component
    from harness.embedded.weights import read_listing
    from harness.loopback import is_loopback
    from harness.registry import build

    if not is_loopback(host):
        what = f"harness serve-local is for this machine only, and '{host}' is no loopback address"
        hint = "leave --host out, or give 127.0.0.1, ::1 or localhost"
        raise InputError(Problem("--host", what, hint))
    address = "127.0.0.1" if host == "localhost" else host
    provider = build("provider", Component("local"))
    asyncio.run(serve(provider, tuple(read_listing().files), address, port))
