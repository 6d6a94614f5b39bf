"""`harness freeze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import say, say_json, warn


def freeze(
    evalset: Annotated[
        Path, typer.Argument(metavar="EVALSET", help="The eval set's folder: evalsets/NAME.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Validate an eval set and write its lock, evalset.lock."""
    from harness.config.evalset import freeze_evalset

    result = freeze_evalset(evalset)
    frozen = result.evalset
    slices = {name: len(members) for name, members in frozen.slice_members().items()}
    changes = {
        "changed": result.changes.changed,
        "added": result.changes.added,
        "removed": result.changes.removed,
    }
    for text in result.warnings:
        warn(text)
    if as_json:
        say_json(
            {
                "evalset": frozen.name,
                "sha256": frozen.sha256,
                "n_examples": len(frozen.examples),
                "slices": slices,
                "changes": changes,
                "warnings": result.warnings,
                "lock": str(result.lock_path),
            }
        )
        return
    say(f"{frozen.name}: {len(frozen.examples)} examples, sha256 {frozen.sha256}")
    for name, count in list(slices.items())[1:]:
        say(f"  {name}: {count}")
    for kind, ids in changes.items():
        if ids and len(ids) < len(frozen.examples):
            more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
            say(f"{kind}: {', '.join(ids[:10])}{more}")
    say(f"lock: {result.lock_path}")
