"""What only live variants have, as plain text: factors, operation, tokens, stages."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reporting.columns import WIDTH, more, table, wrapped
from harness.reporting.live_view import OPERATIONS, stage_table
from harness.reporting.parts import Operation, TokenRow, View
from harness.reporting.sentences import CONFOUNDED

_MAX_FACTORS = 15
_LEAST_CELL = 14


def factors(view: View) -> Iterator[list[str]]:
    """The factors that differ, variant by variant; how many are held constant; confounded pairs."""
    if view.factors:
        varied = [row for row in view.factors if not row.is_held]
        heads = ("what differs", *(row.id for row in view.variants))
        widest = max(_LEAST_CELL, WIDTH // len(heads) - 2)
        rows = [
            (row.name, *(_both_ends(value, widest) for value in row.values))
            for row in varied[:_MAX_FACTORS]
        ]
        lines = table(heads, rows, widest=widest) if rows else ["what differs: nothing"]
        held = len(view.factors) - len(varied)
        lines += more(len(varied) - _MAX_FACTORS)
        yield [*lines, f"held constant: {held} {'factor' if held == 1 else 'factors'}"]
    if view.confounded:
        yield [
            line
            for pair in view.confounded
            for line in wrapped(
                f"{pair.candidate} - {pair.baseline}: {pair.reason}", f"{CONFOUNDED} ", "  "
            )
        ]


def operation(view: View) -> Iterator[list[str]]:
    """Rates with intervals and what they added, tokens, stages."""
    if view.operations:
        rows = [(row.variant, *map(_rate, row.cells)) for row in view.operations]
        notes = [
            [line for cell in row.cells if cell and cell.added for line in _added(cell)]
            for row in view.operations
        ]
        yield table(("operation", *OPERATIONS.values()), rows, notes)
    if view.tokens:
        heads = ("tokens per request", "prompt", "cached", "completion", "saved per call")
        rows = [(row.variant, *_tokens(row)) for row in view.tokens]
        yield table(heads, rows, [_confounded(row) for row in view.tokens])
    if view.stages:
        indices = [row.index for row in view.variants]
        stages = ("p50 / p95 (share)", *(row.id for row in view.variants))
        yield table(stages, stage_table(view.stages, indices))


def _both_ends(value: str, widest: int) -> str:
    """A long value without its middle: values that differ often do so at their end."""
    if len(value) <= widest:
        return value
    end = widest // 2
    return f"{value[: widest - end - 1]}…{value[-end:]}"


def _rate(cell: Operation | None) -> str:
    return "not checked" if cell is None else f"{cell.rate.text} [{cell.rate.interval}]"


def _added(cell: Operation) -> list[str]:
    return wrapped(f"{cell.name}: {cell.added}", first="  ", rest="    ")


def _tokens(row: TokenRow) -> tuple[str, ...]:
    saved = row.saved_per_call.text
    if row.saved_per_call.interval:
        saved += f" [{row.saved_per_call.interval}]"
    return (
        row.prompt.text,
        row.cached.text,
        row.completion.text,
        "baseline" if row.is_baseline else saved,
    )


def _confounded(row: TokenRow) -> list[str]:
    if row.is_baseline or not row.confounded:
        return []
    return wrapped(row.confounded, first=f"  {CONFOUNDED} ", rest="    ")
