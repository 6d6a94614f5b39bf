"""`harness review`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import InputError, Problem

if TYPE_CHECKING:
    from harness.experiment.review import Opened


def review(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or a run's name.")],
    reviewer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who reviews; by default the page asks.")
    ] = None,
    pair: Annotated[
        str | None,
        typer.Option(metavar="CANDIDATE[,BASELINE]", help="Which two variants are compared."),
    ] = None,
    examples: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only these, in this order: an id a line.")
    ] = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="A loopback address.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="0 takes a free one.")
    ] = 8766,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="Of sides and order, instead of the run's.")
    ] = None,
) -> None:
    """Compare two variants' answers side by side in the browser, names hidden."""
    import asyncio

    from harness.experiment.review import ReviewOptions, open_review
    from harness.loopback import is_loopback

    if not is_loopback(host):
        what = f"harness review is for this machine only, and '{host}' is no loopback address"
        hint = "leave --host out, or give 127.0.0.1, ::1 or localhost"
        raise InputError(Problem("--host", what, hint))
    address = "127.0.0.1" if host == "localhost" else host
    opened = open_review(run, ReviewOptions(reviewer, pair, examples, seed))
    asyncio.run(_serve(opened, address, port))


async def _serve(opened: Opened, host: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM; then tell what was kept."""
    from harness.cli.output import note, say
    from harness.cli.serving import listening, stop_signals
    from harness.review.server import ReviewServer

    review, stopped = opened.review, stop_signals()
    server = ReviewServer(review, note)
    try:
        address = await listening(server, host, port)
        if opened.n_left_out:
            note(f"{opened.n_left_out} examples without an answer of both variants are left out")
        say(f"Reviewing {len(review.items)} examples at {address} (Ctrl-C ends it)")
        await stopped.wait()
    finally:
        await server.end()
    n = review.n_written
    say(f"{n} label{'' if n == 1 else 's'} written to {opened.path}")
