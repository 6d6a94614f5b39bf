"""`harness run`."""

from __future__ import annotations

import gc
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.finished import print_finished
from harness.cli.output import note
from harness.errors import BudgetReachedError, ExitCode, ServiceDownError, StoppedRunError


def run(  # noqa: PLR0917  flags, not positions
    config: Annotated[Path, typer.Argument(help="The experiment: configs/NAME.yaml.")],
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, metavar="N", help="Only the first N examples by id: a partial run."
        ),
    ] = None,
    variants: Annotated[
        str | None,
        typer.Option("--variants", metavar="A,B", help="Only these, the baseline among them."),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", min=1, metavar="K", help="Repeats per example and variant."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, metavar="S", help="Seed of schedule and resampling."),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", min=1, max=1000, metavar="N", help="Live trials at a time."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Instead of reports/NAME in this folder."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume", metavar="RUN", help="Go on with a run that was stopped: its folder or id."
        ),
    ] = None,
    budget_usd: Annotated[
        float | None,
        typer.Option(
            "--budget-usd", min=0.0, metavar="X", help="Make no call that could cost more in all."
        ),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Ask for every answer anew, for live latencies.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as one JSON object.")
    ] = False,
) -> int:
    """Run and compare an experiment's variants; write a run folder."""
    from harness.cli.incomplete import print_given_up, print_losses, print_stopped
    from harness.cli.progress import listeners_here
    from harness.experiment.prepare import Options
    from harness.experiment.run import run_experiment

    _collect_less_often()
    named = None if variants is None else tuple(name.strip() for name in variants.split(","))
    options = Options(
        limit=limit,
        variants=named,
        repeats=repeats,
        seed=seed,
        concurrency=concurrency,
        out=out,
        resume=resume,
        cache=not no_cache,
        budget_usd=budget_usd,
        command=("harness", *sys.argv[1:]),
    )
    try:
        with redirect_stdout(
            sys.stderr
        ):  # a scorer of the user's own may print; results come after
            run = run_experiment(config, options, progress=listeners_here())
    except ServiceDownError as error:
        print_given_up(error)
        return ExitCode.INCOMPLETE
    except BudgetReachedError as error:
        note(f"harness: stopped before the first trial ended: {error}")
        return ExitCode.INCOMPLETE
    except StoppedRunError as error:
        print_stopped(error, config)
        return ExitCode.INCOMPLETE
    print_finished(run, as_json=as_json)
    return ExitCode.INCOMPLETE if print_losses(run, config) else ExitCode.OK


def _collect_less_often() -> None:
    """Spare a tenth of a run's CPU: its many records are no garbage, and are looked at in vain."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
