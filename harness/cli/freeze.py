"""`harness freeze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import say, say_json, warn


def freeze(
    evalset: Annotated[Path, typer.Argument(help="The eval set's folder: evalsets/NAME.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Validate an eval set and write its lock, evalset.lock."""
    from harness.config.evalset import freeze_evalset

    result = freeze_evalset(evalset)
