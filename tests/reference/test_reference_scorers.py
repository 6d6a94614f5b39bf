"""Published and independently measured figures, reproduced by the scorers alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score  # type: ignore[import-untyped]

from harness.core.example import EvalSet, Example
from harness.core.record import Answer, AnswerPath, Failure, Record
from harness.core.score import MetricScores, Scored
from harness.plugins.scorers.abstention import Abstention
from harness.plugins.scorers.contains import Contains
from harness.plugins.scorers.exact_match import ExactMatch
from harness.plugins.scorers.field import Field
from harness.plugins.scorers.label import Label
from harness.plugins.scorers.numeric_match import NumericMatch
from harness.plugins.scorers.retrieval import Ranking, Retrieval
from harness.plugins.scorers.token_f1 import TokenF1
from harness.plugins.scorers.tool_calls import ToolCalls
from harness.plugins.texts.text import SQUAD
from harness.ports import Scorer
from harness.scoring.pointwise import score_records

pytestmark = pytest.mark.reference

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("HARNESS_REFERENCE_DATA") or ROOT / "../shared/data")


def folder(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"no reference data for {name}: HARNESS_REFERENCE_DATA leads nowhere")
    return DATA / name


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def load_set(name: str) -> EvalSet:
    examples = tuple(
        Example(row["id"], row["input"], row["target"], row["slices"])
        for row in rows(folder(name) / "eval.jsonl")
    )
    return EvalSet(name, "", examples)


def load_records(name: str, variant: str, repeat_field: str = "repeat") -> list[Record]:
    known = {"id", "variant", "output", repeat_field}
    return [
        Record(
            variant=variant,
            example_id=row["id"],
            repeat=row.get(repeat_field, 0),
            outcome=Answer(row["output"])
            if row["output"] is not None
            else Failure(infrastructure=False, error_kind="no_answer"),
            path=AnswerPath.RECORDED,
            metadata={key: value for key, value in row.items() if key not in known},
        )
        for row in rows(folder(name) / f"outputs.{variant}.jsonl")
    ]


def scores_of(
    name: str, variant: str, scorer: Scorer, metric: str | None = None
) -> tuple[EvalSet, MetricScores]:
    evalset = load_set(name)
    table = score_records(evalset, [variant], 1, load_records(name, variant), [scorer])
    return evalset, table.metric(metric or scorer.metrics[0].id)


def mean(scores: MetricScores) -> float:
    return float(np.nanmean(scores.value))


@pytest.mark.parametrize(("system", "n_right"), [("6b_finetuning", 286), ("6b_verification", 515)])
def test_gsm8k_counts_and_every_row(system: str, n_right: int) -> None:
    scorer = NumericMatch(id="correct", marker="A:", target_field="answer")
    evalset, scores = scores_of("gsm8k", system, scorer)
    assert scores.value.sum() == n_right
    published = {record.example_id: record for record in load_records("gsm8k", system)}
    for example, value in zip(evalset.examples, scores.value.ravel(), strict=True):
        assert value == published[example.id].metadata["published_is_correct"], example.id


@pytest.mark.parametrize("variant", ["colbert_top1", "no_retrieval"])
def test_bamboogle_f1(variant: str) -> None:
    reference = json.loads((folder("bamboogle_rag") / "reference.json").read_text())[variant]
    for overlap, expected in (
        ("distinct", reference["own_f1_mean_pct"]),
        ("multiset", reference["usual_multiset_f1_mean_pct"]),
    ):
        scorer = TokenF1.model_validate({"id": "f1", "target_field": "answer", "overlap": overlap})
        _, scores = scores_of("bamboogle_rag", variant, scorer)
        assert 100 * mean(scores) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("variant", ["colbert_top1", "no_retrieval"])
def test_bamboogle_published_row_by_row(variant: str) -> None:
    scorers: list[Scorer] = [
        TokenF1(id="f1", target_field="answer", overlap="distinct"),
        Field(id="published", path="published_score", lower=0, upper=1),
    ]
    records = load_records("bamboogle_rag", variant)
    table = score_records(load_set("bamboogle_rag"), [variant], 1, records, scorers)
    own, published = table.metric("f1").value, table.metric("published").value
    np.testing.assert_allclose(own, published, atol=1e-9)


@pytest.mark.parametrize("variant", ["majority", "tfidf_lr", "tfidf_nb"])
def test_banking77_accuracy_and_macro_f1(variant: str) -> None:
    reference = json.loads((folder("banking77") / "reference.json").read_text())["measured"]
    scorer = Label(id="intent", target_field="label")
    _, accuracy = scores_of("banking77", variant, scorer)
    _, macro = scores_of("banking77", variant, scorer, "intent.macro_f1")
    assert mean(accuracy) == pytest.approx(reference[variant]["accuracy"], abs=1e-12)
    assert macro.expected is not None
    assert macro.predicted is not None
    f1 = f1_score(macro.expected.ravel(), macro.predicted.ravel(), average="macro", zero_division=0)
    assert f1 == pytest.approx(reference[variant]["macro_f1"], abs=1e-12)


RAGEN_MODELS = ("gemma-3-27b-it", "gpt-oss-20b", "qwen-3-32b")
DETECTED = "There are factual errors in the provided context."


def always(name: str, options: dict[str, Any]) -> Abstention:
    """A scorer whose accuracy is the share of examples on which the system abstains."""
    should = {"field": "target.kind", "equals": ["answer", "refuse", "detect"]}
    return Abstention.model_validate({"id": name, "should": should, **options})


def says(name: str, target: str) -> Contains:
    return Contains(id=name, target_field=target, normalise=SQUAD, whole_words=True)


@pytest.mark.parametrize("model", RAGEN_MODELS)
def test_ragen_every_row_of_the_reference(model: str) -> None:
    reference = json.loads((folder("ragen_hotpot") / "reference.json").read_text())[model]
    scorers = {
        "refused": always("refused", {"phrases": ["I don't know", "I do not know"]}),
        "claims_error": always("claims", {"equals": [DETECTED]}),
        "em": ExactMatch(id="em", target_field="answers", normalise=SQUAD),
        "contains": says("contains", "answers"),
        "mean_f1": TokenF1(id="f1", target_field="answers"),
        "says_true": says("true", "true_answers"),
        "says_fake": says("fake", "fake_answers"),
        "detected": ExactMatch(id="detected", target=DETECTED, normalise=SQUAD),
    }
    evalset = load_set("ragen_hotpot")
    records = load_records("ragen_hotpot", model)
    table = score_records(evalset, [model], 1, records, list(scorers.values()))
    scenarios = np.array([example.slices["scenario"] for example in evalset.examples])
    n_compared = 0
    for scenario, figures in reference.items():
        if scenario not in set(scenarios):
            continue
        for name, scorer in scorers.items():
            if name not in figures:
                continue
            values = table.metric(scorer.id).value[0, scenarios == scenario, 0]
            assert not np.isnan(values).any()
            found = values.mean() if name == "mean_f1" else values.sum()
            assert found == pytest.approx(figures[name], abs=1e-9), (scenario, name)
            n_compared += 1
    assert n_compared >= 25


@pytest.mark.parametrize("model", RAGEN_MODELS)
def test_ragen_refusal_and_detection_as_published(model: str) -> None:
    published_counts = {
        "gemma-3-27b-it": (276, 90),
        "gpt-oss-20b": (236, 59),
        "qwen-3-32b": (268, 83),
    }
    refusal = Abstention.model_validate(
        {
            "id": "refusal",
            "phrases": ["I don't know", "I do not know"],
            "should": {"field": "target.kind", "equals": "refuse"},
            "where": {"target.kind": ["answer", "refuse"]},
        }
    )
    detection = ExactMatch(
        id="detects",
        target=DETECTED,
        normalise=SQUAD,
        where={"slices.scenario": "counterfactual_instructed"},
    )
    evalset = load_set("ragen_hotpot")
    records = load_records("ragen_hotpot", model)
    table = score_records(evalset, [model], 1, records, [refusal, detection])
    recall = table.metric("refusal.recall")
    found = (int(np.nansum(recall.value)), int(np.nansum(table.metric("detects").value)))
    assert found == published_counts[model]
    assert recall.applicable.sum() == 300
    assert table.metric("detects").applicable.sum() == 100
    flags = {record.example_id: record.metadata["published_flag"] for record in records}
    n_compared = 0
    for index, example in enumerate(evalset.examples):
        for metric in ("refusal.recall", "detects"):
            value = table.metric(metric).value[0, index, 0]
            if not np.isnan(value):
                assert bool(value) == flags[example.id], example.id
                n_compared += 1
    assert n_compared == 400


@pytest.mark.parametrize("model", RAGEN_MODELS)
def test_ragen_stored_scores(model: str) -> None:
    published = {"gemma-3-27b-it": 0.9446, "gpt-oss-20b": 0.9437, "qwen-3-32b": 0.9132}
    scorer = Field(
        id="answer_correctness",
        path="published_scores.answer_correctness",
        lower=0,
        upper=1.0001,
        where={"slices.scenario": "perfect_context"},
    )
    _, scores = scores_of("ragen_hotpot", model, scorer)
    assert scores.applicable.sum() == 300
    assert mean(scores) == pytest.approx(published[model], abs=5e-5)


STATE_CHANGING = (
    "book_reservation",
    "cancel_reservation",
    "send_certificate",
    "update_reservation_baggages",
    "update_reservation_flights",
    "update_reservation_passengers",
)


@pytest.mark.parametrize(
    ("names", "prefix"),
    [(None, "tool calls: all calls"), (STATE_CHANGING, "tool calls: state-changing calls only")],
)
def test_tau_calls(names: tuple[str, ...] | None, prefix: str) -> None:
    reference = json.loads((folder("tau_airline") / "reference.json").read_text())
    scorer = ToolCalls(
        id="calls", names=names, output_field="tool_calls", target_field="tool_calls"
    )
    system = "gpt-4o-tool-calling"
    records = load_records("tau_airline", system, "trial")
    table = score_records(load_set("tau_airline"), [system], 4, records, [scorer])
    for what, suffix in (("arguments", "name and arguments"), ("invocation", "name")):
        expected = reference[f"{prefix}, {suffix}"]
        for share, total in (("precision", "predicted"), ("recall", "gold")):
            scores = table.metric(f"calls.{what}_{share}")
            assert scores.weight.sum() == expected[total]
            assert (scores.value * scores.weight).sum() == pytest.approx(expected["matched"])
    if names is not None:
        exact = table.metric("calls.exact").value
        assert exact.mean() == reference["state-changing calls exactly as gold"]
        reward = Field(id="reward", path="reward", at_least=1 - 1e-6)
        rewards = score_records(load_set("tau_airline"), [system], 4, records, [reward])
        rewarded = rewards.metric("reward").value
        for key, count in reference["exact set against reward"].items():
            wanted_exact, wanted_reward = (int(part.split("=")[1]) for part in key.split())
            assert ((exact == wanted_exact) & (rewarded == wanted_reward)).sum() == count
        assert rewarded.mean() == pytest.approx(reference["pass@1"])


def trec_example(query: str, qrels: list[dict[str, Any]]) -> Example:
    grades = {row["doc_id"]: row["relevance"] for row in qrels if row["query_id"] == query}
    return Example(query, {}, {"relevance": grades})


def our_name(published: str) -> str | None:
    """Our part for a measure of trec_eval; None for measures that we do not give."""
    fixed = {
        "map": "map",
        "recip_rank": "mrr",
        "Rprec": "r_precision",
        "ndcg": "ndcg",
        "num_ret": "n_retrieved",
        "num_rel_ret": "n_relevant_retrieved",
        "num_rel": "n_relevant",
    }
    if published in fixed:
        return fixed[published]
    cut = {"P": "precision", "recall": "recall", "ndcg_cut": "ndcg", "map_cut": "map"}
    stem, _, k = published.rpartition("_")
    stem = {**cut, "success": "success"}.get(stem, "")
    return f"{stem}@{k}" if stem and k.isdecimal() else None


def test_trec_eval_every_published_figure() -> None:
    base = folder("trec_eval_sample")
    qrels, run = rows(base / "standard.qrels.jsonl"), rows(base / "standard.run.jsonl")
    published = json.loads((base / "published.json").read_text())
    queries = sorted({row["query_id"] for row in run})
    names = [our_name(row["metric"]) or "" for row in published]
    cuts = sorted({int(name.partition("@")[2]) for name in names if "@" in name})
    scorer = Retrieval(
        id="r",
        target_field="relevance",
        output_field="ranking",
        k=tuple(cuts),
        measures=(
            "precision@k", "recall@k", "ndcg@k", "map@k", "success@k", "mrr", "map", "ndcg",
            "r_precision", "n_retrieved", "n_relevant_retrieved",
        ),
    )  # fmt: skip
    found: dict[str, dict[str, float]] = {}
    for query in queries:
        example = trec_example(query, qrels)
        ranking = [
            {"id": row["doc_id"], "score": row["score"]} for row in run if row["query_id"] == query
        ]
        record = Record("v", query, 0, Answer({"ranking": ranking}), AnswerPath.RECORDED)
        outcomes = scorer.score(example, record)
        values = {
            name.removeprefix("r."): one.value
            for name, one in outcomes.items()
            if isinstance(one, Scored)
        }
        gold = scorer.gold(example)
        assert isinstance(gold, dict)
        found[query] = {**values, "n_relevant": float(len(Ranking([], gold).ideal))}
    n_compared = 0
    for row in published:
        name = our_name(row["metric"])
        if name is None:
            continue
        if row["query"] != "all":
            value = found[row["query"]][name]
        else:
            each = [found[query][name] for query in queries]
            value = sum(each) if name.startswith("n_") else sum(each) / len(each)
        assert value == pytest.approx(row["value"], abs=row["tol"]), (row["metric"], row["query"])
        n_compared += 1
    assert n_compared >= 105
