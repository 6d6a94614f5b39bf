"""What live variants did on the way: operation, stages, tokens, confounded pairs, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.core.comparison import OperationEstimate, TokenEstimate, TokenSaving
from harness.core.example import ALL
from harness.core.record import Stage
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.formats import Scale
from harness.reporting.parts import (
    ConfoundedRow,
    Operation,
    OperationRow,
    Quantity,
    StageRow,
    TokenRow,
)
from harness.reporting.text import one_line

OPERATIONS = {
    "rejection_rate": "rejected",
    "schema_failure_rate": "schema failure",
    "repair_rate": "repaired",
    "fallback_rate": "fell back",
    "retry_rate": "retried",
}
"""The heads of the table, by quantity."""


def confounded_rows(figures: Figures) -> tuple[ConfoundedRow, ...]:
    """Every confounded pair with its reason."""
    return tuple(
        ConfoundedRow(
            one_line(pair.candidate),
            one_line(pair.baseline),
            figures.confounded(pair.candidate, pair.baseline),
        )
        for pair in figures.comparison.confounded
    )


def operation_rows(figures: Figures) -> tuple[OperationRow, ...]:
    """A row per live variant over all examples; None where nothing of the kind can happen."""
    found: dict[tuple[str, str], OperationEstimate] = {
        (entry.variant, entry.quantity): entry
        for entry in figures.comparison.operations
        if entry.slice == ALL
    }
    live = {variant for variant, _ in found}
    return tuple(
        OperationRow(
            index,
            one_line(variant),
            tuple(_operation(found.get((variant, quantity))) for quantity in OPERATIONS),
        )
        for index, variant in enumerate(figures.variants)
        if variant in live
    )


def stage_rows(figures: Figures) -> tuple[StageRow, ...]:
    """A row per variant and stage, in the order in which a trial goes through them."""
    return tuple(
        StageRow(
            index=figures.variants.index(entry.variant),
            variant=one_line(entry.variant),
            stage=entry.stage.value,
            path=entry.path,
            n=formats.count(entry.n),
            p50=_steady(time_quantity(entry.p50_s, entry.p50_ci_low_s, entry.p50_ci_high_s)),
            p95=_steady(time_quantity(entry.p95_s, entry.p95_ci_low_s, entry.p95_ci_high_s)),
            share=Quantity(_time_share(entry.time_share), value=entry.time_share),
            cost=formats.dollars(entry.mean_usd),
        )
        for entry in figures.comparison.stages
    )


def stage_table(rows: Sequence[StageRow], variants: Sequence[int]) -> list[tuple[str, ...]]:
    """A line per stage with a cell per variant: `120 ms / 480 ms (62.0%)`, a dash for no stage."""
    found = {(row.stage, row.index): row for row in rows}
    return [
        (stage, *(_stage_cell(found.get((stage, variant))) for variant in variants))
        for stage in dict.fromkeys(row.stage for row in sorted(rows, key=_order))
    ]


def token_rows(figures: Figures) -> tuple[TokenRow, ...]:
    """A row per variant whose tokens are known."""
    comparison = figures.comparison
    tokens = {(entry.variant, entry.quantity): entry for entry in comparison.tokens}
    savings = {
        (entry.candidate, entry.quantity): entry
        for entry in comparison.token_savings
        if entry.baseline == comparison.baseline
    }
    return tuple(
        TokenRow(
            index=index,
            variant=one_line(variant),
            is_baseline=variant == comparison.baseline,
            prompt=_amount(tokens.get((variant, "prompt_tokens"))),
            cached=_amount(tokens.get((variant, "cached_prompt_tokens"))),
            completion=_amount(tokens.get((variant, "completion_tokens"))),
            calls=_amount(tokens.get((variant, "model_calls"))),
            saved=_saved(savings.get((variant, "prompt_tokens_per_trial"))),
            saved_per_call=_saved(savings.get((variant, "prompt_tokens_per_call"))),
            confounded=figures.confounded(variant, comparison.baseline),
            first_token=_first_token(figures, variant),
        )
        for index, variant in enumerate(figures.variants)
        if any(name == variant for name, _ in tokens)
    )


def time_quantity(value: float | None, low: float | None, high: float | None) -> Quantity:
    """A time in seconds with its interval."""
    known = low is not None and high is not None
    interval = f"{formats.seconds(low)} to {formats.seconds(high)}" if known else ""
    return Quantity(formats.seconds(value), interval, value, low, high)


def _steady(time: Quantity) -> Quantity:
    """A time whose interval is written as the time itself stands alone."""
    alone = time.interval == f"{time.text} to {time.text}"
    return replace(time, interval="") if alone else time


def _time_share(share: float | None) -> str:
    return "under 0.1%" if share is not None and 0 < share < 0.0005 else formats.share(share)


def _order(row: StageRow) -> int:
    return list(Stage).index(Stage(row.stage))


def _stage_cell(row: StageRow | None) -> str:
    return "-" if row is None else f"{row.p50.text} / {row.p95.text} ({row.share.text})"


def _operation(entry: OperationEstimate | None) -> Operation | None:
    if entry is None:
        return None
    interval = Scale(is_share=True).interval(entry.ci_low, entry.ci_high)
    rate = Quantity(
        formats.share(entry.rate),
        interval or formats.NO_INTERVAL,
        entry.rate,
        entry.ci_low,
        entry.ci_high,
    )
    n = f"{formats.count(entry.n_affected)} of {formats.count(entry.n)}"
    return Operation(entry.quantity, OPERATIONS[entry.quantity], rate, n, _added(entry))


def _added(entry: OperationEstimate) -> str:
    """What it added: `120 ms and $0.0001 per request, 1.2 s and $0.001 where it happened`."""
    if not entry.n_affected or entry.quantity in ("rejection_rate", "schema_failure_rate"):
        return ""
    has_cost = entry.quantity != "retry_rate"
    mean = _both(entry.latency_s, entry.cost_usd, has_cost=has_cost)
    each = _both(entry.latency_per_affected_s, entry.cost_per_affected_usd, has_cost=has_cost)
    adds = "adds" if has_cost else "beside the latency"
    return f"{adds} {mean} per request, {each} where it happened"


def _both(latency_s: float | None, cost_usd: float | None, *, has_cost: bool) -> str:
    time = "an unknown time" if latency_s is None else formats.seconds(latency_s)
    if not has_cost:
        return time
    return f"{time} and {'an unknown cost' if cost_usd is None else formats.dollars(cost_usd)}"


def _amount(entry: TokenEstimate | None) -> Quantity:
    if entry is None:
        return Quantity()
    return _number(entry.mean, entry.ci_low, entry.ci_high)


def _saved(entry: TokenSaving | None) -> Quantity:
    if entry is None:
        return Quantity()
    return _number(entry.saved, entry.ci_low, entry.ci_high, signed=True)


def _number(
    value: float, low: float | None, high: float | None, *, signed: bool = False
) -> Quantity:
    """A mean with its interval; one that hardly varies stands alone."""
    scale = Scale(is_share=False)
    write = scale.signed if signed else scale.value
    interval = scale.interval(low, high, signed=signed) if write(low) != write(high) else ""
    return Quantity(write(value), interval, value, low, high)


def _first_token(figures: Figures, variant: str) -> tuple[Quantity, Quantity] | None:
    """p50 and p95 on the path that the variant's latency is shown for."""
    latency = figures.latency(variant)
    for entry in figures.comparison.first_token:
        if latency is not None and (entry.variant, entry.path) == (variant, latency.path):
            return (
                time_quantity(entry.p50_s, entry.p50_ci_low_s, entry.p50_ci_high_s),
                time_quantity(entry.p95_s, entry.p95_ci_low_s, entry.p95_ci_high_s),
            )
    return None
