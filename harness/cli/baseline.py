"""`harness baseline save`."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.output import say

app = typer.Typer(help="Keep a run for gates to compare with.", no_args_is_help=True)


@app.command("save")
def save(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or a run's name.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="reports/baselines/NAME.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a baseline of that name.")
    ] = False,
) -> None:
    """Bless a run as reports/baselines/NAME.

    Keeps its scores, latencies and costs but no text, so it is small enough to commit.
    """
    from harness.storage.baselines import save_baseline
    from harness.storage.find import find_run

    say(str(save_baseline(find_run(run), name, replace=replace)))


@app.callback()
def _group() -> None:
    """Keep `save` a word of its own: typer folds a single command into its group."""
