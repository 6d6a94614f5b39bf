"""Plain facts that a reader of the figures has to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.core.comparison import PairEstimate, ScoreEstimate, VariantSummary
from harness.core.example import ALL
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.sentences import why_undefined
from harness.reporting.text import one_line


def notes(figures: Figures) -> Iterator[str]:
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
    yield from _too_few(figures)
    yield from _undefined(figures)
    for what, known in (
        ("Cost", [v for v in figures.variants if _mean_cost(figures, v) is not None]),
        ("Latency", [v for v in figures.variants if figures.latency(v)]),
    ):
        missing = [one_line(v) for v in figures.variants if v not in known]
        if not known:
            no_price = figures.is_live and what == "Cost"
            why = "a price or a usage is missing" if no_price else "the records carry none"
            yield f"{what} is unknown for every variant: {why}."
        elif missing:
            yield f"{what} is unknown for {', '.join(missing)}."
    kinds = [f"{one_line(v.id)} {_kinds(v)}" for v in figures.comparison.variants if v.error_kinds]
    if kinds:
        yield f"Failures by kind: {'; '.join(kinds)}."


def _too_few(figures: Figures) -> Iterator[str]:
    """Where there are too few independent examples: in all, or in slices of what has enough."""
    least = figures.comparison.settings.min_examples
    few = {
        (pair.metric, pair.slice)
        for pair in figures.comparison.pairs
        if pair.finding == "too_few" and pair.n_units < least
    }
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
