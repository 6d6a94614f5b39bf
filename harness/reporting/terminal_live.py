"""What only live variants have, as plain text: factors, operation, routes, tokens, stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.reporting.columns import WIDTH, folded, more, stacked, tables, wrapped
from harness.reporting.live_view import stage_table
from harness.reporting.parts import FactorRow, Operation, TokenRow, View
from harness.reporting.sentences import CONFOUNDED

_MAX_FACTORS = 15
_MAX_TOOLS = 20
_MAX_NAME = 20
_LEAST_CELL = 17
_MOST_LINES = 3


def factors(view: View) -> Iterator[list[str]]:
    """The factors that differ, variant by variant; how many are held constant; confounded pairs."""
    if view.factors or view.owning:
        varied = [row for row in view.factors if not row.is_held]
        held = len(view.factors) - len(varied)
        lines = _factor_tables(view, varied[:_MAX_FACTORS]) if varied else ["what differs: nothing"]
        lines += more(len(varied) - _MAX_FACTORS)
        yield [*lines, f"held constant: {held} {'factor' if held == 1 else 'factors'}"]
        if view.owning:
            yield _factor_tables(view, view.owning, "owning it (stated)")
    if view.confounded:
        yield [
            line
            for pair in view.confounded
            for line in wrapped(
                f"{pair.candidate} - {pair.baseline}: {pair.reason}", f"{CONFOUNDED} ", "  "
            )
        ]


def operation(view: View) -> Iterator[list[str]]:
    """Rates with intervals and what they added, tools, routes, tokens, stages."""
    if view.operations:
        rows = [(row.variant, *map(_rate, row.cells)) for row in view.operations]
        notes = [
            [line for cell in row.cells if cell.added for line in _added(cell)]
            for row in view.operations
        ]
        yield tables(("operation", *view.operation_heads), rows, notes)
    if view.tools:
        yield _tools(view)
    if view.routes:
        yield _routes(view)
    if view.tokens:
        yield _token_table(view.tokens)
    if view.stages:
        indices = [row.index for row in view.variants]
        stages = ("p50 / p95 (share)", *(row.id for row in view.variants))
        yield tables(stages, stage_table(view.stages, indices))


def _factor_tables(view: View, rows: Sequence[FactorRow], title: str = "what differs") -> list[str]:
    """Every value in full as far as three lines hold it, the variants side by side in groups."""
    name_width = min(_MAX_NAME, max(len(title), *(len(row.name) for row in rows)))
    room = WIDTH - name_width
    n_groups = -(-len(view.variants) // max(1, room // (_LEAST_CELL + 2)))
    size = -(-len(view.variants) // n_groups)
    lines: list[str] = []
    for start in range(0, len(view.variants), size):
        group = range(start, min(start + size, len(view.variants)))
        most = max(len(text) for i in group for text in (view.variants[i].id, *_of(rows, i)))
        width = min(room // len(group) - 2, most)
        widths = [name_width, *(width for _ in group)]
        heads = [[title], *(folded(view.variants[i].id, width) for i in group)]
        cells = [[folded(row.name, name_width), *_shown(row, group, width)] for row in rows]
        lines += [""] if lines else []
        lines += [*stacked([heads], widths), "  ".join("-" * w for w in widths)]
        lines += stacked(cells, widths)
    return lines


def _of(rows: Sequence[FactorRow], variant: int) -> list[str]:
    return [row.values[variant] for row in rows]


def _shown(row: FactorRow, group: range, width: int) -> list[list[str]]:
    """The values, cut after three lines, unless values that differ would look the same."""
    short = {value: folded(value, width, _MOST_LINES) for value in row.values}
    alike = len(set(map(tuple, short.values()))) < len(short)
    return [folded(row.values[i], width) if alike else short[row.values[i]] for i in group]


def _rate(cell: Operation) -> str:
    return f"{cell.rate.text} [{cell.rate.interval}]" if cell.rate.interval else cell.rate.text


def _added(cell: Operation) -> list[str]:
    return wrapped(f"{cell.name}: {cell.added}", first="  ", rest="    ")


def _tools(view: View) -> list[str]:
    rows = [
        (
            row.variant,
            row.tool,
            row.calls,
            f"{row.n_errors} ({row.kinds})" if row.kinds else row.n_errors,
            row.p50.text,
            row.p95.text,
        )
        for row in view.tools[:_MAX_TOOLS]
    ]
    heads = ("calls of tools", "tool", "calls", "failed", "p50", "p95")
    return tables(heads, rows) + more(len(view.tools) - _MAX_TOOLS)


def _routes(view: View) -> list[str]:
    rows = [
        (
            row.variant,
            row.to,
            row.rule or "-",
            f"{row.share.text} [{row.share.interval}]",
            row.n,
            row.p50.text,
            row.cost.text,
        )
        for row in view.routes
    ]
    return tables(("routes", "to", "rule", "share", "n", "p50", "mean cost"), rows)


def _token_table(rows: Sequence[TokenRow]) -> list[str]:
    """Columns that are known of no variant are left out."""
    reasons = any(row.reasoning.value for row in rows)
    starts = any(row.first_token for row in rows)
    heads = ["tokens per request", "prompt", "cached", "completion"]
    heads += ["reasoning"] * reasons + ["saved per call"] + ["first token p50 / p95"] * starts
    cells = []
    for row in rows:
        saved = row.saved_per_call.text
        if row.saved_per_call.interval:
            saved += f" [{row.saved_per_call.interval}]"
        first = " / ".join(time.text for time in row.first_token) if row.first_token else "unknown"
        cells.append(
            (
                row.variant,
                row.prompt.text,
                row.cached.text,
                row.completion.text,
                *[row.reasoning.text] * reasons,
                "baseline" if row.is_baseline else saved,
                *[first] * starts,
            )
        )
    return tables(heads, cells, [_confounded(row) for row in rows])


def _confounded(row: TokenRow) -> list[str]:
    if row.is_baseline or not row.confounded:
        return []
    return wrapped(row.confounded, first=f"  {CONFOUNDED} ", rest="    ")
