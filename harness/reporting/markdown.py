"""`report.md`: the pull-request comment. Verdict, then regressions, in fewer than 60 lines."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.run import RunData
from harness.reporting.judged_view import JudgedView, judged_view
from harness.reporting.live_view import stage_table
from harness.reporting.parts import FactorRow, Operation, PairRow, VariantRow, View
from harness.reporting.sentences import CONFOUNDED, Headline
from harness.reporting.text import markdown
from harness.reporting.view import build_view

MARKER = "<!-- harness-report -->"
"""First line of every report, by which a CI job finds the comment to update."""

_MAX_REASONS = 3
_MAX_RULES = 6
_MAX_REGRESSIONS = 8
_MAX_VARIANTS = 5
_MAX_REMARKS = 4
_MAX_FACTORS = 6
_MAX_TOOLS = 6
_MAX_ROUTES = 6
_MAX_JUDGED = 10
_MAX_LINES = 59


def render(run: RunData) -> str:
    """The comment. Names from outside are inert: no mention, link, HTML or workflow command."""
    view = build_view(run)
    lines = [MARKER, f"### {_badge(view.gate.headline if view.gate else view.headline)}", ""]
    if view.gate:
        lines += _said(view.gate.headline)
    lines += _said(view.headline)
    rest = [*_regressions(view), *_rules(view), *_variants(view)]
    last = _remarks(view)
    judged = judged_view(run.comparison)
    if judged is not None and len(rest) + _MAX_JUDGED + len(last) < _MAX_LINES - len(lines):
        rest += _judged(judged)
    room = _MAX_LINES - len(lines) - len(rest) - len(last) - 1
    factors, live = _live(view, room)
    lines += [*factors, *rest, *live, *last]
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
        f"{pair.mark.symbol} {pair.difference.text}{_aside(pair.confounded)}",
        pair.signed_interval,
        _text(pair.p.removeprefix("p = ")),
        pair.n,
    )


def _rules(view: View) -> list[str]:
    if view.gate is None:
        return []
    rules = view.gate.rules
    lines = [
        f"#### Gate{_aside(view.gate.confounded)}",
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
    if view.spent:
        lines += ["", _text(view.spent.replace("$", "USD "), 300)]
    return [*lines, ""]


def _variant(row: VariantRow) -> str:
    pair = row.difference
    difference = "baseline" if row.is_baseline else "unknown"
    if pair is not None:
        difference = f"{pair.mark.symbol} {pair.difference.text}"
        difference += f" ({pair.signed_interval})" if pair.signed_interval else ""
        difference += _aside(pair.confounded)
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


def _judged(judged: JudgedView) -> list[str]:
    """Win rates against the baseline, those of people and of models apart."""
    rows = [*judged.by_people, *judged.by_models]
    if not rows:
        return []
    shown = rows[: _MAX_JUDGED - 4]
    lines = [
        "#### Judged: how often the candidate is preferred",
        _row("candidate", "judge", "win rate", "wins / ties / losses", "finding"),
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        _row(
            _text(row.candidate),
            _text(row.judge),
            f"{row.rate.text} ({row.rate.interval})" if row.rate.interval else row.rate.text,
            f"{row.wins} / {row.ties} / {row.losses}",
            f"{row.mark.symbol} {row.mark.word}",
        )
        for row in shown
    ]
    return [*lines, ""]


def _live(view: View, room: int) -> tuple[list[str], list[str]]:
    """What differs, and how live variants did on the way: as much of it as there is room for.

    What differs is told in one line where the table has none.
    """
    if not view.is_live:
        return [], []
    varied = [row for row in view.factors if not row.is_held]
    held = len(view.factors) - len(varied)
    factors = _factor_lines(view, varied, held)
    if len(factors) > room:
        names = ", ".join(_text(row.name, 60) for row in varied[:_MAX_FACTORS]) or "nothing"
        factors = [f"What differs: {names}; {held} factors are held constant.", ""]
    room -= len(factors)
    lines: list[str] = []
    for section in (
        _operation_lines(view),
        _route_lines(view),
        _token_lines(view),
        _stage_lines(view),
        _tool_lines(view),
    ):
        if len(section) <= room - len(lines):
            lines += section
    return factors, lines


def _factor_lines(view: View, varied: Sequence[FactorRow], held: int) -> list[str]:
    if not view.factors:
        return []
    lines = [f"#### What differs ({held} further factors are held constant)"]
    if varied or view.owning:
        lines += [_row("factor", *(_text(row.id) for row in view.variants[:_MAX_VARIANTS]))]
        lines += [_row(*["---"] * (1 + min(len(view.variants), _MAX_VARIANTS)))]
    for row in varied[:_MAX_FACTORS]:
        values = zip(row.values[:_MAX_VARIANTS], row.differs, strict=False)
        shown = [f"**{_text(v, 60)}**" if is_other else _text(v, 60) for v, is_other in values]
        lines.append(_row(_text(row.name), *shown))
    for row in view.owning[:_MAX_FACTORS]:
        stated = [_text(value, 60) for value in row.values[:_MAX_VARIANTS]]
        lines.append(_row(f"owning it: {_text(row.name)}", *stated))
    if len(varied) > _MAX_FACTORS:
        lines += ["", f"… and {len(varied) - _MAX_FACTORS} more in the report."]
    return [*lines, ""]


def _operation_lines(view: View) -> list[str]:
    if not view.operations:
        return []
    lines = ["#### Operation", _row("variant", *view.operation_heads)]
    lines.append(_row(*["---"] * (1 + len(view.operation_heads))))
    for row in view.operations[:_MAX_VARIANTS]:
        lines.append(_row(_text(row.variant), *map(_operation, row.cells)))
    return [*lines, ""]


def _operation(cell: Operation) -> str:
    if not cell.rate.interval:
        return cell.rate.text
    added = cell.added.replace("$", "USD ")
    return f"{cell.rate.text} ({cell.rate.interval}){added and f'; {added}'}"


def _tool_lines(view: View) -> list[str]:
    if not view.tools:
        return []
    lines = [
        "#### Calls of tools",
        _row("variant", "tool", "calls", "failed", "p50 / p95"),
        _row(*["---"] * 5),
    ]
    for row in view.tools[:_MAX_TOOLS]:
        failed = f"{row.n_errors} ({_text(row.kinds)})" if row.kinds else row.n_errors
        times = f"{row.p50.text} / {row.p95.text}"
        lines.append(_row(_text(row.variant), _text(row.tool), row.calls, failed, times))
    if len(view.tools) > _MAX_TOOLS:
        lines += ["", f"… and {len(view.tools) - _MAX_TOOLS} more in the report."]
    return [*lines, ""]


def _route_lines(view: View) -> list[str]:
    if not view.routes:
        return []
    lines = [
        "#### Routes",
        _row("variant", "to", "rule", "share", "p50", "mean cost"),
        _row(*["---"] * 6),
    ]
    for row in view.routes[:_MAX_ROUTES]:
        share = f"{row.share.text} ({row.share.interval})"
        cost = row.cost.text.replace("$", "USD ")
        rule = _text(row.rule) or "-"
        lines.append(_row(_text(row.variant), _text(row.to), rule, share, row.p50.text, cost))
    if len(view.routes) > _MAX_ROUTES:
        lines += ["", f"… and {len(view.routes) - _MAX_ROUTES} more in the report."]
    return [*lines, ""]


def _token_lines(view: View) -> list[str]:
    if not view.tokens:
        return []
    lines = [
        "#### Tokens per request",
        _row("variant", "prompt", "cached", "completion", "prompt tokens saved per call"),
        _row(*["---"] * 5),
    ]
    for row in view.tokens[:_MAX_VARIANTS]:
        saved = f"{row.saved_per_call.spoken}{_aside(row.confounded)}"
        lines.append(
            _row(
                _text(row.variant),
                row.prompt.text,
                row.cached.text,
                row.completion.text,
                "baseline" if row.is_baseline else saved,
            )
        )
    return [*lines, ""]


def _stage_lines(view: View) -> list[str]:
    """A line per stage with every variant's p50 / p95 and share of its time."""
    if not view.stages:
        return []
    shown = view.variants[:_MAX_VARIANTS]
    lines = [
        "#### Stages (p50 / p95, share of the time)",
        _row("stage", *(_text(row.id) for row in shown)),
        _row(*["---"] * (1 + len(shown))),
    ]
    lines += [_row(*line) for line in stage_table(view.stages, [row.index for row in shown])]
    return [*lines, ""]


def _aside(confounded: str) -> str:
    return f" {CONFOUNDED} {_text(confounded, 400)}" if confounded else ""


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
