"""`report.md`: the pull-request comment. Verdict, then regressions, in fewer than 60 lines."""

from __future__ import annotations

from harness.core.run import RunData
from harness.reporting.parts import PairRow, VariantRow, View
from harness.reporting.sentences import Headline
from harness.reporting.text import markdown
from harness.reporting.view import build_view

MARKER = "<!-- harness-report -->"
"""First line of every report, by which a CI job finds the comment to update."""

_MAX_REASONS = 3
_MAX_RULES = 6
_MAX_REGRESSIONS = 8
_MAX_VARIANTS = 5
_MAX_REMARKS = 4


def render(run: RunData) -> str:
    """The comment. Names from outside are inert: no mention, link, HTML or workflow command."""
    view = build_view(run)
    lines = [MARKER, f"### {_badge(view.gate.headline if view.gate else view.headline)}", ""]
    if view.gate:
        lines += _said(view.gate.headline)
    lines += _said(view.headline)
    lines += _regressions(view)
    lines += _rules(view)
    lines += _variants(view)
    lines += _remarks(view)
    facts = " · ".join(_text(fact) for fact in (view.title, *view.facts))
    lines += [
        f"<sub>{facts} · intervals at {view.confidence} · ▲▼ certain, △▽ could be chance</sub>"
    ]
    return "\n".join(lines) + "\n"


def _badge(headline: Headline) -> str:
    symbol = {"good": "✅", "bad": "❌", "unsure": "⚠️", "plain": "⏸️"}[headline.tone]
    return f"{symbol} {_text(headline.badge)}"


def _said(headline: Headline) -> list[str]:
    lines = [f"**{_text(headline.sentence, 600)}**"]
    lines += [f"- {_text(reason, 400)}" for reason in headline.reasons[:_MAX_REASONS]]
    hidden = len(headline.reasons) - _MAX_REASONS
    if hidden > 0:
        lines.append(f"- … and {hidden} more")
    return [*lines, ""]


def _regressions(view: View) -> list[str]:
    worse = view.slice_losses
    if len(view.variants) < 2:
        return []
    if not worse:
        return ["No figure is certainly worse than the baseline.", ""]
    lines = [
        f"#### Certainly worse than the baseline ({len(worse)})",
        "| metric | slice | candidate | difference | interval | p | n |",
        "| --- | --- | --- | --- | --- | --- | --: |",
    ]
    lines += [_regression(pair) for pair in worse[:_MAX_REGRESSIONS]]
    if len(worse) > _MAX_REGRESSIONS:
        lines += ["", f"… and {len(worse) - _MAX_REGRESSIONS} more in the report."]
    return [*lines, ""]


def _regression(pair: PairRow) -> str:
    metric = f"**{_text(pair.metric)}**" if pair.is_primary else _text(pair.metric)
    return _row(
        metric,
        _text(pair.slice),
        _text(pair.candidate),
        f"{pair.mark.symbol} {pair.difference.text}",
        pair.signed_interval,
        _text(pair.p.removeprefix("p = ")),
        pair.n,
    )


def _rules(view: View) -> list[str]:
    if view.gate is None:
        return []
    rules = view.gate.rules
    lines = [
        "#### Gate",
        "| rule | outcome | estimate | interval | limit | n |",
        "| --- | --- | --- | --- | --- | --: |",
    ]
    lines += [
        _row(
            _text(rule.rule),
            f"{rule.mark.symbol} {rule.mark.word}{rule.needed and ', ' + rule.needed}",
            rule.estimate,
            rule.interval or "-",
            f"{rule.kind} {rule.limit}",
            rule.n,
        )
        for rule in rules[:_MAX_RULES]
    ]
    if len(rules) > _MAX_RULES:
        lines += ["", f"… and {len(rules) - _MAX_RULES} more rules in the report."]
    return [*lines, ""]


def _variants(view: View) -> list[str]:
    lines = [
        "#### Variants",
        _row("variant", _text(view.metric), "difference", "p50 / p95", "cost/request", "failures"),
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_variant(row) for row in view.variants[:_MAX_VARIANTS]]
    hidden = len(view.variants) - _MAX_VARIANTS
    if hidden > 0:
        lines += ["", f"… and {hidden} more in the report."]
    return [*lines, ""]


def _variant(row: VariantRow) -> str:
    pair = row.difference
    difference = "baseline" if row.is_baseline else "unknown"
    if pair is not None:
        difference = f"{pair.mark.symbol} {pair.difference.text}"
        difference += f" ({pair.signed_interval})" if pair.signed_interval else ""
    quality = f"{row.quality.text} ({row.quality.interval})"
    cost = row.cost.text.replace("$", "USD ")
    return _row(
        _text(row.id),
        quality if row.quality.interval else row.quality.text,
        difference,
        f"{row.p50.text} / {row.p95.text}" if row.path else "unknown",
        cost,
        f"{row.failures} system, {row.infrastructure_failures} infrastructure",
    )


def _remarks(view: View) -> list[str]:
    remarks = [f"⚠️ {_text(warning, 300)}" for warning in view.warnings]
    remarks += [_text(note, 300) for note in view.notes]
    lines = [f"> - {remark}" for remark in remarks[:_MAX_REMARKS]]
    if len(remarks) > _MAX_REMARKS:
        lines.append(f"> - … and {len(remarks) - _MAX_REMARKS} more in the report")
    return [*lines, ""] if lines else []


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str, limit: int = 120) -> str:
    return markdown(text, limit)
