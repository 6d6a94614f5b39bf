"""The view of a run: every figure formatted and every wording decided, once, for all renderings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.core.comparison import LatencyEstimate, VariantSummary
from harness.core.example import ALL
from harness.core.record import AnswerPath
from harness.core.run import RunData
from harness.core.values import JsonValue, as_text
from harness.reporting import formats
from harness.reporting.factor_view import differing, factor_rows, owning_rows
from harness.reporting.figures import Figures
from harness.reporting.gate_view import gate_view
from harness.reporting.live_view import (
    confounded_rows,
    route_rows,
    stage_rows,
    time_quantity,
    token_rows,
    tool_rows,
)
from harness.reporting.notes import notes
from harness.reporting.operation_view import operation_rows
from harness.reporting.pair_view import Links, pair_row
from harness.reporting.parts import (
    DriftRow,
    LatencyRow,
    MetricRow,
    Quantity,
    VariantRow,
    View,
)
from harness.reporting.sentences import conclude
from harness.reporting.slice_view import (
    class_views,
    loss_rows,
    slice_losses,
    slice_matrices,
    win_rate_matrices,
)
from harness.reporting.text import one_line


def build_view(run: RunData) -> View:
    """All that a rendering of `run` shows."""
    figures = Figures(run.comparison)
    links = Links(run.comparison)
    comparison = run.comparison
    metric = figures.metric_ids[0] if figures.metric_ids else ""
    factors = tuple(factor_rows(figures))
    operation_heads, operations = operation_rows(figures)
    return View(
        title=one_line(run.manifest.get("name") or comparison.evalset.name),
        run_id=one_line(comparison.run_id),
        facts=_facts(run),
        headline=conclude(figures),
        gate=gate_view(run.verdict, figures) if run.verdict else None,
        warnings=tuple(one_line(warning, 600) for warning in comparison.warnings),
        notes=tuple(notes(figures, run.scores)),
        spent=_spent(run.manifest),
        confidence=f"{100 * comparison.settings.confidence:g}%",
        baseline=one_line(comparison.baseline),
        metric=f"{one_line(metric)}{_within(figures.comparison.conclusion.slice)}",
        variants=tuple(
            _variant_row(index, variant, metric, figures, links)
            for index, variant in enumerate(comparison.variants)
        ),
        metrics=tuple(_metric_row(metric_id, figures) for metric_id in figures.metric_ids),
        pairs=tuple(
            pair_row(pair, figures, links)
            for metric_id in figures.metric_ids
            for pair in comparison.pairs
            if pair.metric == metric_id and (pair.slice == ALL or pair.family == "primary")
        ),
        slice_losses=slice_losses(figures, links),
        win_rates=win_rate_matrices(figures, links),
        slices=slice_matrices(figures, links),
        losses=loss_rows(figures, links),
        latency=tuple(_latency_rows(figures)),
        drift=tuple(_drift_rows(run.manifest)),
        classes=class_views(comparison),
        is_live=figures.is_live,
        factors=factors,
        differing=differing(factors),
        owning=tuple(owning_rows(run.manifest, figures)),
        confounded=confounded_rows(figures),
        operation_heads=operation_heads,
        operations=operations,
        tools=tool_rows(figures),
        routes=route_rows(figures),
        stages=stage_rows(figures),
        tokens=token_rows(figures),
        commands=tuple(_commands(run)),
        settings=_settings(run),
        manifest=tuple(_flat(run.manifest)),
    )


def _facts(run: RunData) -> tuple[str, ...]:
    comparison = run.comparison
    facts = [
        f"{formats.plural(comparison.evalset.n_examples, 'example')} of "
        f"{one_line(comparison.evalset.name)}",
        f"frozen {one_line(comparison.evalset.sha256[:12])}",
        formats.plural(len(comparison.variants), "variant"),
    ]
    if run.scores.n_repeats > 1:
        facts.append(f"{formats.count(run.scores.n_repeats)} repeats")
    finished = run.manifest.get("finished")
    if finished:
        facts.append(_when(one_line(finished)))
    return (*facts, f"run {one_line(run.run_id)}")


def _when(iso: str) -> str:
    """A time in UTC as people write it; anything else as it stands."""
    is_utc = iso.endswith(("Z", "+00:00")) and len(iso) >= 17
    return f"{iso[:16].replace('T', ' ')} UTC" if is_utc else iso


def _variant_row(
    index: int, variant: VariantSummary, metric: str, figures: Figures, links: Links
) -> VariantRow:
    baseline = figures.comparison.baseline
    where = figures.comparison.conclusion.slice
    pair = None if variant.id == baseline else figures.pair(variant.id, baseline, metric, where)
    latency, cost = figures.latency(variant.id), figures.cost(variant.id)
    p50, p95 = _percentiles(latency)
    failures = f"{formats.count(variant.n_system_failures)} of {formats.count(variant.n_trials)}"
    return VariantRow(
        index=index,
        id=one_line(variant.id),
        label=one_line(variant.label, 200),
        is_baseline=variant.id == baseline,
        quality=_score(variant.id, metric, figures, where),
        difference=pair_row(pair, figures, links) if pair else None,
        p50=p50,
        p95=p95,
        path=latency.path if latency else "",
        cost=_money(cost.mean_usd, cost.ci_low_usd, cost.ci_high_usd) if cost else Quantity(),
        per_correct=_money(cost.per_correct_usd) if cost else Quantity(),
        total_cost=formats.dollars(cost.total_usd) if cost else formats.UNKNOWN,
        system_failures=formats.count(variant.n_system_failures),
        infrastructure_failures=formats.count(variant.n_infrastructure_failures),
        failures=failures,
    )


def _percentiles(latency: LatencyEstimate | None) -> tuple[Quantity, Quantity]:
    """A variant's p50 and p95; answers from the cache have none that anybody waited for."""
    if latency is None:
        return Quantity(), Quantity()
    if latency.path == AnswerPath.CACHED.value:
        return Quantity("cached"), Quantity("cached")
    return (
        time_quantity(latency.p50_s, latency.p50_ci_low_s, latency.p50_ci_high_s),
        time_quantity(latency.p95_s, latency.p95_ci_low_s, latency.p95_ci_high_s),
    )


def _within(slice_id: str) -> str:
    return "" if slice_id == ALL else f" in {one_line(slice_id)}"


def _score(variant: str, metric: str, figures: Figures, where: str = ALL) -> Quantity:
    score, scale = figures.score(variant, metric, where), figures.scale(metric)
    if score is None or score.mean is None:
        return Quantity()
    interval = scale.interval(score.ci_low, score.ci_high) or formats.NO_INTERVAL
    return Quantity(scale.value(score.mean), interval, score.mean, score.ci_low, score.ci_high)


def _metric_row(metric_id: str, figures: Figures) -> MetricRow:
    metric = figures.metric(metric_id)
    return MetricRow(
        metric=one_line(metric_id),
        description=one_line(metric.description, 200) if metric else "",
        direction="higher is better" if figures.up(metric_id) > 0 else "lower is better",
        is_primary=metric is not None and metric.primary,
        values=tuple(_score(variant, metric_id, figures) for variant in figures.variants),
    )


def _latency_rows(figures: Figures) -> Iterator[LatencyRow]:
    for entry in figures.comparison.latency:
        if entry.slice == ALL and entry.p50_s is not None:
            yield LatencyRow(
                index=figures.variants.index(entry.variant),
                variant=one_line(entry.variant),
                path=entry.path,
                n=formats.count(entry.n),
                p50=time_quantity(entry.p50_s, entry.p50_ci_low_s, entry.p50_ci_high_s),
                p95=time_quantity(entry.p95_s, entry.p95_ci_low_s, entry.p95_ci_high_s),
            )


def _money(value: float | None, low: float | None = None, high: float | None = None) -> Quantity:
    known = low is not None and high is not None and low != high
    interval = f"{formats.dollars(low)} to {formats.dollars(high)}" if known else ""
    return Quantity(formats.dollars(value), interval, value, low, high)


def _settings(run: RunData) -> tuple[tuple[str, str], ...]:
    settings = run.comparison.settings
    return (
        ("eval set", f"{one_line(run.comparison.evalset.name)} {run.comparison.evalset.sha256}"),
        ("baseline", one_line(run.comparison.baseline)),
        ("confidence", f"{100 * settings.confidence:g}%"),
        ("resamples", formats.count(settings.resamples)),
        ("seed", str(settings.seed)),
        ("least examples for a finding", formats.count(settings.min_examples)),
        ("coverage needed", formats.share(settings.coverage)),
        *((f"fingerprint of {one_line(v.id)}", v.fingerprint) for v in run.comparison.variants),
    )


def _commands(run: RunData) -> Iterator[str]:
    command = run.manifest.get("command")
    if isinstance(command, list):
        command = " ".join(str(word) for word in command)
    if command:
        yield one_line(command, 2000)
    name = one_line(run.run_id)
    yield f"harness report {name} --format json"
    yield f"harness show {name} EXAMPLE_ID"


def _spent(manifest: Mapping[str, JsonValue]) -> str:
    """What this run was billed, and what it was spared, where it was spared anything."""
    execution = manifest.get("execution")
    cost = execution.get("cost") if isinstance(execution, Mapping) else None
    if not isinstance(cost, Mapping):
        return ""
    spent, avoided, n_cached, n_unknown = (
        float(figure) if isinstance(figure := cost.get(key), int | float) else 0.0
        for key in ("spent_usd", "avoided_usd", "n_cached", "n_unknown")
    )
    if not n_cached:
        return ""
    unknown = f" and {formats.plural(int(n_unknown), 'call')} of unknown cost" if n_unknown else ""
    return (
        f"Spent in this run: {formats.dollars(spent)}{unknown}; avoided by "
        f"{formats.plural(int(n_cached), 'answer')} from the cache: {formats.dollars(avoided)}. "
        "Costs per request count both."
    )


def _drift_rows(manifest: Mapping[str, JsonValue]) -> Iterator[DriftRow]:
    """Services that a fixed request was sent to more than once."""
    execution = manifest.get("execution")
    sentinel = execution.get("sentinel") if isinstance(execution, Mapping) else None
    for route, samples in sentinel.items() if isinstance(sentinel, Mapping) else ():
        points = tuple(
            (float(sample[0]), float(sample[1]))
            for sample in (samples if isinstance(samples, list) else ())
            if isinstance(sample, list)
            and len(sample) == 2
            and all(isinstance(number, int | float) for number in sample)
        )
        if len(points) > 1:
            latencies = [latency_s for _, latency_s in points]
            least, most = formats.seconds(min(latencies)), formats.seconds(max(latencies))
            yield DriftRow(one_line(route), formats.count(len(points)), least, most, points)


def _flat(value: JsonValue, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """The manifest as lines of dotted key and value; deep or long parts stay JSON."""
    if isinstance(value, Mapping) and value and depth < 3:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key), depth + 1)
    else:
        yield one_line(path, 200), one_line(as_text(value), 4000)
