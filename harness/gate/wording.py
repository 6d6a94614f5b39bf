"""Why a rule passed, failed or could not be decided, in a sentence."""

from __future__ import annotations

from harness.core.verdict import Outcome
from harness.gate.evidence import Evidence


def reason(evidence: Evidence, limit: float, outcome: Outcome, coverage: float) -> str:
    """One sentence for people, with the figures that it rests on."""
    said = _said(evidence, limit, outcome, coverage)
    if not evidence.informs:
        return said
    return f"{said} {evidence.metric} agrees too little with people to block: it only informs."


def _said(evidence: Evidence, limit: float, outcome: Outcome, coverage: float) -> str:
    if evidence.gap:
        return f"{evidence.gap[0].upper()}{evidence.gap[1:]}."
    if evidence.coverage < coverage:
        return (
            f"Only {evidence.coverage:.1%} of the {_units(evidence)} have {_needed(evidence)}; "
            f"the policy asks for {coverage:.1%}."
        )
    figure = _between(evidence)
    bound = _show(evidence, limit)
    match outcome:
        case "pass":
            return f"{figure}: all of it on the right side of {bound}."
        case "fail":
            return f"{figure}: certainly beyond {bound}."
        case "inconclusive" if (far := evidence.far_end) is not None and evidence.broken_at(
            far, limit
        ):
            return f"{figure}: beyond {bound}, but not as certainly as a failure must be."
        case "inconclusive":
            return f"{figure}: the limit {bound} lies within what the data allow."


def _units(evidence: Evidence) -> str:
    kinds = ("latency_ratio", "cost_ratio", "win_rate")
    return "examples" if evidence.kind in kinds else "trials"


def _needed(evidence: Evidence) -> str:
    return {
        "non_inferiority": "a score on both sides",
        "floor": "a score",
        "ceiling": "a score",
        "latency_ratio": "a latency on both sides",
        "cost_ratio": "a cost on both sides",
        "win_rate": "a verdict",
    }[evidence.kind]


def _between(evidence: Evidence) -> str:
    name = {
        "non_inferiority": "Difference",
        "floor": "Figure",
        "ceiling": "Figure",
        "latency_ratio": f"Ratio of {evidence.metric}",
        "cost_ratio": "Ratio of mean cost",
        "win_rate": "Win rate",
    }[evidence.kind]
    low, high = (
        "unknown" if end is None else _show(evidence, end) for end in (evidence.low, evidence.high)
    )
    estimate = "unknown" if evidence.estimate is None else _show(evidence, evidence.estimate)
    return f"{name} {estimate}, between {low} and {high}"


def _show(evidence: Evidence, value: float) -> str:
    if evidence.kind in ("latency_ratio", "cost_ratio"):
        return f"{value:.3g}x"
    if not evidence.binary:
        return f"{value:.4g}"
    if evidence.kind == "non_inferiority":
        return f"{100 * value:+.1f} points"
    return f"{100 * value:.1f} %"
