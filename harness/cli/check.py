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


_WIDEST = 40
"""A factor's value is cut there in the table; comparison.json has it whole."""


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
    yield from _calls(checked)
    yield f"metrics: {', '.join(checked.metrics)}"
    yield f"primary: {', '.join(checked.primary)}"
    yield f"gate: {checked.gate_rules} rules" if checked.gate_rules else "gate: none"
    yield from _factors(checked)
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


def _calls(checked: Check) -> Iterator[str]:
    """How many trials and calls, and what they may cost."""
    if not checked.forecasts:
        yield f"trials: {checked.n_trials} recorded; model calls: 0; cost: $0"
        return
    recorded = f" ({checked.n_recorded} of them recorded)" if checked.n_recorded else ""
    yield f"trials: {checked.n_trials}{recorded}; model calls: at least {checked.n_calls}"
    yield f"cost, at list prices of {checked.prices_date}, retries aside:"
    yield from _table(
        [
            ("variant", "model", "calls", "cost"),
            *(
                (
                    item.id,
                    item.model,
                    _range(f"{item.calls_least}", f"{item.calls_most}"),
                    _dollars(item.usd_least, item.usd_most),
                )
                for item in checked.forecasts
            ),
        ]
    )
    yield "time: unknown before the first calls; for a pilot: harness run CONFIG --limit 20"


def _dollars(least: float | None, most: float | None) -> str:
    if least is None:
        return "unknown: no price per token"
    if most is None:
        return f"at least ${least:.4g}"
    return _range(f"${least:.4g}", f"${most:.4g}")


def _range(least: str, most: str) -> str:
    return least if least == most else f"{least} to {most}"


def _factors(checked: Check) -> Iterator[str]:
    """What differs between the variants; what is equal in all of them in one line."""
    from harness.core.factors import rows

    live = bool(checked.forecasts)
    every = dict(rows(checked.factors, checked.variants))
    differing = {
        name: values
        for name, values in every.items()
        if not live or len({_cell(values.get(v)) for v in checked.variants}) > 1
    }
    if differing:
        yield ""
        yield from _table(
            [
                ("factor", *checked.variants),
                *(
                    (name, *(_cell(values.get(v), live=live) for v in checked.variants))
                    for name, values in differing.items()
                ),
            ]
        )
    constant = [name for name in every if name not in differing]
    if constant:
        yield f"held constant: {', '.join(constant)}"
    for name, figures in checked.operations.items():
        told = ", ".join(f"{key} {_cell(value)}" for key, value in figures.items())
        yield f"owning {name}: {told}"
    yield from checked.confounded
    if checked.ladder:
        yield ""
        yield "several factors change at once:"
        yield from (f"  {text}" for text in checked.ladder)


def _cell(value: Any, *, live: bool = False) -> str:
    from harness.core.factors import short
    from harness.core.values import as_text

    if value is None:
        return "none" if live else "not stated"
    return short(value, _WIDEST) if live else as_text(value)


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
