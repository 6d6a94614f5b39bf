"""What `harness check` finds out: everything is valid, and what the experiment can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.config.evalset import evalset_warnings
from harness.core.example import ALL
from harness.core.experiment import factor_table
from harness.core.values import JsonValue
from harness.errors import InputError, Problem
from harness.experiment.chunking import corpus_warnings
from harness.experiment.forecast import (
    JudgeForecast,
    VariantForecast,
    forecasts,
    judge_forecasts,
)
from harness.experiment.prepare import Prepared, prepare
from harness.statistics.power import planned_detectable_difference

DISCORDANT_SHARE = 0.2
"""Assumed for a forecast: two variants disagree on this share of examples."""


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """A slice and the smallest difference of shares that it would show with 80 % power.

    `n_independent` counts clusters where examples belong to any. None: it shows no difference.
    """

    slice: str
    n_examples: int
    n_independent: int
    detectable: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """A valid experiment, as it would run.

    `forecasts` tell the calls of models and their cost by live variant, `judges` the calls of
    judges, which come on top. `confounded` are the
    excused pairs, `ladder` the arms that are missing for each step to change
    one thing. `operations` are the live variants' figures of owning them.
    """

    name: str
    evalset: str
    evalset_sha256: str
    n_examples: int
    baseline: str
    variants: tuple[str, ...]
    repeats: int
    n_trials: int
    n_recorded: int
    forecasts: tuple[VariantForecast, ...]
    judges: tuple[JudgeForecast, ...]
    prices_date: str
    metrics: tuple[str, ...]
    primary: tuple[str, ...]
    factors: Mapping[str, Mapping[str, JsonValue]]
    declared: tuple[str, ...]
    confounded: tuple[str, ...]
    ladder: tuple[str, ...]
    operations: Mapping[str, Mapping[str, JsonValue]]
    slices: tuple[SlicePlan, ...]
    gate_rules: int
    confidence: float
    discordant_share: float
    warnings: tuple[str, ...]


def check_experiment(config: Path) -> Check:
    """Validate the experiment at `config` and all that it names; no model is called.

    Raises:
        InputError: listing every problem.
    """
    ready = prepare(config)
    experiment, evalset = ready.experiment, ready.evalset
    planned = forecasts(ready)
    problems: list[Problem] = []
    in_corpora = list(corpus_warnings(experiment.live, evalset, problems))
    if problems:
        raise InputError(problems)
    n_trials = len(experiment.variants) * len(evalset.examples) * experiment.repeats
    return Check(
        name=experiment.name,
        evalset=evalset.name,
        evalset_sha256=evalset.sha256,
        n_examples=len(evalset.examples),
        baseline=experiment.baseline,
        variants=tuple(variant.id for variant in experiment.variants),
        repeats=experiment.repeats,
        n_trials=n_trials,
        n_recorded=len(ready.records),
        forecasts=planned,
        judges=judge_forecasts(ready),
        prices_date=ready.setup.prices.date,
        metrics=tuple(metric.id for scorer in ready.scorers for metric in scorer.metrics),
        primary=tuple(
            figure.metric if figure.slice == ALL else f"{figure.metric} on {figure.slice}"
            for figure in experiment.analysis.primary
        ),
        factors=factor_table(ready.variants),
        declared=experiment.factors,
        confounded=tuple(f"{pair.what}; excused: {reason}" for pair, reason in ready.setup.excused),
        ladder=ready.setup.ladder,
        operations={v.id: dict(v.operations) for v in experiment.live if v.operations},
        slices=_slice_plans(ready),
        gate_rules=0 if experiment.gate is None else len(experiment.gate.rules),
        confidence=experiment.analysis.confidence,
        discordant_share=DISCORDANT_SHARE,
        warnings=(
            *ready.warnings,
            *ready.setup.warnings,
            *evalset_warnings(evalset),
            *_warnings(ready),
            *in_corpora,
        ),
    )


def _slice_plans(ready: Prepared) -> tuple[SlicePlan, ...]:
    evalset, confidence = ready.evalset, ready.experiment.analysis.confidence
    plans = []
    for name, members in evalset.slice_members().items():
        units = {
            ("cluster", example.cluster) if example.cluster is not None else ("id", example.id)
            for example in (evalset.examples[index] for index in members)
        }
        detectable = planned_detectable_difference(len(units), DISCORDANT_SHARE, confidence)
        plans.append(SlicePlan(name, len(members), len(units), detectable))
    return tuple(plans)


def _warnings(ready: Prepared) -> list[str]:
    """What is allowed but will disappoint."""
    experiment = ready.experiment
    least = experiment.analysis.min_examples
    sizes = {name: len(members) for name, members in ready.evalset.slice_members().items()}
    found = [
        f"primary figure {figure.metric} on {figure.slice}: {sizes[figure.slice]} examples are "
        f"fewer than min_examples ({least}), so its finding will be too_few"
        for figure in experiment.analysis.primary
        if sizes[figure.slice] < least
    ]
    if len(experiment.variants) == 1:
        found.append("only one variant: there is nothing to compare it with")
    hashes = list(ready.recordings.values())
    found += [
        f"variants {first} and {second} have the same recording"
        for index, (second, sha256) in enumerate(ready.recordings.items())
        for first in [list(ready.recordings)[hashes.index(sha256)]]
        if hashes.index(sha256) < index
    ]
    return found
