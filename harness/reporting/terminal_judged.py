"""Judged comparisons as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.comparison import Comparison
from harness.core.example import ALL
from harness.core.judged import (
    AgreementEstimate,
    JudgedComparison,
    JudgeEstimate,
    PairwiseEstimate,
    RankEstimate,
)
from harness.reporting.columns import more, tables, wrapped
from harness.reporting.formats import count, dollars
from harness.reporting.text import one_line

_MAX_ROWS = 20
_MAX_LOSSES = 10
_LEAST_LOSSES = 3
_NAME = 40
_NOTHING = "-"


def render(judged: JudgedComparison) -> str:
    """Warnings, judges, agreement, rankings, win rates, and where the baseline wins."""
    blocks = [
        _warnings(judged.warnings),
        _judges([one for one in judged.judges if one.slice == ALL]),
        _agreements(judged.agreements),
        _rankings(judged.rankings),
        _win_rates([one for one in judged.pairwise if one.slice == ALL]),
        _losses(judged.pairwise),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def summary(comparison: Comparison) -> list[list[str]]:
    """Of a run: the judges where they were held against labels, and win rates over the baseline."""
    whole = [
        one
        for one in comparison.pairwise
        if one.slice == ALL and one.baseline == comparison.baseline
    ]
    judges = [one for one in comparison.judges if one.slice == ALL and one.n_labelled]
    return [block for block in (_judges(judges), _win_rates(whole)) if block]


def _warnings(warnings: Sequence[str]) -> list[str]:
    return [
        line
        for text in warnings
        for line in wrapped(f"warning: {one_line(text, 400)}", rest="         ")
    ]


def _judges(judges: Sequence[JudgeEstimate]) -> list[str]:
    heads = ("judge", "verdicts", "unread", "right", "both orders agree", "first wins",
             "longer wins", "cost")  # fmt: skip
    rows = [
        (
            _named(one.judge) + (" (people)" if one.human else ""),
            count(one.n_verdicts),
            count(one.n_unparsed),
            _share(one.accuracy, one.accuracy_ci_low, one.accuracy_ci_high),
            _share(one.consistency),
            _share(one.first_rate),
            _share(one.longer_rate),
            _NOTHING if one.cost_usd is None else dollars(one.cost_usd),
        )
        for one in judges[:_MAX_ROWS]
    ]
    return [*_known(heads, rows), *more(len(judges) - _MAX_ROWS)] if rows else []


def _agreements(agreements: Sequence[AgreementEstimate]) -> list[str]:
    heads = ("agreement", "pairs", "share", "kappa", "without ties", "pairs")
    rows = [
        (
            _named(one.first) + (" within" if one.first == one.second else f", {one.second}"),
            count(one.n),
            _share(one.share, one.ci_low, one.ci_high),
            _NOTHING if one.kappa is None else f"{one.kappa:.3f}",
            _share(one.share_no_ties),
            count(one.n_no_ties),
        )
        for one in agreements[:_MAX_ROWS]
    ]
    return [*tables(heads, rows), *more(len(agreements) - _MAX_ROWS)] if rows else []


def _rankings(rankings: Sequence[RankEstimate]) -> list[str]:
    heads = ("variant", "judge", "rank", "ability", "wins", "verdicts")
    rows = [
        (
            _named(one.variant),
            _named(one.judge),
            _NOTHING if one.rank_low is None else _range(one.rank_low, one.rank_high),
            _NOTHING
            if one.ability is None or one.ci_low is None or one.ci_high is None
            else f"{one.ability:.3f} [{one.ci_low:.3f} to {one.ci_high:.3f}]",
            _share(one.win_rate),
            count(one.n),
        )
        for one in rankings[: 2 * _MAX_ROWS]
    ]
    return [*_known(heads, rows), *more(len(rankings) - 2 * _MAX_ROWS)] if rows else []


def _win_rates(pairs: Sequence[PairwiseEstimate]) -> list[str]:
    against = {one.baseline for one in pairs}
    alone = f"against {_named(*against)}" if len(against) == 1 else ""
    heads = (alone or "win rate", "judge", "wins", "ties", "losses", "share", "equal lengths",
             "corrected", "missing", "flipped", "finding")  # fmt: skip
    rows = [
        (
            _named(one.candidate) + ("" if alone else f" against {_named(one.baseline)}"),
            _named(one.judge),
            count(one.wins),
            count(one.ties),
            count(one.losses),
            _share(one.win_rate, one.ci_low, one.ci_high),
            _share(
                one.length_controlled_win_rate,
                one.length_controlled_ci_low,
                one.length_controlled_ci_high,
            ),
            _share(one.corrected_win_rate, one.corrected_ci_low, one.corrected_ci_high),
            count(one.n_missing),
            f"{one.n_flipped / one.n_both_orders:.1%}" if one.n_both_orders else _NOTHING,
            one.finding.replace("_", " "),
        )
        for one in pairs[: 2 * _MAX_ROWS]
    ]
    return [*_known(heads, rows), *more(len(pairs) - 2 * _MAX_ROWS)] if rows else []


def _losses(pairs: Sequence[PairwiseEstimate]) -> list[str]:
    """Where the baseline beats the candidate: slices that hold more losses than their share."""
    slices = [
        one
        for one in pairs
        if one.slice != ALL
        and one.losses >= _LEAST_LOSSES
        and (one.share_of_losses or 0) > (one.share_of_examples or 0)
    ]
    slices.sort(key=lambda one: -(one.share_of_losses or 0))
    heads = ("where the baseline wins", "slice", "losses", "of all losses", "of examples")
    rows = [
        (
            f"{_named(one.baseline)} over {_named(one.candidate)}",
            one_line(one.slice, _NAME),
            f"{one.losses} of {one.n}",
            _share(one.share_of_losses),
            _share(one.share_of_examples),
        )
        for one in slices[:_MAX_LOSSES]
    ]
    return [*tables(heads, rows), *more(len(slices) - _MAX_LOSSES)] if rows else []


def _known(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table without columns of which nothing is known, or that name the one judge there is."""
    kept = [i for i in range(len(heads)) if any(row[i] not in (_NOTHING, "0") for row in rows)]
    if len({row[heads.index("judge")] for row in rows}) == 1 and heads[0] != "judge":
        kept.remove(heads.index("judge"))
    return tables([heads[i] for i in kept], [[row[i] for i in kept] for row in rows])


def _share(share: float | None, low: float | None = None, high: float | None = None) -> str:
    if share is None:
        return _NOTHING
    ends = "" if low is None or high is None else f" [{100 * low:.1f} to {100 * high:.1f}]"
    return f"{share:.1%}{ends}"


def _range(low: int, high: int | None) -> str:
    return str(low) if high is None or low == high else f"{low} to {high}"


def _named(name: str) -> str:
    return one_line(name, _NAME)
