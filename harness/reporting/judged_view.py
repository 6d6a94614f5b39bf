"""What judges said, in words: win rates, where the baseline wins, rankings, the judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.core.comparison import Comparison
from harness.core.example import ALL
from harness.core.judged import (
    AgreementEstimate,
    JudgedFinding,
    JudgeEstimate,
    PairwiseEstimate,
    RankEstimate,
)
from harness.reporting import formats
from harness.reporting.parts import Quantity
from harness.reporting.sentences import Mark
from harness.reporting.text import one_line

_LEAST_LOSSES = 3
_NOTHING = "\u2013"
_MARKS: dict[JudgedFinding, Mark] = {
    "better": Mark("▲", "preferred", "good"),
    "worse": Mark("▼", "not preferred", "bad"),
    "no_evidence": Mark("○", "no evidence", "unsure"),
    "too_few": Mark("…", "too few", "plain"),
}


@dataclass(frozen=True, slots=True)
class WinRateRow:
    """One pair under one judge; `rate` is against one half."""

    candidate: str
    baseline: str
    judge: str
    rate: Quantity
    mark: Mark
    wins: int
    ties: int
    losses: int
    controlled: Quantity
    corrected: Quantity
    flipped: str
    missing: str
    n: str
    p: str


@dataclass(frozen=True, slots=True)
class LossSliceRow:
    """A slice on which the baseline wins more often than elsewhere."""

    candidate: str
    baseline: str
    judge: str
    slice: str
    losses: str
    rate: Quantity
    of_losses: Quantity
    of_examples: Quantity


@dataclass(frozen=True, slots=True)
class RankRow:
    """A variant's place in a judge's ranking."""

    judge: str
    rank: str
    variant: str
    ability: Quantity
    rate: str
    n: str


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """A judge, and how far it can be trusted. `trust` is a word, empty where nothing says."""

    judge: str
    kind: str
    model: str
    verdicts: str
    unread: str
    right: Quantity
    kappa: str
    consistency: str
    first: Quantity
    longer: Quantity
    label_longer: str
    repeats: str
    alpha: str
    cost: str
    trust: Mark | None


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """How often two judges say the same of one pair of answers."""

    pair: str
    share: Quantity
    kappa: str
    n: str
    no_ties: str
    n_no_ties: str


@dataclass(frozen=True, slots=True)
class JudgedView:
    """The section of the page on judged comparisons; people and models in tables of their own."""

    by_models: tuple[WinRateRow, ...]
    by_people: tuple[WinRateRow, ...]
    among_candidates: tuple[WinRateRow, ...]
    losses: tuple[LossSliceRow, ...]
    rankings: tuple[RankRow, ...]
    judges: tuple[JudgeRow, ...]
    agreements: tuple[AgreementRow, ...]

    @property
    def win_rates(self) -> tuple[WinRateRow, ...]:
        """All of them."""
        return (*self.by_models, *self.by_people, *self.among_candidates)


def judged_view(comparison: Comparison) -> JudgedView | None:
    """The section; None where nothing was judged."""
    if not comparison.judges:
        return None
    people = {one.judge for one in comparison.judges if one.human}
    whole = [one for one in comparison.pairwise if one.slice == ALL]
    first = [one for one in whole if one.baseline == comparison.baseline]
    second = [one for one in whole if one.baseline != comparison.baseline]
    against = [one for one in comparison.pairwise if one.baseline == comparison.baseline]
    return JudgedView(
        by_models=tuple(_win_rate(one) for one in first if one.judge not in people),
        by_people=tuple(_win_rate(one) for one in first if one.judge in people),
        among_candidates=tuple(map(_win_rate, second)),
        losses=tuple(_losses(against)),
        rankings=tuple(map(_rank, comparison.rankings)),
        judges=tuple(_judge(one) for one in comparison.judges if one.slice == ALL),
        agreements=tuple(map(_agreement, comparison.agreements)),
    )


def _win_rate(one: PairwiseEstimate) -> WinRateRow:
    missing = [f"{formats.count(one.n_missing)} missing"] if one.n_missing else []
    missing += [f"{formats.count(one.n_unparsed)} unread"] if one.n_unparsed else []
    return WinRateRow(
        candidate=one_line(one.candidate),
        baseline=one_line(one.baseline),
        judge=one_line(one.judge),
        rate=_share(one.win_rate, one.ci_low, one.ci_high),
        mark=_MARKS[one.finding],
        wins=one.wins,
        ties=one.ties,
        losses=one.losses,
        controlled=_share(
            one.length_controlled_win_rate,
            one.length_controlled_ci_low,
            one.length_controlled_ci_high,
        ),
        corrected=_share(one.corrected_win_rate, one.corrected_ci_low, one.corrected_ci_high),
        flipped=formats.share(one.n_flipped / one.n_both_orders) if one.n_both_orders else "",
        missing=", ".join(missing),
        n=formats.count(one.n),
        p=formats.p_value(one.p_adjusted),
    )


def _losses(pairwise: Sequence[PairwiseEstimate]) -> Iterator[LossSliceRow]:
    """Slices that hold more of the losses than of the examples, those with most losses first."""
    slices = [
        one
        for one in pairwise
        if one.slice != ALL
        and one.losses >= _LEAST_LOSSES
        and (one.share_of_losses or 0) > (one.share_of_examples or 0)
    ]
    for one in sorted(slices, key=lambda one: -(one.share_of_losses or 0)):
        yield LossSliceRow(
            candidate=one_line(one.candidate),
            baseline=one_line(one.baseline),
            judge=one_line(one.judge),
            slice=one_line(one.slice),
            losses=f"{formats.count(one.losses)} of {formats.count(one.n)}",
            rate=_share(one.win_rate, one.ci_low, one.ci_high),
            of_losses=_share(one.share_of_losses),
            of_examples=_share(one.share_of_examples),
        )


def _rank(one: RankEstimate) -> RankRow:
    known = one.ability is not None and one.ci_low is not None and one.ci_high is not None
    interval = f"{one.ci_low:.2f} to {one.ci_high:.2f}" if known else ""
    same = one.rank_low == one.rank_high
    return RankRow(
        judge=one_line(one.judge),
        rank=_NOTHING
        if one.rank_low is None
        else f"{one.rank_low}"
        if same
        else f"{one.rank_low} to {one.rank_high}",
        variant=one_line(one.variant),
        ability=Quantity(
            "undefined" if one.ability is None else f"{one.ability:.2f}",
            interval,
            one.ability,
            one.ci_low,
            one.ci_high,
        ),
        rate=formats.share(one.win_rate),
        n=formats.count(one.n),
    )


def _judge(one: JudgeEstimate) -> JudgeRow:
    trust = None
    if one.trusted is not None:
        least = formats.share(one.min_agreement)
        trust = (
            Mark("▲", f"at least {least}", "good")
            if one.trusted
            else Mark("▼", f"below {least}: blocks no gate", "bad")
        )
    return JudgeRow(
        judge=one_line(one.judge),
        kind="people" if one.human else "model",
        model=one_line(one.model, 200),
        verdicts=formats.count(one.n_verdicts),
        unread=formats.count(one.n_unparsed) if one.n_unparsed else "",
        right=_share(one.accuracy, one.accuracy_ci_low, one.accuracy_ci_high),
        kappa="" if one.kappa is None else f"{one.kappa:.2f}",
        consistency="" if one.consistency is None else formats.share(one.consistency),
        first=_share(one.first_rate, one.first_rate_ci_low, one.first_rate_ci_high),
        longer=_share(one.longer_rate, one.longer_rate_ci_low, one.longer_rate_ci_high),
        label_longer="" if one.label_longer_rate is None else formats.share(one.label_longer_rate),
        repeats="" if one.self_consistency is None else formats.share(one.self_consistency),
        alpha="" if one.alpha is None else f"{one.alpha:.2f}",
        cost="" if one.cost_usd is None else formats.dollars(one.cost_usd),
        trust=trust,
    )


def _agreement(one: AgreementEstimate) -> AgreementRow:
    same = one.first == one.second
    first, second = one_line(one.first), one_line(one.second)
    return AgreementRow(
        pair=f"within {first}" if same else f"{first} and {second}",
        share=_share(one.share, one.ci_low, one.ci_high),
        kappa="" if one.kappa is None else f"{one.kappa:.2f}",
        n=formats.count(one.n),
        no_ties=formats.share(one.share_no_ties),
        n_no_ties=formats.count(one.n_no_ties),
    )


def _share(value: float | None, low: float | None = None, high: float | None = None) -> Quantity:
    if value is None:
        return Quantity(_NOTHING)
    interval = formats.Scale(is_share=True).interval(low, high)
    return Quantity(formats.share(value), interval, value, low, high)
