"""The run's summary as plain text: needs no colour, and is safe whatever the data hold."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from unicodedata import combining, east_asian_width

from harness.core.run import RunData
from harness.reporting.parts import PairRow, VariantRow, View
from harness.reporting.sentences import Headline
from harness.reporting.view import build_view

_WIDTH = 100
_MAX_PAIRS = 20
_MAX_LOSSES = 8
_MAX_CELL = 40


def render(run: RunData) -> str:
    """Verdict, variants, primary pairs, slices with a certain loss, warnings."""
    view = build_view(run)
    return _joined(
        _said(view.headline),
        _gate(view) if view.gate else [],
        _variants(view),
        _pairs(view),
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
    lines = _wrapped(headline.sentence)
    for reason in headline.reasons:
        lines += _wrapped(reason, first="  ", rest="  ")
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
    return _table(("outcome", "rule", "estimate", "interval", "limit", "n"), rows)


def _needed(view: View) -> list[str]:
    assert view.gate is not None  # noqa: S101 (the caller asked)
    lines = []
    for row in view.gate.rules:
        if row.needed:
            lines += _wrapped(f"{row.rule}: {row.needed}", first="- ", rest="  ")
    return lines


def _variants(view: View) -> list[str]:
    heads = ("variant", view.metric, "difference", "p50", "p95", "cost/request", "failures")
    rows = [_variant(row) for row in view.variants]
    if len(view.variants) == 1:
        return _table((*heads[:2], *heads[3:]), [(*row[:2], *row[3:]) for row in rows])
    return _table(heads, rows)


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
    rows = [_pair(pair) for pair in primary[:_MAX_PAIRS]]
    return _table(heads, rows) + _more(len(primary) - _MAX_PAIRS)


def _pair(pair: PairRow) -> tuple[str, ...]:
    figure = pair.metric if pair.slice == "all" else f"{pair.metric} in {pair.slice}"
    return (
        figure,
        f"{pair.candidate} - {pair.baseline}",
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
    return _table(heads, rows) + _more(len(lost) - _MAX_LOSSES)


def _remarks(view: View) -> list[str]:
    lines = []
    for warning in view.warnings:
        lines += _wrapped(warning, first="! ", rest="  ")
    for note in view.notes:
        lines += _wrapped(note, first="- ", rest="  ")
    return lines


def _more(hidden: int) -> list[str]:
    return [f"... and {hidden} more in the report"] if hidden > 0 else []


def _wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart, as wide as what stands in them, a rule under the head."""
    cells = [[_cut(cell) for cell in line] for line in (heads, *rows)]
    widths = [max(_width(line[i]) for line in cells) for i in range(len(heads))]
    lines = [list(_padded(line, widths)) for line in cells]
    lines.insert(1, ["-" * width for width in widths])
    return ["  ".join(line).rstrip() for line in lines]


def _padded(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for cell, width in zip(line, widths, strict=True):
        yield cell + " " * (width - _width(cell))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…"


def _width(text: str) -> int:
    """Columns that a terminal gives the text: wide characters take two, combining ones none."""
    return sum(
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
        for character in text
    )
