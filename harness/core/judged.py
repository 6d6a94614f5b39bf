"""What judges' verdicts come to: parts of the result object."""

from __future__ import annotations

from typing import Literal, TypeAlias

from harness.core.estimate import Finite, Value

JudgedFinding: TypeAlias = Literal["better", "worse", "no_evidence", "too_few"]


class PairwiseEstimate(Value):
    """How often a judge prefers the candidate to the baseline, ties counted as half.

    `n` examples carry a verdict, `n_missing` were judged without one: of them `n_one_order` have
    only one of two orders. `n_unparsed` verdicts could not be read. `n_flipped` examples changed
    sides with the order of the answers, and count as ties. `standard_error` and interval respect
    clusters; `p_value` is the exact sign test's, of wins and losses. The length-controlled win rate
    is the one at equal lengths; `length_controlled_standard_error` is the published kind, a spread
    of fitted values that is too small for an interval, which stands beside it;
    `no_length_control` says why there is none where one was asked for. The corrected win
    rate is what people would say by how often the judge agrees with them.
    """

    candidate: str
    baseline: str
    judge: str
    slice: str
    n: int
    win_rate: Finite | None
    standard_error: Finite | None
    ci_low: Finite | None
    ci_high: Finite | None
    method: str = ""
    p_value: Finite | None = None
    p_adjusted: Finite | None = None
    length_controlled_win_rate: Finite | None = None
    length_controlled_standard_error: Finite | None = None
    length_controlled_ci_low: Finite | None = None
    length_controlled_ci_high: Finite | None = None
    no_length_control: str = ""
    corrected_win_rate: Finite | None = None
    corrected_ci_low: Finite | None = None
    corrected_ci_high: Finite | None = None
    discrete_win_rate: Finite | None = None
    wins: int
    ties: int
    losses: int
    n_missing: int = 0
    n_one_order: int = 0
    n_flipped: int
    n_both_orders: int = 0
    n_unparsed: int
    share_of_losses: Finite | None = None
    share_of_examples: Finite | None = None
    candidate_chars: Finite | None = None
    baseline_chars: Finite | None = None
    finding: JudgedFinding = "no_evidence"


class RankEstimate(Value):
    """A variant's place among all that a judge compared (Bradley and Terry 1952, ties as half).

    `ability` is a log-ability with mean 0 over the variants: of two variants, the one ahead by 1
    wins 73 %. Ranks are ranges: variants whose order is not certain share them.
    """

    judge: str
    variant: str
    n: int
    ability: Finite | None
    standard_error: Finite | None
    ci_low: Finite | None
    ci_high: Finite | None
    rank_low: int | None
    rank_high: int | None
    win_rate: Finite | None


class JudgeEstimate(Value):
    """How far a judge can be trusted, on one slice.

    Rates are shares. `accuracy` is of all labelled verdicts, unread ones counted as wrong;
    `accuracy_original`, `accuracy_swapped` and `accuracy_both` are by the order of the answers.
    `consistency` is the share of pairs with the same verdict in both orders, `first_rate` how often
    the answer shown first won (ties half), `longer_rate` how often the longer one did, and
    `label_longer_rate` how often the label is the longer one. `self_consistency` is the share of
    repeated verdicts that agree. `trusted` is None where nothing was declared or nothing labelled.
    """

    judge: str
    slice: str
    human: bool
    n_verdicts: int
    n_unparsed: int
    n_labelled: int = 0
    accuracy: Finite | None = None
    accuracy_ci_low: Finite | None = None
    accuracy_ci_high: Finite | None = None
    accuracy_original: Finite | None = None
    accuracy_swapped: Finite | None = None
    accuracy_both: Finite | None = None
    kappa: Finite | None = None
    n_both_orders: int = 0
    consistency: Finite | None = None
    n_ordered: int = 0
    first_rate: Finite | None = None
    first_rate_ci_low: Finite | None = None
    first_rate_ci_high: Finite | None = None
    n_lengths: int = 0
    longer_rate: Finite | None = None
    longer_rate_ci_low: Finite | None = None
    longer_rate_ci_high: Finite | None = None
    label_longer_rate: Finite | None = None
    n_repeated: int = 0
    self_consistency: Finite | None = None
    alpha: Finite | None = None
    cost_usd: Finite | None = None
    latency_p50_s: Finite | None = None
    min_agreement: Finite | None = None
    trusted: bool | None = None
    model: str = ""
    prompt_sha256: str = ""


class AgreementEstimate(Value):
    """How often two panels give one verdict on the same pair of answers; or two of one panel.

    Every verdict of the one is held against every verdict of the other. Without ties, pairs of
    verdicts in which either is a tie are left out. `confusion` counts by (first, second) over
    loss, tie and win of the pair's later variant.
    """

    first: str
    second: str
    slice: str
    n: int
    share: Finite | None
    ci_low: Finite | None
    ci_high: Finite | None
    kappa: Finite | None
    kappa_ci_low: Finite | None = None
    kappa_ci_high: Finite | None = None
    n_no_ties: int
    share_no_ties: Finite | None
    kappa_no_ties: Finite | None = None
    confusion: tuple[tuple[int, int, int], ...] = ()


class JudgedComparison(Value):
    """All that judges' verdicts come to.

    `judge_usd` is what judging a variant's answers cost: a verdict's cost is shared by its two.
    """

    pairwise: tuple[PairwiseEstimate, ...] = ()
    rankings: tuple[RankEstimate, ...] = ()
    judges: tuple[JudgeEstimate, ...] = ()
    agreements: tuple[AgreementEstimate, ...] = ()
    judge_usd: dict[str, Finite] = {}
    warnings: tuple[str, ...] = ()
