"""A score table as Parquet and back: a row per trial and metric, a row group per metric.

Rows stand in the order (metric, variant, example, repeat). The axes, and what is true of a whole
metric (its direction, its bounds, its classes), stand in the file's metadata: `harness.scores`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.core.score import (
    Aggregate,
    FloatArray,
    IntArray,
    Metric,
    MetricScores,
    ScoreTable,
    Unscored,
)
from harness.storage import columns
from harness.storage.text import json_text, utf8

_META = b"harness.scores"
_KINDS_OF_REASON = (Unscored("no score"), Unscored("does not apply", applicable=False))
_NAMES = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        ("variant", _NAMES),
        ("example_id", _NAMES),
        ("repeat", pa.int32()),
        ("metric", _NAMES),
        ("value", pa.float64()),
        ("weight", pa.float64()),
        ("unscored_reason", _NAMES),
        ("applicable", pa.bool_()),
        ("expected", _NAMES),
        ("predicted", _NAMES),
        ("explanation", pa.string()),
    ]
)


def write_scores(path: Path, table: ScoreTable, *, texts: bool = True) -> None:
    """Write `table`.

    Without `texts` (for a baseline) explanations are left out, and reasons say only whether the
    metric applies, because both can quote answers.
    """
    table = table if texts else _without_texts(table)
    schema = _SCHEMA.with_metadata({_META: json_text(_axes(table)).encode()})
    axes = _axis_columns(table)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for scores in table.metrics:
            named = {**axes, **_metric_columns(scores)}
            arrays = [named[name] for name in schema.names]
            rows = pa.Table.from_arrays(arrays, schema=schema)
            writer.write_table(rows, row_group_size=max(1, len(rows)))


def read_scores(path: Path) -> ScoreTable:
    """The score table that `write_scores` wrote."""
    with pq.ParquetFile(path) as file:
        axes = json.loads(file.schema_arrow.metadata[_META])
        shape = (len(axes["variants"]), len(axes["example_ids"]), axes["n_repeats"])
        size = int(np.prod(shape))
        metrics = [
            _metric_scores(facts, file.read_row_group(index) if size else None, shape)
            for index, facts in enumerate(axes["metrics"])
        ]
    return ScoreTable(
        variants=tuple(axes["variants"]),
        example_ids=tuple(axes["example_ids"]),
        n_repeats=axes["n_repeats"],
        metrics=tuple(metrics),
    )


def _axes(table: ScoreTable) -> dict[str, Any]:
    return {
        "variants": [utf8(variant) for variant in table.variants],
        "example_ids": [utf8(example_id) for example_id in table.example_ids],
        "n_repeats": table.n_repeats,
        "metrics": [
            {
                "metric": asdict(scores.metric),
                "reasons": [[utf8(why.reason), why.applicable] for why in scores.reasons],
                "labels": [utf8(label) for label in scores.labels],
                "has_classes": scores.expected is not None,
            }
            for scores in table.metrics
        ],
    }


def _axis_columns(table: ScoreTable) -> dict[str, Any]:
    shape = (len(table.variants), len(table.example_ids), table.n_repeats)
    variant, example, repeat = (axis.ravel() for axis in np.indices(shape, dtype=np.int32))
    return {
        "variant": _names(variant, table.variants),
        "example_id": _names(example, table.example_ids),
        "repeat": columns.numbers(repeat),
    }


def _metric_columns(scores: MetricScores) -> dict[str, Any]:
    reason = scores.reason.ravel()
    n_rows = len(reason)
    unclassed = np.full(n_rows, -1, dtype=np.int32)
    expected = unclassed if scores.expected is None else scores.expected.ravel()
    predicted = unclassed if scores.predicted is None else scores.predicted.ravel()
    return {
        "metric": _names(np.zeros(n_rows, dtype=np.int32), (scores.metric.id,)),
        "value": _known(scores.value),
        "weight": _known(scores.weight),
        "unscored_reason": _names(reason - 1, tuple(why.reason for why in scores.reasons)),
        "applicable": columns.flags(scores.applicable.ravel()),
        "expected": _names(expected, scores.labels),
        "predicted": _names(predicted, scores.labels),
        "explanation": _explanations(scores),
    }


def _known(values: FloatArray) -> Any:
    """A column of numbers; NaN is null."""
    return columns.numbers(values.ravel(), ~np.isnan(values.ravel()))


def _without_texts(table: ScoreTable) -> ScoreTable:
    metrics = tuple(
        replace(
            scores,
            reason=np.where(scores.reason == 0, 0, np.where(scores.applicable, 1, 2)).astype(
                np.int32
            ),
            reasons=_KINDS_OF_REASON,
            explanation={},
        )
        for scores in table.metrics
    )
    return replace(table, metrics=metrics)


def _explanations(scores: MetricScores) -> Any:
    if not scores.explanation:
        return pa.nulls(scores.value.size, pa.string())
    texts: list[str | None] = [None] * scores.value.size
    _, n_examples, n_repeats = scores.value.shape
    for (variant, example, repeat), text in scores.explanation.items():
        texts[(variant * n_examples + example) * n_repeats + repeat] = utf8(text)
    return columns.texts(texts)


def _names(codes: IntArray, names: tuple[str, ...]) -> Any:
    """`names[code]` for each code, null for -1, held as codes."""
    codes = codes.astype(np.int32)
    return pa.DictionaryArray.from_arrays(
        columns.numbers(codes, codes >= 0),
        columns.texts([utf8(name) for name in names]),
    )


def _metric_scores(
    facts: dict[str, Any], rows: Any | None, shape: tuple[int, int, int]
) -> MetricScores:
    rows = _SCHEMA.empty_table() if rows is None else rows
    nature = facts["metric"]
    labels = tuple(facts["labels"])
    classes = facts["has_classes"]

    def numbers_of(name: str) -> Any:
        return rows.column(name).to_numpy(zero_copy_only=False).astype(np.float64).reshape(shape)

    return MetricScores(
        metric=Metric(**{**nature, "aggregate": Aggregate(nature["aggregate"])}),
        value=numbers_of("value"),
        weight=numbers_of("weight"),
        reason=_reason_codes(facts["reasons"], rows).reshape(shape),
        reasons=tuple(Unscored(text, applicable) for text, applicable in facts["reasons"]),
        explanation=_explanation_map(rows, shape),
        expected=_codes(rows, "expected", labels).reshape(shape) if classes else None,
        predicted=_codes(rows, "predicted", labels).reshape(shape) if classes else None,
        labels=labels,
    )


def _reason_codes(reasons: list[list[Any]], rows: Any) -> IntArray:
    """0 for a score, k for `reasons[k - 1]`: told apart by text and by whether it applies."""
    texts = tuple(dict.fromkeys(text for text, _ in reasons))
    codes = np.zeros((len(texts) + 1, 2), dtype=np.int32)
    for code, (text, applicable) in reversed(list(enumerate(reasons, start=1))):
        codes[texts.index(text) + 1, int(applicable)] = code
    applies = rows.column("applicable").to_numpy(zero_copy_only=False).astype(np.int8)
    result: IntArray = codes[_codes(rows, "unscored_reason", texts) + 1, applies]
    return result


def _codes(rows: Any, column: str, names: tuple[str, ...]) -> IntArray:
    """Each row's index into `names`, -1 for null."""
    import pyarrow.compute as pc  # 10 MB, which writing does not need

    found = pc.index_in(
        rows.column(column).cast(pa.string()),
        value_set=columns.texts(names),
        skip_nulls=True,
    )
    codes: IntArray = pc.fill_null(found, -1).to_numpy().astype(np.int32)
    return codes


def _explanation_map(rows: Any, shape: tuple[int, int, int]) -> dict[tuple[int, int, int], str]:
    column = rows.column("explanation")
    if column.null_count == len(column):
        return {}
    _, n_examples, n_repeats = shape
    result = {}
    for index, text in enumerate(column.to_pylist()):
        if text is not None:
            trial, repeat = divmod(index, n_repeats)
            result[(*divmod(trial, n_examples), repeat)] = text
    return result
