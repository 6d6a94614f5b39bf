from __future__ import annotations

import math
from typing import Any

import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Record
from harness.core.score import Scored, ScoreOutcome, Unscored
from harness.plugins.scorers.retrieval import Retrieval

K = (1, 2, 3, 5, 10)
PYTREC = {
    "precision": "P",
    "recall": "recall",
    "ndcg": "ndcg_cut",
    "map": "map_cut",
    "success": "success",
}
EVERYTHING = Retrieval(
    id="r",
    k=K,
    measures=(
        "precision@k", "recall@k", "ndcg@k", "map@k", "success@k", "mrr", "ndcg", "map",
        "r_precision", "n_retrieved", "n_relevant_retrieved",
    ),
    output_field="ranking",
    target_field="grades",
)  # fmt: skip
documents = st.sampled_from([f"d{i}" for i in range(12)])
grades = st.dictionaries(documents, st.integers(0, 3), min_size=1).filter(
    lambda given_grades: any(given_grades.values())
)
runs = st.dictionaries(documents, st.integers(-2, 3), min_size=1)  # few scores, many ties


def score(
    scorer: Retrieval, output: Any = "x", *, given_ids: Any = None, **example: Any
) -> dict[str, ScoreOutcome]:
    record = Record("v", "e", 0, Answer(output, evidence=given_ids), AnswerPath.RECORDED)
    return dict(scorer.score(Example("e", {}, **example), record))


@settings(max_examples=200)
@given(relevant=grades, run=runs)
def test_as_trec_eval(relevant: dict[str, int], run: dict[str, int]) -> None:
    cuts = ",".join(map(str, K))
    measures = {f"{name}.{cuts}" for name in PYTREC.values()} | {
        "recip_rank", "ndcg", "map", "Rprec", "num_ret", "num_rel_ret",
    }  # fmt: skip
    evaluator = pytrec_eval.RelevanceEvaluator({"q": relevant}, measures)
    expected = evaluator.evaluate({"q": {key: float(value) for key, value in run.items()}})["q"]
    ranking = [{"id": key, "score": value} for key, value in run.items()]
    found = score(EVERYTHING, {"ranking": ranking}, target={"grades": relevant})
    names = {f"{our}@{k}": f"{their}_{k}" for our, their in PYTREC.items() for k in K} | {
        "mrr": "recip_rank",
        "ndcg": "ndcg",
        "map": "map",
        "r_precision": "Rprec",
        "n_retrieved": "num_ret",
        "n_relevant_retrieved": "num_rel_ret",
    }
    assert found.keys() == {f"r.{name}" for name in names}
    for our, their in names.items():
        outcome = found[f"r.{our}"]
        assert isinstance(outcome, Scored)
        assert outcome.value == pytest.approx(expected[their], abs=1e-9), our


def test_worked_example() -> None:
    found = score(Retrieval(id="r", k=(1, 5)), given_ids=("a", "b", "c"), evidence=("b", "z"))
    discounted = (1 / math.log2(3)) / (1 + 1 / math.log2(3))
    expected = {
        "precision@1": 0,
        "precision@5": 0.2,
        "recall@1": 0,
        "recall@5": 0.5,
        "mrr": 0.5,
        "ndcg@1": 0,
        "ndcg@5": discounted,
    }
    values = {name: one.value for name, one in found.items() if isinstance(one, Scored)}
    assert values == pytest.approx({f"r.{name}": value for name, value in expected.items()})


@pytest.mark.parametrize(
    ("ranking", "mrr"),
    [
        (["x", "g"], 1 / 2),
        (["x", "x", "g"], 1 / 2),
        (["g", "x", "g"], 1),
        ([], 0),
        ([{"id": "x", "score": 1}, {"id": "g", "score": 2}], 1),
        ([{"id": "g", "score": 1}, {"id": "x", "score": 1}], 1 / 2),
        ([{"id": "x", "score": 1}, {"id": "g"}], 1 / 2),
        ([{"id": "x", "score": "9"}, {"id": "g", "score": "10"}], 1 / 2),
        ([None, 7, {"no": "id"}, "g"], 1 / 3),
        (["G"], 0),
        ("g", 0),
        ({"g": 1}, 0),
        (None, 0),
    ],
)
def test_forms_of_a_ranking(ranking: Any, mrr: float) -> None:
    scorer = Retrieval(id="r", output_field="found")
    found = score(scorer, {"found": ranking}, evidence=("g",))["r.mrr"]
    assert isinstance(found, Scored)
    # null, 7 and an object without an id are ids that nobody asked for: null comes twice
    assert found.value == pytest.approx(mrr)


def test_mrr_at_k() -> None:
    scorer = Retrieval(id="r", k=(1, 2), measures=("mrr@k",))
    found = score(scorer, given_ids=("x", "g"), evidence=("g",))
    assert found == {
        "r.mrr@1": Scored(0.0),
        "r.mrr@2": Scored(0.5),
    }


@pytest.mark.parametrize(
    ("example", "options"),
    [
        ({}, {}),
        ({"evidence": ()}, {}),
        ({"target": {"rel": []}}, {"target_field": "rel"}),
        ({"target": {"rel": {"a": 0, "b": -1}}}, {"target_field": "rel"}),
        ({"target": {"rel": {"a": "high"}}}, {"target_field": "rel"}),
        ({"target": {"rel": {"a": 10**400}}}, {"target_field": "rel"}),
        ({"target": {}, "evidence": ("a",)}, {"target_field": "rel"}),
    ],
)
def test_nothing_relevant_does_not_apply(example: Any, options: Any) -> None:
    for outcome in score(Retrieval(id="r", **options), given_ids=("a",), **example).values():
        assert isinstance(outcome, Unscored)
        assert not outcome.applicable


def test_unknown_retrieval_is_missing_and_none_is_wrong() -> None:
    for outcome in score(Retrieval(id="r"), given_ids=None, evidence=("a",)).values():
        assert isinstance(outcome, Unscored)
        assert outcome.applicable
    nothing = score(Retrieval(id="r"), given_ids=(), evidence=("a",))
    assert nothing["r.precision@1"] == Scored(0.0, explanation="retrieved nothing, relevant is a")


def test_failure_retrieved_nothing() -> None:
    failure = Failure(infrastructure=False, error_kind="")
    record = Record("v", "e", 0, failure, AnswerPath.RECORDED)
    outcomes = Retrieval(id="r").score(Example("e", {}, evidence=("a",)), record)
    assert all(isinstance(one, Scored) and one.value == 0 for one in outcomes.values())


def test_which_metrics_are_binary() -> None:
    scorer = Retrieval(id="r", k=(1, 5), measures=("precision@k", "success@k", "recall@k"))
    binary = {metric.id for metric in scorer.metrics if metric.binary}
    assert binary == {"r.precision@1", "r.success@1", "r.success@5"}


@pytest.mark.parametrize(
    "options",
    [
        {"k": []},
        {"k": [0]},
        {"k": [1, 1]},
        {"measures": []},
        {"measures": ["precision"]},
        {"measures": ["mrr", "mrr"]},
    ],
)
def test_mistakes_are_config_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Retrieval.model_validate({"id": "r", **options})
