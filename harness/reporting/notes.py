"""Plain facts that a reader of the figures has to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.core.comparison import PairEstimate, ScoreEstimate, VariantSummary
from harness.core.example import ALL
from harness.core.score import ScoreTable
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.sentences import why_undefined
from harness.reporting.text import one_line


def notes(figures: Figures, scores: ScoreTable) -> Iterator[str]:
    """What failed outside, what is unknown, and where there is too little for a finding."""
    lost = [v for v in figures.comparison.variants if v.n_infrastructure_failures]
    if lost:
        listed = "; ".join(
            f"{one_line(v.id)} {formats.count(v.n_infrastructure_failures)} of "
            f"{formats.count(v.n_trials)}"
            for v in lost
        )
        yield (
            f"Trials that failed outside the system: {listed}. They are left out; an example with "
            "no other trial is left out on both sides of a comparison."
        )
    yield from _too_few(figures, scores)
    yield from _undefined(figures)
    for what, known in (
        ("Cost", [v for v in figures.variants if _mean_cost(figures, v) is not None]),
        ("Latency", [v for v in figures.variants if figures.latency(v)]),
    ):
        missing = [one_line(v) for v in figures.variants if v not in known]
        if not known:
            why = "the records carry none"
            if figures.is_live:
                why = "a price or a usage is missing"
                why = why if what == "Cost" else "no call of a live variant was answered"
            yield f"{what} is unknown for every variant: {why}."
        elif missing:
            yield f"{what} is unknown for {', '.join(missing)}."
    kinds = [f"{one_line(v.id)} {_kinds(v)}" for v in figures.comparison.variants if v.error_kinds]
    if kinds:
        yield f"Failures by kind: {'; '.join(kinds)}."


def _too_few(figures: Figures, scores: ScoreTable) -> Iterator[str]:
    """Where there are too few independent examples: in all, or in slices of what has enough."""
    least = figures.comparison.settings.min_examples
    pairs = [
        pair
        for pair in figures.comparison.pairs
        if pair.finding == "too_few" and pair.n_units < least
    ]
    without = _without_scores(figures, scores)
    few = {
        (pair.metric, pair.slice)
        for pair in pairs
        if not without.keys() & {(v, pair.metric) for v in (pair.candidate, pair.baseline)}
    }
    yield from _why_without(without)
    in_all = [metric for metric in figures.metric_ids if (metric, ALL) in few]
    if in_all:
        yield (
            f"Fewer than {least} independent examples in all carry {_listed(in_all)}: too few for "
            "a finding."
        )
    slices = {slice_id for metric, slice_id in few if metric not in in_all}
    if slices:
        verb = "has" if len(slices) == 1 else "have"
        yield (
            f"{formats.plural(len(slices), 'slice')} {verb} fewer than {least} independent "
            "examples on some metric: too few for a finding there."
        )


def _without_scores(figures: Figures, scores: ScoreTable) -> dict[tuple[str, str], str]:
    """Variants without any score on a metric that others have scores on, and the usual reason."""
    entries = [entry for entry in figures.comparison.scores if entry.slice == ALL]
    having = {entry.metric for entry in entries if entry.n}
    return {
        (entry.variant, entry.metric): why
        for entry in entries
        if not entry.n and entry.metric in having
        if (why := _usual_reason(scores, entry.variant, entry.metric))
    }


def _usual_reason(scores: ScoreTable, variant: str, metric_id: str) -> str:
    """Why most of a variant's trials have no score, where that is told."""
    for column in scores.metrics:
        if column.metric.id == metric_id and variant in scores.variants:
            codes = column.reason[scores.variants.index(variant)]
            counts = np.bincount(codes.ravel(), minlength=len(column.reasons) + 1)[1:]
            counts[[not why.applicable for why in column.reasons]] = 0
            if counts.any():
                return one_line(column.reasons[int(np.argmax(counts))].reason)
    return ""


def _why_without(without: dict[tuple[str, str], str]) -> Iterator[str]:
    """A line per reason: `a has no figure for recall, ...: the variant does not retrieve.`."""
    metrics: dict[tuple[str, str], list[str]] = {}
    for (variant, metric), why in without.items():
        metrics.setdefault((variant, why), []).append(metric)
    variants: dict[tuple[str, str], list[str]] = {}
    for (variant, why), of_it in metrics.items():
        variants.setdefault((_listed(of_it), why), []).append(variant)
    for (listed, why), having_none in variants.items():
        has, it = ("has", "it") if len(having_none) == 1 else ("have", "them")
        said = f"{_listed(having_none)} {has} no figure for {listed}, nor has any pair with {it}"
        yield f"{said}: {why}."


def _undefined(figures: Figures) -> Iterator[str]:
    """Which metrics have no interval somewhere, by the reason."""
    found: dict[tuple[str, str], set[str]] = {}
    given: list[PairEstimate | ScoreEstimate] = [
        *figures.comparison.scores,
        *figures.comparison.pairs,
    ]
    for figure in given:
        if why := why_undefined(figure):
            found.setdefault((why, figure.metric), set()).add(figure.slice)
    for (why, metric), slices in found.items():
        where = "" if ALL in slices else f" in {formats.plural(len(slices), 'slice')}"
        yield f"No interval for {one_line(metric)}{where}: {why}."


def _listed(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(one_line(name) for name in names[:3]) + more


def _kinds(variant: VariantSummary) -> str:
    kinds = sorted(variant.error_kinds.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{one_line(kind, 40)} {formats.count(n)}" for kind, n in kinds[:4])


def _mean_cost(figures: Figures, variant: str) -> float | None:
    cost = figures.cost(variant)
    return cost.mean_usd if cost else None
