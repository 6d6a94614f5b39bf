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
    from harness.experiment.forecast import VariantForecast


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
    say("\n".join(_lines(checked, config)))


def _lines(checked: Check, config: Path) -> Iterator[str]:
    yield f"{checked.name}: valid"
    yield f"eval set: {checked.evalset}, {checked.n_examples} examples, {checked.evalset_sha256}"
    others = [variant for variant in checked.variants if variant != checked.baseline]
    yield f"variants: {checked.baseline} (baseline), {', '.join(others)}".removesuffix(", ")
    yield from _calls(checked, config)
    yield from _judge_calls(checked)
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


def _calls(checked: Check, config: Path) -> Iterator[str]:
    """How many trials and calls, and what they may cost."""
    from harness.reporting.columns import table, wrapped

    found = checked.forecasts
    if not found:
        yield f"trials: {checked.n_trials} recorded; model calls: 0; cost: $0"
        return
    recorded = f" ({checked.n_recorded} of them recorded)" if checked.n_recorded else ""
    calls = _range(
        str(sum(one.calls_least for one in found)), str(sum(one.calls_most for one in found))
    )
    yield f"trials: {checked.n_trials}{recorded}; model calls: {calls}, retries aside"
    yield f"time: known after a pilot: harness run {config} --limit 20"
    yield ""
    rows = [
        (one.id, one.model, _range(str(one.calls_least), str(one.calls_most)), _cost(one))
        for one in found
    ]
    yield from table(("variant", "model", "model calls", "cost"), rows)
    for note in _cost_notes(checked):
        yield from wrapped(note)


def _judge_calls(checked: Check) -> Iterator[str]:
    """How many calls judges get, which come on top."""
    from harness.reporting.columns import table

    found = checked.judges
    if not found:
        return
    total = sum(one.calls_most for one in found)
    yield f"judge calls: at most {total} beside these, retries aside"
    yield ""
    rows = [
        (
            one.id if one.id == one.judge else f"{one.id}: {one.judge}",
            one.model,
            str(one.calls_most),
            "unknown" if one.unpriced else "known",
        )
        for one in found
    ]
    yield from table(("judge", "model", "calls at most", "price"), rows)
    yield ""


def _cost(found: VariantForecast) -> str:
    from harness.reporting.formats import dollars

    if found.unpriced:
        return "unknown"
    if found.usd_per_hour:
        return "by the hour"
    if found.usd_least is None:
        return "known after a pilot"
    if found.usd_most is None:
        return f"at least {dollars(found.usd_least)}"
    return _range(dollars(found.usd_least), dollars(found.usd_most))


def _cost_notes(checked: Check) -> Iterator[str]:
    """What the costs rest on, and what they lack."""
    from harness.reporting.formats import dollars

    if any(one.usd_least is not None for one in checked.forecasts):
        yield (
            f"cost: estimated at the list prices of {checked.prices_date} or your own, for prompts "
            "that are not in the provider's cache"
        )
    unpriced = dict.fromkeys(model for one in checked.forecasts for model in one.unpriced)
    if unpriced:
        yield (
            f"cost: unknown where no price is known, of {', '.join(unpriced)}; put your own into "
            "prices/NAME.yaml beside the config"
        )
    for model, usd in {
        m: u for one in checked.forecasts for m, u in one.usd_per_hour.items()
    }.items():
        yield f"cost: {model} takes {dollars(usd)} an hour, shared by the calls in flight"


def _range(least: str, most: str) -> str:
    return least if least == most else f"{least} to {most}"


def _factors(checked: Check) -> Iterator[str]:
    """What differs between the variants, and in more than was declared."""
    from harness.reporting.columns import wrapped

    yield from _live_factors(checked) if checked.forecasts else _declared_facts(checked)
    for text in checked.confounded:
        yield from wrapped(text, rest="  ")
    if checked.ladder:
        yield ""
        yield "several factors change at once:"
        for text in checked.ladder:
            yield from wrapped(text, first="- ", rest="  ")


def _declared_facts(checked: Check) -> Iterator[str]:
    """What the authors of recorded variants state of them."""
    from harness.core.factors import rows
    from harness.core.values import as_text

    def cell(value: Any) -> str:
        return "not stated" if value is None else as_text(value)

    every = list(rows(checked.factors, checked.variants))
    if every:
        yield ""
        lines = [(name, *(cell(values.get(v)) for v in checked.variants)) for name, values in every]
        yield from _table([("factor", *checked.variants), *lines])


def _live_factors(checked: Check) -> Iterator[str]:
    """Every factor that differs, each of its values with who has it; the others in one line."""
    from harness.core.factors import rows, short
    from harness.reporting.columns import wrapped

    held = []
    yield ""
    yield "what differs:"
    for name, values in rows(checked.factors, checked.variants):
        having: dict[str, list[str]] = {}
        for variant in checked.variants:
            value = values.get(variant)
            having.setdefault("none" if value is None else short(value), []).append(variant)
        if len(having) == 1:
            held.append(name)
            continue
        yield f"  {name}"
        yield from (
            line
            for value, variants in having.items()
            for line in wrapped(f"{', '.join(variants)}: {value}", first="    ", rest="      ")
        )
    if held:
        yield from wrapped(f"held constant: {', '.join(held)}", rest="  ")
    for name, figures in checked.operations.items():
        told = ", ".join(f"{key} {short(value)}" for key, value in figures.items())
        yield from wrapped(f"owning {name}: {told}", rest="  ")


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
