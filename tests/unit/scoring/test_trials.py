from __future__ import annotations

import numpy as np
import pytest

from harness.core.record import Answer, AnswerPath, Failure, Outcome, Record
from harness.scoring.trials import trial_table


def record(
    outcome: Outcome,
    slot: tuple[str, str, int],
    path: AnswerPath = AnswerPath.RECORDED,
    latency_s: float | None = None,
    cost_usd: float | None = None,
) -> Record:
    return Record(*slot, outcome, path, latency_s, cost_usd)


def test_every_trial_is_in_its_place() -> None:
    records = [
        record(Failure(infrastructure=True, error_kind="x"), ("b", "e2", 1)),
        record(Answer("x"), ("a", "e1", 0), AnswerPath.COLD, 1.5, 0.25),
        record(Answer("x"), ("a", "e1", 1), AnswerPath.CACHED, 0.0, 0.0),
        record(Failure(infrastructure=False, error_kind="x"), ("b", "e1", 0), latency_s=9.0),
        record(Answer("x"), ("a", "e2", 0), AnswerPath.WARM),
    ]
    table = trial_table(["a", "b"], ["e1", "e2"], 2, records)
    assert table.variants == ("a", "b")
    assert table.example_ids == ("e1", "e2")
    assert table.status.tolist() == [[[0, 0], [0, -1]], [[1, -1], [-1, 2]]]
    assert table.path.tolist() == [[[1, 3], [2, 0]], [[4, 0], [0, 4]]]
    assert table.latency_s[0, 0].tolist() == [1.5, 0.0]
    assert table.latency_s[1, 0, 0] == 9.0
    assert np.isnan(table.latency_s).sum() == 5
    assert table.cost_usd[0, 0].tolist() == [0.25, 0.0]
    assert np.isnan(table.cost_usd).sum() == 6


def test_order_of_records_is_irrelevant() -> None:
    records = [record(Answer("x"), ("a", f"e{i}", 0), latency_s=float(i)) for i in range(5)]
    ids = [f"e{i}" for i in range(5)]
    there = trial_table(["a"], ids, 1, records)
    back = trial_table(["a"], ids, 1, records[::-1])
    np.testing.assert_array_equal(there.latency_s, back.latency_s)
    assert there.latency_s.ravel().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("slot", [("z", "e", 0), ("a", "z", 0), ("a", "e", 1)])
def test_strangers_are_errors(slot: tuple[str, str, int]) -> None:
    with pytest.raises((KeyError, ValueError)):
        trial_table(["a"], ["e"], 1, [record(Answer("x"), slot)])
