"""Where routers sent their trials: shares, and what the trials of each target took."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.comparison.operations import ANSWERED, flat
from harness.comparison.stages import LIVE_FIRST, on_path
from harness.comparison.subject import Subject
from harness.core.example import ALL
from harness.core.operations import RouteEstimate
from harness.core.score import BoolArray, OperationsTable
from harness.statistics.estimates import mean_estimate


def route_estimates(subject: Subject) -> list[RouteEstimate]:
    """An entry per variant with a router and target, over all examples, the largest share first.

    Failures of the infrastructure are left out, as in rates; trials on which the router did not
    come to a decision too.
    """
    table = subject.trials.operations
    if table is None:
        return []
    return [
        estimate
        for variant in range(len(subject.variants))
        for estimate in sorted(_of_variant(subject, table, variant), key=lambda r: (-r.n, r.to))
    ]


def _of_variant(subject: Subject, table: OperationsTable, variant: int) -> Iterator[RouteEstimate]:
    decided = (table.route >= 0) & np.isin(subject.trials.status, ANSWERED)
    rules: dict[str, list[str | None]] = {}
    for code in np.unique(table.route[variant][decided[variant]]):
        to, rule = table.routes[code]
        rules.setdefault(to, []).append(rule)
    for to, led in rules.items():
        codes = [code for code, (target, _) in enumerate(table.routes) if target == to]
        chosen = decided & np.isin(table.route, codes)
        what = variant, to, led[0] if len(led) == 1 else None
        yield _estimate(subject, what, decided, chosen)


def _estimate(
    subject: Subject, what: tuple[int, str, str | None], decided: BoolArray, chosen: BoolArray
) -> RouteEstimate:
    variant, to, rule = what
    rows = subject.slices[ALL]
    shares, clusters = flat(subject, chosen.astype(np.float64), decided, variant, rows)
    share = mean_estimate(
        shares, clusters, (0.0, 1.0), subject.analysis.confidence, binary=clusters is None
    )
    trials = subject.trials
    timed = chosen & np.isfinite(trials.latency_s)
    path = next((p for p in LIVE_FIRST if (timed & on_path(subject, p))[variant].any()), None)
    p50 = None
    if path is not None:
        p50 = float(np.median(trials.latency_s[variant][(timed & on_path(subject, path))[variant]]))
    costs = trials.cost_usd[variant][chosen[variant]]
    return RouteEstimate(
        variant=subject.variants[variant].id,
        to=to,
        rule=rule,
        n=int(shares.sum()),
        share=share.value,
        ci_low=share.low,
        ci_high=share.high,
        path=path.value if path else None,
        p50_s=p50,
        mean_usd=float(costs.mean()) if np.isfinite(costs).all() else None,
    )
