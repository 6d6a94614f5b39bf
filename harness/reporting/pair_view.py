"""Pairs as rows, and the links that open the page's example list on the examples behind them."""

from __future__ import annotations

from harness.core.comparison import Comparison, PairEstimate
from harness.core.example import ALL
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.formats import Scale
from harness.reporting.parts import PairRow, Quantity
from harness.reporting.sentences import mark, more_needed, pair_sentence
from harness.reporting.text import one_line


class Links:
    """Addresses within the page. They hold positions, never names, so nothing needs quoting."""

    def __init__(self, comparison: Comparison) -> None:
        self._variants = {variant.id: i for i, variant in enumerate(comparison.variants)}
        self._metrics = {metric.id: i for i, metric in enumerate(comparison.metrics)}
        self._slices = {slice_id: i for i, slice_id in enumerate(slice_ids(comparison))}

    def examples(
        self, candidate: str, baseline: str, metric: str, slice_id: str, find: str = ""
    ) -> str:
        """The list of a pair's examples on a slice; `find` is `win`, `tie` or `loss`."""
        link = f"#?a={self._variants.get(candidate, 0)}&b={self._variants.get(baseline, 0)}"
        link += f"&m={self._metrics.get(metric, 0)}&s={self._slices.get(slice_id, 0)}"
        return f"{link}&f={find}" if find else link


def slice_ids(comparison: Comparison) -> list[str]:
    """Every slice in the page's order: `all`, then as the comparison has them."""
    return [ALL, *(entry.id for entry in comparison.slices if entry.id != ALL)]


def pair_row(pair: PairEstimate, figures: Figures, links: Links) -> PairRow:
    """One pair, written."""
    scale = figures.scale(pair.metric)
    needed = more_needed(pair)
    where = (pair.candidate, pair.baseline, pair.metric, pair.slice)
    return PairRow(
        candidate=one_line(pair.candidate),
        baseline=one_line(pair.baseline),
        metric=one_line(pair.metric),
        slice=one_line(pair.slice),
        is_primary=pair.family == "primary",
        against_baseline=pair.baseline == figures.comparison.baseline,
        difference=Quantity(
            "undefined" if pair.diff is None and pair.n else scale.difference(pair.diff),
            scale.between(pair.ci_low, pair.ci_high),
            pair.diff,
            pair.ci_low,
            pair.ci_high,
        ),
        signed_interval=scale.interval(pair.ci_low, pair.ci_high, signed=True)
        or ("" if pair.diff is None else formats.NO_INTERVAL),
        finding=pair.finding,
        unit="points" if scale.is_share else "",
        mark=mark(pair, figures.gain(pair)),
        p=formats.p_value(pair.p_adjusted),
        n=formats.count(pair.n),
        missing=formats.count(pair.n_missing) if pair.n_missing else "",
        wins=pair.wins,
        ties=pair.ties,
        losses=pair.losses,
        win_rate=_win_rate(pair),
        smallest="" if pair.mde is None else scale.amount(pair.mde),
        needed="" if needed is None else f"about {formats.rough(needed)}",
        sentence=pair_sentence(pair, figures) + ".",
        confounded=figures.confounded(pair.candidate, pair.baseline),
        links={find: links.examples(*where, find) for find in ("win", "tie", "loss")},
    )


def _win_rate(pair: PairEstimate) -> Quantity:
    low, high = pair.win_rate_ci_low, pair.win_rate_ci_high
    interval = Scale(is_share=True).interval(low, high)
    return Quantity(formats.share(pair.win_rate), interval, pair.win_rate, low, high)
