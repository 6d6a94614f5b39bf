"""The gate's verdict as rows."""

from __future__ import annotations

from harness.core.example import ALL
from harness.core.verdict import RuleResult, Verdict
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.formats import Scale
from harness.reporting.parts import Gate, RuleRow
from harness.reporting.sentences import CONFOUNDED, OUTCOMES, gate_headline, more_needed
from harness.reporting.text import one_line

_KINDS = {
    "non_inferiority": "loss allowed",
    "floor": "at least",
    "ceiling": "at most",
    "latency_ratio": "latency ratio, at most",
    "cost_ratio": "cost ratio, at most",
    "win_rate": "win rate, at least",
}
_ORDER = ("fail", "inconclusive", "pass")


def gate_view(verdict: Verdict, figures: Figures | None = None) -> Gate:
    """The verdict's rows; `figures` tell how a metric's values are written."""
    rules = sorted(verdict.rules, key=lambda rule: _ORDER.index(rule.outcome))
    note = (
        f"Candidate {one_line(verdict.candidate)} against {one_line(verdict.baseline)} of run "
        f"{one_line(verdict.baseline_run_id)}, at {100 * verdict.confidence:g}% confidence, "
        f"policy {one_line(verdict.policy_sha256[:12])}."
    )
    confounded = _confounded(verdict, figures) if figures else ""
    rows = tuple(_row(rule, figures, confounded) for rule in rules)
    return Gate(gate_headline(verdict), rows, note, confounded)


def _confounded(verdict: Verdict, figures: Figures) -> str:
    """Why the verdict's two variants differ in more than what is under test, in one run."""
    same_run = verdict.run_id == verdict.baseline_run_id
    return figures.confounded(verdict.candidate, verdict.baseline) if same_run else ""


def _row(rule: RuleResult, figures: Figures | None, confounded: str) -> RuleRow:
    scale = _scale(rule, figures)
    is_loss = rule.kind == "non_inferiority"
    write = scale.difference if is_loss else scale.value
    where = "" if rule.slice == ALL else f" in {one_line(rule.slice)}"
    return RuleRow(
        result=rule,
        rule=one_line(rule.rule, 200),
        kind=_KINDS[rule.kind],
        where=f"{one_line(rule.metric)}{where}",
        estimate=write(rule.estimate) + (f" {CONFOUNDED}" if confounded else ""),
        interval=scale.interval(rule.ci_low, rule.ci_high, signed=is_loss),
        limit=scale.amount(rule.limit) if is_loss else write(rule.limit),
        n=formats.count(rule.n),
        mark=OUTCOMES[rule.outcome],
        reason=one_line(rule.reason, 400),
        needed=_needed(rule),
    )


def _needed(rule: RuleResult) -> str:
    more = more_needed(rule) if rule.outcome == "inconclusive" else None
    return "" if more is None else f"about {formats.rough(more)} more examples would settle it"


def _scale(rule: RuleResult, figures: Figures | None) -> Scale:
    """Ratios are plain numbers, win rates shares, the rest is as the metric's values are."""
    if rule.kind == "win_rate":
        return Scale(is_share=True)
    if rule.kind in ("latency_ratio", "cost_ratio") or figures is None:
        return Scale(is_share=False)
    return figures.scale(rule.metric)
