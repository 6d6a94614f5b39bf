"""`harness check`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import say, say_json, warn

if TYPE_CHECKING:
    from harness.experiment.check import Check


def check(
    config: Annotated[Path, typer.Argument(help="The experiment: configs/NAME.yaml.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Validate an experiment; forecast what it can show."""
    from harness.experiment.check import check_experiment

    with redirect_stdout(sys.stderr):  # importing a scorer of the user's own may print
        checked = check_experiment(config)
    for text in checked.warnings:
        warn(text)
    if as_json:
        say_json(asdict(checked))
        return
    say("\n".join(_lines(checked)))


def _lines(checked: Check) -> Iterator[str]:
    yield f"{checked.name}: valid"
    yield f"eval set: {checked.evalset}, {checked.n_examples} examples, {checked.evalset_sha256}"
    others = [variant for variant in checked.variants if variant != checked.baseline]
    yield f"variants: {checked.baseline} (baseline), {', '.join(others)}".removesuffix(", ")
    yield f"trials: {checked.n_trials} recorded; model calls: {checked.n_calls}; cost: $0"
    yield f"metrics: {', '.join(checked.metrics)}"
    yield f"primary: {', '.join(checked.primary)}"
    yield f"gate: {checked.gate_rules} rules" if checked.gate_rules else "gate: none"
    if checked.factors:
        yield ""
        yield from _table(
            [
                ("factor", *checked.variants),
                *(
                    (name, *(_cell(values.get(variant)) for variant in checked.variants))
                    for name, values in checked.factors.items()
                ),
            ]
        )
    share = 100 * checked.discordant_share
    yield ""
    yield (
        f"smallest difference found with 80% power at {100 * checked.confidence:g}% confidence, "
        f"if two variants disagree on {share:g}% of examples:"
    )
    yield from _table(
        [
            ("slice", "examples", "points"),
            *(
                (
                    plan.slice,
                    str(plan.n_examples),
                    f"over {share:g}"
                    if plan.detectable is None
                    else f"{100 * plan.detectable:.1f}",
                )
                for plan in checked.slices
            ),
        ]
    )


def _points(detectable: float | None, share: float) -> str:
    """A difference cannot exceed the share of examples on which the variants disagree."""
    return f"over {share:g}" if detectable is None else f"{100 * detectable:.1f}"


def _cell(value: Any) -> str:
    from harness.core.values import as_text

    return "not stated" if value is None else as_text(value)


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
