"""`harness run`."""

from __future__ import annotations

import gc
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.finished import print_finished
from harness.cli.output import note
from harness.errors import BudgetReachedError, ExitCode, ServiceDownError, StoppedRunError

if TYPE_CHECKING:
    from harness.experiment.prepare import Options


_Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", min=1, metavar="N", help="Only the first N examples by id: a partial run."
    ),
]
_Variants = Annotated[
    str | None,
    typer.Option("--variants", metavar="A,B", help="Only these, the baseline among them."),
]
_Repeats = Annotated[
    int | None,
    typer.Option("--repeats", min=1, metavar="K", help="Repeats per example and variant."),
]
_Seed = Annotated[
    int | None,
    typer.Option("--seed", min=0, metavar="S", help="Seed of schedule and resampling."),
]
_Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", min=1, max=1000, metavar="N", help="Live trials at a time."),
]
_Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Instead of reports/NAME in this folder."),
]
_Resume = Annotated[
    str | None,
    typer.Option(
        "--resume", metavar="RUN", help="Go on with a run that was stopped: its folder or id."
    ),
]
_BudgetUsd = Annotated[
    float | None,
    typer.Option(
        "--budget-usd", min=0.0, metavar="X", help="Make no call that could cost more in all."
    ),
]
_NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Ask for every answer anew, for live latencies.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print the comparison as one JSON object.")]


def run(
    config: Annotated[Path, typer.Argument(help="The experiment: configs/NAME.yaml.")],
    limit: _Limit = None,
    variants: _Variants = None,
    repeats: _Repeats = None,
    seed: _Seed = None,
    concurrency: _Concurrency = None,
    out: _Out = None,
    resume: _Resume = None,
    budget_usd: _BudgetUsd = None,
    no_cache: _NoCache = False,
    as_json: _Json = False,
) -> int:
    """Run and compare an experiment's variants; write a run folder."""
    from harness.experiment.prepare import Options

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
    return _run(config, options, as_json=as_json)


def _run(config: Path, options: Options, *, as_json: bool) -> int:
    from harness.cli.incomplete import print_given_up, print_losses, print_stopped
    from harness.cli.progress import listeners_here
    from harness.experiment.run import run_experiment

    _collect_less_often()
    try:
        # A scorer of the user's own may print; results come after.
        with redirect_stdout(sys.stderr):
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
