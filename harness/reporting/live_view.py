"""What live variants took on the way: stages, tokens, tools, routes, confounded pairs, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.core.operations import TokenEstimate, TokenSaving
from harness.core.record import Stage
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.formats import Scale
from harness.reporting.parts import (
    ConfoundedRow,
    Quantity,
    RouteRow,
    StageRow,
    TokenRow,
    ToolRow,
)
from harness.reporting.text import one_line

_TARGETS = {"self": "itself", "answer": "a fixed answer"}
"""Targets of routes that are no other variant."""


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
            reasoning=_amount(tokens.get((variant, "reasoning_tokens"))),
            calls=_amount(tokens.get((variant, "model_calls"))),
            saved=_saved(savings.get((variant, "prompt_tokens_per_trial"))),
            saved_per_call=_saved(savings.get((variant, "prompt_tokens_per_call"))),
            confounded=figures.confounded(variant, comparison.baseline),
            first_token=_first_token(figures, variant),
        )
        for index, variant in enumerate(figures.variants)
        if any(name == variant for name, _ in tokens)
    )


def tool_rows(figures: Figures) -> tuple[ToolRow, ...]:
    """A row per variant and tool that was called."""
    return tuple(
        ToolRow(
            index=figures.variants.index(entry.variant),
            variant=one_line(entry.variant),
            tool=one_line(entry.tool),
            calls=formats.count(entry.n_calls),
            errors=Quantity(
                formats.share(entry.n_errors / entry.n_calls),
                value=entry.n_errors / entry.n_calls,
            ),
            n_errors=formats.count(entry.n_errors),
            kinds=_kinds(entry.error_kinds),
            p50=time_quantity(entry.p50_s, None, None),
            p95=time_quantity(entry.p95_s, None, None),
        )
        for entry in figures.comparison.tools
    )


def route_rows(figures: Figures) -> tuple[RouteRow, ...]:
    """A row per variant with a router and target that trials were sent to."""
    routes = figures.comparison.routes
    routed = {v: sum(entry.n for entry in routes if entry.variant == v) for v in figures.variants}
    return tuple(
        RouteRow(
            index=figures.variants.index(entry.variant),
            variant=one_line(entry.variant),
            to=_TARGETS.get(entry.to, one_line(entry.to)),
            rule=one_line(entry.rule or ""),
            n=f"{formats.count(entry.n)} of {formats.count(routed[entry.variant])}",
            share=share_quantity(entry.share, entry.ci_low, entry.ci_high),
            p50=time_quantity(entry.p50_s, None, None),
            cost=Quantity(formats.dollars(entry.mean_usd), value=entry.mean_usd),
        )
        for entry in routes
    )


def share_quantity(value: float, low: float | None, high: float | None) -> Quantity:
    """A share in percent with its interval."""
    interval = Scale(is_share=True).interval(low, high) or formats.NO_INTERVAL
    return Quantity(formats.share(value), interval, value, low, high)


def time_quantity(value: float | None, low: float | None, high: float | None) -> Quantity:
    """A time in seconds with its interval."""
    known = low is not None and high is not None
    interval = f"{formats.seconds(low)} to {formats.seconds(high)}" if known else ""
    return Quantity(formats.seconds(value), interval, value, low, high)


def _steady(time: Quantity) -> Quantity:
    """A time whose interval is written as the time itself stands alone."""
    alone = time.interval == f"{time.text} to {time.text}"
    return replace(time, interval="") if alone else time


def _kinds(errors: Mapping[str, int]) -> str:
    """`timeout 20, raised 4`, the most frequent first."""
    ordered = sorted(errors.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{one_line(kind, 40)} {formats.count(n)}" for kind, n in ordered)


def _time_share(share: float | None) -> str:
    return "under 0.1%" if share is not None and 0 < share < 0.0005 else formats.share(share)


def _order(row: StageRow) -> int:
    return list(Stage).index(Stage(row.stage))


def _stage_cell(row: StageRow | None) -> str:
    return "-" if row is None else f"{row.p50.text} / {row.p95.text} ({row.share.text})"


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
