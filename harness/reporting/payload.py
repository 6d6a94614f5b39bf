"""The examples as the page carries them: an index, and chunks that are unpacked on demand.

Every block is JSON, gzip, base64, so no text of a model ever stands in the page's markup.
The index is small and opens at once: per example its id, the beginning of its input, its slices,
status and scores. A chunk holds two lines per example: texts (which full-text search reads), and
facts. Both are read back by `assets/js/store.js`; the order of their fields is the contract.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, groupby
from typing import Any

import numpy as np

from harness.core.comparison import Comparison
from harness.core.example import ALL, Example, slice_members
from harness.core.example_values import ExampleValues, example_values, signs
from harness.core.record import Answer, Failure, Record, Status
from harness.core.run import RunData
from harness.core.score import FloatArray, MetricScores
from harness.core.values import JsonValue, ToolCall, as_text
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.pair_view import slice_ids
from harness.reporting.steps import TraceBlocks
from harness.reporting.text import one_line

_PREVIEW = 140
_CHUNK_EXAMPLES = 100
_CHUNK_CHARACTERS = 2_000_000
_STATUS = {Status.OK: 0, Status.SYSTEM_FAILURE: 1, Status.INFRASTRUCTURE_FAILURE: 2}


def pack(text: str) -> str:
    """`text` as base64 of gzip of UTF-8. Level 5 is a third faster than 6 for 2 % more."""
    return base64.b64encode(gzip.compress(text.encode("utf-8"), compresslevel=5, mtime=0)).decode(
        "ascii"
    )


def dump(value: JsonValue) -> str:
    """`value` as JSON in one line; lone surrogates, which UTF-8 cannot hold, as escapes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


@dataclass
class Carried:
    """What is known when all chunks have been made: each one's first example, and the statuses.

    Of every example, its variants (as the comparison lists them) with their worst status.
    """

    starts: list[int] = field(default_factory=list)
    worst: list[dict[int, int]] = field(default_factory=list)


def index(run: RunData, carried: Carried) -> dict[str, JsonValue]:
    """The index, in columns over examples in the run's order."""
    comparison = run.comparison
    members = slice_members([example.slices for example in run.examples])
    shown = _variant_axis(comparison, run.scores.variants)
    values = _example_values(run)
    return {
        "variants": [one_line(variant.id) for variant in comparison.variants],
        "baseline": [v.id for v in comparison.variants].index(comparison.baseline),
        "metrics": [_metric(run, metric.id) for metric in comparison.metrics],
        "primary": _primary(comparison),
        "slices": [one_line(s) for s in slice_ids(comparison)],
        "members": [None if s == ALL else list(members.get(s, ())) for s in slice_ids(comparison)],
        "ids": [one_line(example.id, 200) for example in run.examples],
        "previews": [_preview(example) for example in run.examples],
        "repeats": run.scores.n_repeats,
        "status": _statuses(run, carried.worst),
        "values": [_values(run, values.get(metric.id), shown) for metric in comparison.metrics],
        "chunks": list(carried.starts),
        **_confounded(comparison),
    }


def _confounded(comparison: Comparison) -> dict[str, JsonValue]:
    """`confounded`: variant, variant, what they differ in and why; absent where none is."""
    if not comparison.confounded:
        return {}
    place = {variant.id: i for i, variant in enumerate(comparison.variants)}
    figures = Figures(comparison)
    return {
        "confounded": [
            [place[c.candidate], place[c.baseline], figures.confounded(c.candidate, c.baseline)]
            for c in comparison.confounded
        ]
    }


def chunks(run: RunData, carried: Carried) -> Iterator[str]:
    """The chunks' texts one by one; `carried` is told of each."""
    variants = {variant.id: i for i, variant in enumerate(run.comparison.variants)}
    table = {variant: i for i, variant in enumerate(run.scores.variants)}
    columns = [_metric_columns(run, metric.id) for metric in run.comparison.metrics]
    rows = {example_id: i for i, example_id in enumerate(run.scores.example_ids)}
    lines: list[str] = []
    size, first = 0, 0
    blocks = TraceBlocks()
    for position, (example, records) in enumerate(_by_example(run)):
        row = rows.get(example.id)
        carried.worst.append(_worst(records, variants))
        scored = [
            [] if row is None else _scores(columns, table.get(r.variant), row, r.repeat)
            for r in records
        ]
        texts = dump(_texts(example, records, scored))
        facts = _facts(example, records, variants, scored)
        size += len(texts) + _add_traces(facts[-1], example, records, blocks)
        lines += (texts, dump(facts))
        if len(lines) >= 2 * _CHUNK_EXAMPLES or size >= _CHUNK_CHARACTERS:
            carried.starts.append(first)
            yield "\n".join(lines)
            lines, size, first = [], 0, position + 1
    if lines:
        carried.starts.append(first)
        yield "\n".join(lines)


def _texts(
    example: Example, records: Sequence[Record], scored: Sequence[list[tuple[Any, str]]]
) -> list[JsonValue]:
    """What full-text search reads."""
    return [
        example.id,
        example.input,
        example.target,
        [_said(record) for record in records],
        [[note for _, note in scores] for scores in scored],
    ]


def _said(record: Record) -> JsonValue:
    """Output, calls and evidence of an answer; kind and message before them of a failure."""
    evidence = None if record.evidence is None else list(record.evidence)
    did = [_calls(record.tool_calls), evidence]
    match record.outcome:
        case Answer(output):
            return [output, *did]
        case Failure(_, kind, message):
            return [kind, message] if did == [None, None] else [kind, message, *did]


def _facts(
    example: Example,
    records: Sequence[Record],
    variants: dict[str, int],
    scored: Sequence[list[tuple[Any, str]]],
) -> list[JsonValue]:
    return [
        [one_line(f"{name}={value}") for name, value in example.slices.items()],
        example.cluster,
        None if example.evidence is None else list(example.evidence),
        _calls(example.tool_calls),
        example.abstain,
        dict(example.metadata) or None,
        [
            [
                variants[record.variant],
                record.repeat,
                _STATUS[record.status],
                _took(record),
                [value for value, _ in scores],
                dict(record.metadata) or None,
            ]
            for record, scores in zip(records, scored, strict=True)
        ],
    ]


def _add_traces(
    trials: list[list[JsonValue]],
    example: Example,
    records: Sequence[Record],
    blocks: TraceBlocks,
) -> int:
    """Add each live trial's trace behind its facts; returns how much text they hold."""
    size = 0
    for trial, record in zip(trials, records, strict=True):
        if record.trace is not None:
            trace, characters = blocks.of(record.trace, example.evidence or ())
            trial.append(trace)
            size += characters
    return size


def _took(record: Record) -> str:
    """Time, cost and tokens of a trial; what is unknown is not mentioned."""
    usage = record.usage
    parts = [
        "" if record.latency_s is None else formats.seconds(record.latency_s),
        "" if record.cost_usd is None else formats.dollars(record.cost_usd),
        "" if usage.prompt_tokens is None else f"{usage.prompt_tokens:,} tokens in",
        "" if usage.cached_prompt_tokens is None else f"{usage.cached_prompt_tokens:,} cached",
        "" if usage.completion_tokens is None else f"{usage.completion_tokens:,} out",
        record.path.value,
    ]
    return " · ".join(part for part in parts if part)


def _calls(calls: tuple[ToolCall, ...] | None) -> JsonValue:
    return None if calls is None else [[call.name, dict(call.arguments)] for call in calls]


def _scores(
    columns: Sequence[MetricScores | None], variant: int | None, row: int, repeat: int
) -> list[tuple[Any, str]]:
    """(written value or None, explanation or reason) per metric."""
    result: list[tuple[Any, str]] = []
    for scores in columns:
        if scores is None or variant is None or repeat >= scores.value.shape[2]:
            result.append((None, ""))
            continue
        where = (variant, row, repeat)
        reason = int(scores.reason[where])
        if reason:
            result.append((None, scores.reasons[reason - 1].reason))
        else:
            result.append((_written(float(scores.value[where])), scores.explanation.get(where, "")))
    return result


@lru_cache(maxsize=4096)
def _written(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else formats.number(value)


def _by_example(run: RunData) -> Iterator[tuple[Example, list[Record]]]:
    """Each example with its records, by variant as the comparison lists them, then repeat."""
    order = {variant.id: i for i, variant in enumerate(run.comparison.variants)}
    ids = {example.id for example in run.examples}
    shown = (r for r in run.records if r.variant in order and r.example_id in ids)
    grouped = groupby(shown, key=lambda record: record.example_id)
    ahead = next(grouped, None)
    for example in run.examples:  # in the order of the records; some may have none
        records: list[Record] = []
        if ahead is not None and ahead[0] == example.id:
            records = sorted(ahead[1], key=lambda record: (order[record.variant], record.repeat))
            ahead = next(grouped, None)
        yield example, records


def _metric_columns(run: RunData, metric_id: str) -> MetricScores | None:
    return next((s for s in run.scores.metrics if s.metric.id == metric_id), None)


def _metric(run: RunData, metric_id: str) -> JsonValue:
    metric = next(m for m in run.comparison.metrics if m.id == metric_id)
    return {"id": one_line(metric.id), "up": metric.higher_is_better, "binary": metric.binary}


def _primary(comparison: Comparison) -> int:
    ids = [metric.id for metric in comparison.metrics]
    head = comparison.conclusion.metric
    return ids.index(head) if head in ids else 0


def _preview(example: Example) -> str:
    """The beginning of the input; of a record, its values without their names."""
    value = example.input
    parts = value.values() if isinstance(value, dict) else (value,)
    return one_line(" · ".join(as_text(part)[: 4 * _PREVIEW] for part in parts), _PREVIEW)


def _worst(records: Sequence[Record], variants: dict[str, int]) -> dict[int, int]:
    """The worst status of each variant's records."""
    found: dict[int, int] = {}
    for record in records:
        variant = variants[record.variant]
        found[variant] = max(found.get(variant, 0), _STATUS[record.status])
    return found


def _statuses(run: RunData, worst: Sequence[dict[int, int]]) -> list[str]:
    """A string per variant with the worst status of each example, `-` where nothing ran."""
    return [
        "".join("-012"[example.get(variant, -1) + 1] for example in worst)
        for variant in range(len(run.comparison.variants))
    ]


def _variant_axis(comparison: Comparison, table: Sequence[str]) -> list[int]:
    return [
        table.index(variant.id) if variant.id in table else -1 for variant in comparison.variants
    ]


def _example_values(run: RunData) -> dict[str, ExampleValues]:
    """Every metric's values as the comparison counts them, those derived from repeats included."""
    return {
        values.metric.id: values
        for scores in run.scores.metrics
        for values in example_values(scores)
    }


def _values(run: RunData, values: ExampleValues | None, shown: Sequence[int]) -> JsonValue:
    """Per variant and example its value; null without a score, false with nothing to count."""
    if values is None:
        return [[None] * len(run.examples) for _ in shown]
    shortened = _shortened(values)
    distinct, places = np.unique(shortened, return_inverse=True)
    numbers = [int(v) if v.is_integer() else v for v in distinct.tolist()]
    written = np.array(numbers, dtype=object)[places.reshape(shortened.shape)]
    written[~values.counted] = False
    written[~(values.scored & values.applicable)] = None
    padded = np.full((written.shape[0] + 1, written.shape[1] + 1), None, dtype=object)
    padded[:-1, :-1] = written
    rows = {example_id: i for i, example_id in enumerate(run.scores.example_ids)}
    order = [rows.get(example.id, -1) for example in run.examples]
    lines: list[JsonValue] = padded[np.ix_(list(shown), order)].tolist()
    return lines


def _shortened(values: ExampleValues) -> FloatArray:
    """Six significant digits, and all of them on examples where fewer would turn a win or a tie."""
    distinct, places = np.unique(values.value, return_inverse=True)
    short = np.array([v if v.is_integer() else float(f"{v:.6g}") for v in distinct.tolist()])
    result: FloatArray = short[places.reshape(values.value.shape)]
    for first, second in combinations(range(len(result)), 2):
        exact = _signs(values, values.value, first, second)
        turned = exact != _signs(values, result, first, second)
        result[:, turned] = values.value[:, turned]
    return result


def _signs(values: ExampleValues, table: FloatArray, first: int, second: int) -> FloatArray:
    return signs(values.metric, table[first] - table[second], values.scored[first])
