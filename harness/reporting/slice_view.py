"""Tables by slice, by pair of variants, and by class."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.comparison import Comparison, LossShare, PairEstimate
from harness.core.example import ALL
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.formats import Scale
from harness.reporting.pair_view import Links, pair_row, slice_ids
from harness.reporting.parts import (
    Cell,
    Classes,
    ClassRow,
    LossRow,
    Matrix,
    MatrixRow,
    PairRow,
    Quantity,
)
from harness.reporting.sentences import CONFOUNDED, mark, pair_sentence
from harness.reporting.text import one_line

_MAX_LOSSES = 12
_MAX_CONFUSIONS = 12
_MAX_TABLE = 8


def slice_matrices(figures: Figures, links: Links) -> tuple[Matrix, ...]:
    """Slice x variant for every metric; the worst slices first, `all` on top."""
    slices = slice_ids(figures.comparison)
    meanings = {entry.id: entry.meaning for entry in figures.comparison.slices}
    return tuple(
        Matrix(
            one_line(metric),
            "higher is better" if figures.up(metric) > 0 else "lower is better",
            tuple(
                _slice_row(metric, slice_id, meanings.get(slice_id, ""), figures, links)
                for slice_id in sorted(slices, key=lambda s: _severity(metric, s, figures))
                if any(figures.score(v, metric, slice_id) for v in figures.variants)
            ),
        )
        for metric in figures.metric_ids
    )


def win_rate_matrices(figures: Figures, links: Links) -> tuple[Matrix, ...]:
    """Variant x variant on all examples for every metric: how often the row beats the column."""
    if len(figures.variants) < 2:
        return ()
    return tuple(
        Matrix(
            one_line(metric),
            "a tie counts half",
            tuple(
                MatrixRow(
                    one_line(row),
                    "",
                    "",
                    tuple(_win_cell(row, col, metric, figures, links) for col in figures.variants),
                )
                for row in figures.variants
            ),
        )
        for metric in figures.metric_ids
    )


def slice_losses(figures: Figures, links: Links) -> tuple[PairRow, ...]:
    """Pairs against the baseline that are certainly worse on some slice, the largest loss first."""
    baseline = figures.comparison.baseline
    worse = [
        pair
        for pair in figures.comparison.pairs
        if pair.finding == "worse" and pair.baseline == baseline
    ]
    worse.sort(key=lambda pair: (pair.family != "primary", _loss(pair, figures)))
    return tuple(pair_row(pair, figures, links) for pair in worse)


def loss_rows(figures: Figures, links: Links) -> tuple[LossRow, ...]:
    """Slices that hold more of a candidate's losses than of the examples, the most so first."""
    shares = [
        share
        for share in figures.comparison.losses
        if share.slice != ALL
        and share.share_of_losses > share.share_of_examples
        and _n_losses(share, figures) >= figures.comparison.settings.min_examples
    ]
    shares.sort(key=lambda share: share.share_of_examples - share.share_of_losses)
    return tuple(
        LossRow(
            one_line(share.candidate),
            one_line(share.metric),
            one_line(share.slice),
            formats.count(share.n_losses),
            Quantity(formats.share(share.share_of_losses), value=share.share_of_losses),
            Quantity(formats.share(share.share_of_examples), value=share.share_of_examples),
            links.examples(share.candidate, share.baseline, share.metric, share.slice, "loss"),
            figures.confounded(share.candidate, share.baseline),
        )
        for share in shares[:_MAX_LOSSES]
    )


def class_views(comparison: Comparison) -> tuple[Classes, ...]:
    """Classes and confusions of every variant on every metric that has any."""
    keys = dict.fromkeys((entry.metric, entry.variant) for entry in comparison.classes)
    keys.update(dict.fromkeys((cell.metric, cell.variant) for cell in comparison.confusion))
    return tuple(_classes(comparison, metric, variant) for metric, variant in keys)


def _severity(metric: str, slice_id: str, figures: Figures) -> tuple[bool, float]:
    """Sorts slices: `all` first, then by the worst difference of any candidate."""
    baseline = figures.comparison.baseline
    pairs = [figures.pair(v, baseline, metric, slice_id) for v in figures.candidates]
    gains = [gain for pair in pairs if pair and (gain := _certain_first(pair, figures)) is not None]
    if not gains:
        scores = [figures.score(v, metric, slice_id) for v in figures.variants]
        gains = [s.mean * figures.up(metric) for s in scores if s and s.mean is not None]
    return slice_id != ALL, min(gains, default=0.0)


def _certain_first(pair: PairEstimate, figures: Figures) -> float | None:
    gain = figures.gain(pair)
    if gain is None:
        return None
    return gain - 1e6 if pair.finding == "worse" else gain + 1e6 * (pair.finding == "too_few")


def _loss(pair: PairEstimate, figures: Figures) -> float:
    gain = figures.gain(pair)
    return 0.0 if gain is None else gain


def _n_losses(share: LossShare, figures: Figures) -> int:
    """A candidate's losses on all examples: the shares of a handful mean nothing."""
    pair = figures.pair(share.candidate, share.baseline, share.metric)
    return pair.losses if pair else 0


def _slice_row(
    metric: str, slice_id: str, meaning: str, figures: Figures, links: Links
) -> MatrixRow:
    scores = [figures.score(variant, metric, slice_id) for variant in figures.variants]
    sizes = sorted({score.n for score in scores if score})
    n = formats.count(sizes[-1]) if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    cells = (_slice_cell(v, metric, slice_id, figures, links) for v in figures.variants)
    name = "all examples" if slice_id == ALL else one_line(slice_id)
    return MatrixRow(name, one_line(meaning, 200), n, tuple(cells))


def _slice_cell(variant: str, metric: str, slice_id: str, figures: Figures, links: Links) -> Cell:
    scale, baseline = figures.scale(metric), figures.comparison.baseline
    score = figures.score(variant, metric, slice_id)
    if score is None or score.mean is None:
        return Cell(formats.UNKNOWN)
    interval = scale.interval(score.ci_low, score.ci_high) or formats.NO_INTERVAL
    said = f"{one_line(variant)}: {scale.value(score.mean)}, {interval}"
    link = links.examples(variant, baseline, metric, slice_id)
    pair = None if variant == baseline else figures.pair(variant, baseline, metric, slice_id)
    if pair is None:
        return Cell(scale.value(score.mean), sentence=said, link=link, value=score.mean)
    finding = mark(pair, figures.gain(pair))
    return Cell(
        text=scale.value(score.mean),
        delta=_marked("" if pair.diff is None else scale.signed(pair.diff), pair, figures),
        symbol=finding.symbol,
        tone=finding.tone,
        strength=_strength(pair),
        sentence=f"{said}. {pair_sentence(pair, figures)}. {formats.p_value(pair.p_adjusted)}",
        link=link,
        value=score.mean,
    )


def _marked(text: str, pair: PairEstimate, figures: Figures) -> str:
    """A cell's difference; the table's note says what the mark of a confounded pair means."""
    return f"{text} {CONFOUNDED}" if figures.confounded(pair.candidate, pair.baseline) else text


def _strength(pair: PairEstimate) -> int:
    """How strongly a certain difference is tinted: 1 to 4, 0 for one that is not certain."""
    if pair.finding not in ("better", "worse") or pair.diff is None:
        return 0
    return sum(abs(pair.diff) > step for step in (0.0, 0.1, 0.25, 0.5))


def _win_cell(row: str, column: str, metric: str, figures: Figures, links: Links) -> Cell:
    if row == column:
        return Cell("·")
    pair = figures.pair(row, column, metric)
    if pair is None or pair.win_rate is None:
        return Cell(formats.UNKNOWN)
    finding = mark(pair, figures.gain(pair))
    interval = Scale(is_share=True).interval(pair.win_rate_ci_low, pair.win_rate_ci_high)
    tally = f"{pair.wins:,} wins, {pair.ties:,} ties, {pair.losses:,} losses"
    return Cell(
        text=formats.share(pair.win_rate),
        delta=_marked(interval, pair, figures),
        symbol=finding.symbol,
        tone=finding.tone,
        strength=_strength(pair) and 1,
        sentence=f"{one_line(row)} against {one_line(column)}: {tally}. "
        f"{pair_sentence(pair, figures)}.",
        link=links.examples(row, column, metric, ALL),
        value=pair.win_rate,
    )


def _classes(comparison: Comparison, metric: str, variant: str) -> Classes:
    entries = [c for c in comparison.classes if (c.metric, c.variant) == (metric, variant)]
    cells = [c for c in comparison.confusion if (c.metric, c.variant) == (metric, variant)]
    seen = sorted({c.expected for c in cells} | {c.predicted for c in cells})
    labels = list(dict.fromkeys([*(entry.label for entry in entries), *seen]))
    mixed = sorted((c for c in cells if c.expected != c.predicted), key=lambda c: -c.n)
    entries.sort(key=lambda entry: (entry.f1 is None, entry.f1 or 0.0))
    return Classes(
        variant=one_line(variant),
        metric=one_line(metric),
        labels=tuple(one_line(label, 60) for label in labels) if len(labels) <= _MAX_TABLE else (),
        table=tuple(_table(labels, {(c.expected, c.predicted): c.n for c in cells})),
        confusions=tuple(
            (one_line(c.expected), one_line(c.predicted), formats.count(c.n))
            for c in mixed[:_MAX_CONFUSIONS]
        ),
        rows=tuple(
            ClassRow(
                one_line(entry.label),
                formats.count(entry.n_expected),
                formats.count(entry.n_predicted),
                *(_ratio(value) for value in (entry.precision, entry.recall, entry.f1)),
            )
            for entry in entries
        ),
    )


def _ratio(value: float | None) -> str:
    return "undefined" if value is None else formats.share(value)


def _table(labels: list[str], counts: dict[tuple[str, str], int]) -> Iterator[tuple[str, ...]]:
    """The whole confusion table, a row per expected class; only if it is small."""
    if len(labels) <= _MAX_TABLE and counts:
        for expected in labels:
            yield tuple(formats.count(counts.get((expected, p), 0)) for p in labels)
