"""`harness compare`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from harness.cli.finished import print_finished


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Runs of one frozen eval set.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as one JSON object.")
    ] = False,
) -> None:
    """Compare the variants of several runs of one frozen set."""
    from harness.experiment.merge import compare_runs
    from harness.storage.find import find_run

    folders = [find_run(run) for run in runs]
    print_finished(compare_runs(folders, command=("harness", *sys.argv[1:])), as_json=as_json)
