"""The run's summary as plain text: needs no colour, and is safe whatever the data hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.run import RunData
from harness.reporting import terminal_live as live
from harness.reporting.columns import more, table, told_apart, wrapped
from harness.reporting.parts import PairRow, VariantRow, View
from harness.reporting.sentences import CONFOUNDED, Headline
from harness.reporting.terminal_judged import summary
from harness.reporting.view import build_view

_MAX_PAIRS = 20
_MAX_LOSSES = 8
_MAX_NAME = 24
"""Of either side of a pair, as far as that tells it from other variants."""


def render(run: RunData) -> str:
    """Verdict, variants, primary pairs, slices with a certain loss, warnings.

    Of live variants also what differs between them, and what happened on the way to the answers:
    before the verdict, because the last lines are those that stay on the screen.
    """
    view = build_view(run)
    return _joined(
        *(live.factors(view) if view.is_live else ()),
        *(live.operation(view) if view.is_live else ()),
        _said(view.headline),
        _gate(view) if view.gate else [],
        _variants(view),
        _pairs(view),
        *summary(run.comparison),
        _losses(view),
        _remarks(view),
    )


def render_gate(run: RunData) -> str:
    """The gate's outcome and its rules; the summary's verdict alone where no gate has run."""
    view = build_view(run)
    if view.gate is None:
        return _joined(_said(view.headline))
    return _joined(_said(view.gate.headline), _rules(view), _needed(view), [view.gate.note])


def _joined(*blocks: Sequence[str]) -> str:
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _said(headline: Headline) -> list[str]:
    lines = wrapped(headline.sentence)
    for reason in headline.reasons:
        lines += wrapped(reason, first="  ", rest="  ")
    return lines


def _gate(view: View) -> list[str]:
    assert view.gate is not None  # noqa: S101 (the caller asked)
    return _said(view.gate.headline)


def _rules(view: View) -> list[str]:
    assert view.gate is not None  # noqa: S101 (the caller asked)
    rows = [
        (
            f"{row.mark.symbol} {row.mark.word}",
            row.rule,
            row.estimate,
            row.interval or "-",
            f"{row.kind} {row.limit}",
            row.n,
        )
        for row in view.gate.rules
    ]
    note = _note(view.gate.confounded)
    return table(("outcome", "rule", "estimate", "interval", "limit", "n"), rows) + note


def _needed(view: View) -> list[str]:
    assert view.gate is not None  # noqa: S101 (the caller asked)
    lines = []
    for row in view.gate.rules:
        if row.needed:
            lines += wrapped(f"{row.rule}: {row.needed}", first="- ", rest="  ")
    return lines


def _variants(view: View) -> list[str]:
    heads = ("variant", view.metric, "difference", "p50", "p95", "cost/request", "failures")
    rows = [_variant(row) for row in view.variants]
    if len(view.variants) == 1:
        lines = table((*heads[:2], *heads[3:]), [(*row[:2], *row[3:]) for row in rows])
        return lines + (wrapped(view.spent) if view.spent else [])
    notes = [_note(row.difference.confounded) if row.difference else [] for row in view.variants]
    return table(heads, rows, notes) + (wrapped(view.spent) if view.spent else [])


def _variant(row: VariantRow) -> tuple[str, ...]:
    pair = row.difference
    difference = "baseline" if row.is_baseline else "unknown"
    if pair is not None:
        difference = f"{pair.mark.symbol} {pair.difference.text}"
    failures = row.system_failures
    if row.infrastructure_failures != "0":
        failures += f" (+{row.infrastructure_failures} infrastructure)"
    quality = f"{row.quality.text} [{row.quality.interval}]"
    return (
        row.id,
        quality if row.quality.interval else row.quality.text,
        difference,
        row.p50.text,
        row.p95.text,
        row.cost.text,
        failures,
    )


def _pairs(view: View) -> list[str]:
    primary = [pair for pair in view.pairs if pair.is_primary]
    if not primary:
        return []
    heads = ("primary figure", "candidate - baseline", "difference", "interval", "p", "finding")
    names = told_apart([row.id for row in view.variants], _MAX_NAME)
    rows = [_pair(pair, names) for pair in primary[:_MAX_PAIRS]]
    notes = [_note(pair.confounded) for pair in primary[:_MAX_PAIRS]]
    widest = max(len(row[1]) for row in rows)
    return table(heads, rows, notes, max(widest, _MAX_NAME)) + more(len(primary) - _MAX_PAIRS)


def _pair(pair: PairRow, names: Mapping[str, str]) -> tuple[str, ...]:
    figure = pair.metric if pair.slice == "all" else f"{pair.metric} in {pair.slice}"
    return (
        figure,
        f"{names[pair.candidate]} - {names[pair.baseline]}",
        pair.difference.text,
        pair.signed_interval or "-",
        pair.p.removeprefix("p = ").removeprefix("p "),
        f"{pair.mark.symbol} {pair.mark.word}",
    )


def _losses(view: View) -> list[str]:
    lost = [pair for pair in view.slice_losses if pair.slice != "all"]
    if not lost:
        return []
    rows = [
        (pair.slice, pair.metric, pair.candidate, pair.difference.text, pair.signed_interval)
        for pair in lost[:_MAX_LOSSES]
    ]
    heads = ("slice with a certain loss", "metric", "candidate", "difference", "interval")
    notes = [_note(pair.confounded) for pair in lost[:_MAX_LOSSES]]
    return table(heads, rows, notes) + more(len(lost) - _MAX_LOSSES)


def _note(confounded: str) -> list[str]:
    """The line under a figure of a confounded pair."""
    if not confounded:
        return []
    return wrapped(confounded, first=f"  {CONFOUNDED} ", rest="    ")


def _remarks(view: View) -> list[str]:
    lines = []
    for warning in view.warnings:
        lines += wrapped(warning, first="! ", rest="  ")
    for note in view.notes:
        lines += wrapped(note, first="- ", rest="  ")
    return lines
