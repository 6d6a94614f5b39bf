"""The one answer that the pairs add up to, and where a candidate's losses sit."""

from __future__ import annotations

from collections.abc import Sequence

from harness.comparison.subject import Subject
from harness.core.comparison import Conclusion, LossShare, PairEstimate
from harness.core.example import ALL
from harness.core.experiment import PrimaryFigure


def conclude(subject: Subject, pairs: Sequence[PairEstimate]) -> Conclusion:
    """Ship the best certain improvement, keep the baseline, or say why neither can be said."""
    lead = subject.analysis.primary[0]
    primary = [pair for pair in pairs if pair.family == "primary"]
    leading = [p for p in primary if p.metric == lead.metric and p.slice == lead.slice]
    if len(subject.variants) == 1:
        return _conclusion("single", subject.baseline, lead, [])
    thin = [p for p in primary if not p.n or p.coverage < subject.analysis.coverage]
    candidates = len(subject.variants) - 1
    if thin or len(primary) < candidates * len(subject.analysis.primary):
        return _conclusion("incomplete", subject.baseline, lead, thin)
    better = sorted((p for p in leading if p.finding == "better"), key=_by_size, reverse=True)
    if not better:
        return _conclusion("keep", subject.baseline, lead, leading)
    harmed = {
        pair.candidate: [
            p for p in primary if p.candidate == pair.candidate and p.finding == "worse"
        ]
        for pair in better
    }
    for pair in better:
        if not harmed[pair.candidate]:
            return _conclusion("ship", pair.candidate, lead, [pair])
    best = better[0]
    return _conclusion("trade_off", best.candidate, lead, [best, *harmed[best.candidate]])


def loss_shares(subject: Subject, pairs: Sequence[PairEstimate]) -> list[LossShare]:
    """For each candidate and primary metric: every slice's share of losses, largest first."""
    metrics = list(dict.fromkeys(figure.metric for figure in subject.analysis.primary))
    result = []
    for metric in metrics:
        of_metric = [p for p in pairs if p.metric == metric and p.baseline == subject.baseline]
        for whole in (p for p in of_metric if p.slice == ALL and p.losses):
            shares = [
                LossShare(
                    candidate=part.candidate,
                    baseline=part.baseline,
                    metric=metric,
                    slice=part.slice,
                    n_losses=part.losses,
                    share_of_losses=part.losses / whole.losses,
                    share_of_examples=part.n / whole.n,
                )
                for part in of_metric
                if part.slice != ALL and part.candidate == whole.candidate and part.losses
            ]
            result += sorted(shares, key=lambda share: -share.share_of_losses)
    return result


def _by_size(pair: PairEstimate) -> float:
    return abs(pair.diff or 0.0)


def _conclusion(
    kind: str, variant: str, lead: PrimaryFigure, because: Sequence[PairEstimate]
) -> Conclusion:
    return Conclusion.model_validate(
        {
            "kind": kind,
            "variant": variant,
            "metric": lead.metric,
            "slice": lead.slice,
            "because": tuple((p.candidate, p.metric, p.slice) for p in because),
        }
    )
