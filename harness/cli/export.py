"""`harness export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import say


class Format(StrEnum):
    """The file formats of an export."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or a run's name.")],
    to: Annotated[Format, typer.Option("--to", help="The format.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Instead of export/ in the run folder."),
    ] = None,
) -> None:
    """Write a run's tables for other tools."""
    from harness.storage.export import export_run
    from harness.storage.find import find_run

    folder = find_run(run)
    for path in export_run(folder, to.value, out or folder / "export"):
        say(str(path))
