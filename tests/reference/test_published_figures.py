"""The whole road, from config to comparison, gives the figures that the sources publish."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import harness

pytestmark = pytest.mark.reference

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("HARNESS_REFERENCE_DATA") or ROOT / "../shared/data")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The comparison of a reference config, each run once."""
    made = {}

    def get(name):
        if not (DATA / name).is_dir():
            pytest.skip(f"no reference data for {name}: HARNESS_REFERENCE_DATA leads nowhere")
        if name not in made:
            out = tmp_path_factory.mktemp(name)
            config = ROOT / "configs" / "reference" / f"{name}.yaml"
            made[name] = harness.run(config, out=out).comparison
        return made[name]

    return get


def _reference(name):
    return json.loads((DATA / name / "reference.json").read_text())


def _score(comparison, variant, metric, slice_name="all"):
    (found,) = (
        s
        for s in comparison.scores
        if (s.variant, s.metric, s.slice) == (variant, metric, slice_name)
    )
    return found


def _pair(comparison, candidate, metric, slice_name="all"):
    (found,) = (
        p
        for p in comparison.pairs
        if (p.candidate, p.baseline, p.metric, p.slice)
        == (candidate, comparison.baseline, metric, slice_name)
    )
    return found


def test_gsm8k(compared):
    comparison = compared("gsm8k")
    reference = _reference("gsm8k")
    for variant, right in (("6b_finetuning", 286), ("6b_verification", 515)):
        score = _score(comparison, variant, "correct")
        assert score.mean * score.n == pytest.approx(right)
        stated = reference["variants"][variant]
        assert (score.ci_low, score.ci_high) == pytest.approx(stated["wilson95"], abs=0.0005)
        for name, values in stated["slices"].items():
            for value, part in values.items():
                figure = _score(comparison, variant, "correct", f"{name}={value}")
                assert (figure.n, figure.mean) == (part["n"], pytest.approx(part["mean"]))
    pair = _pair(comparison, "6b_verification", "correct")
    assert 100 * pair.diff == pytest.approx(17.36, abs=0.005)
    assert (100 * pair.ci_low, 100 * pair.ci_high) == pytest.approx((14.7, 20.0), abs=0.3)
    assert (pair.wins, pair.losses, pair.finding) == (293, 64, "better")
    assert pair.p_value == pytest.approx(reference["pairs"][0]["mcnemar"]["p_exact"], rel=1e-9)


def test_banking77(compared):
    comparison = compared("banking77")
    reference = _reference("banking77")
    latencies = {row.variant: row for row in comparison.latency if row.slice == "all"}
    for variant, stated in reference["measured"].items():
        assert _score(comparison, variant, "correct").mean == pytest.approx(stated["accuracy"])
        macro = _score(comparison, variant, "correct.macro_f1")
        assert macro.mean == pytest.approx(stated["macro_f1"])
        assert latencies[variant].p50_s == pytest.approx(stated["latency_p50_s"])
        assert latencies[variant].p95_s == pytest.approx(stated["latency_p95_s"])
    for pair in reference["pairs"]:
        found = next(
            p
            for p in comparison.pairs
            if {p.candidate, p.baseline} == {pair["a"], pair["b"]}
            and (p.metric, p.slice) == ("correct", "all")
        )
        sign = 1 if found.candidate == pair["a"] else -1
        assert sign * found.diff == pytest.approx(pair["a_minus_b"]["diff"])
        assert found.p_value == pytest.approx(pair["mcnemar"]["p_exact"], rel=1e-6, abs=1e-300)
    assert len({row.label for row in comparison.classes}) == 77


def test_bamboogle_is_no_evidence_of_a_gain(compared):
    comparison = compared("bamboogle_rag")
    for row in json.loads((DATA / "bamboogle_rag" / "published.json").read_text()):
        mean = _score(comparison, row["variant"], "f1").mean
        assert 100 * mean == pytest.approx(row["value"], abs=row["tol"])
    pair = _pair(comparison, "colbert_top1", "f1")
    assert 100 * pair.diff == pytest.approx(2.64, abs=0.005)
    assert pair.standard_error == pytest.approx(0.0445, abs=0.0001)
    assert pair.p_value == pytest.approx(0.554, abs=0.03)
    assert pair.finding == "no_evidence"
    assert comparison.conclusion.kind == "keep"


RAGEN_METRICS = {
    "n_refused": "refused",
    "n_detected": "detected",
    "mean_published_answer_correctness": "published_correctness",
    "mean_published_faithfulness": "published_faithfulness",
}


def test_ragen_refusals_detections_and_stored_scores(compared):
    comparison = compared("ragen_hotpot")
    rows = json.loads((DATA / "ragen_hotpot" / "published.json").read_text())
    for row in rows:
        score = _score(
            comparison,
            row["variant"],
            RAGEN_METRICS[row["metric"]],
            f"scenario={row['scenario']}",
        )
        assert score.n == row["n"]
        value = score.mean * score.n if row["metric"].startswith("n_") else score.mean
        assert value == pytest.approx(row["value"], abs=max(row["tol"], 1e-6))
    assert len(rows) == 27


def test_ragen_exact_match_and_containment(compared):
    comparison = compared("ragen_hotpot")
    checked = 0
    for variant, scenarios in _reference("ragen_hotpot").items():
        for scenario, stated in scenarios.items():
            if "em" not in stated:
                continue
            for metric, key in (("exact", "em"), ("contained", "contains")):
                score = _score(comparison, variant, metric, f"scenario={scenario}")
                assert score.mean * score.n == pytest.approx(stated[key])
                checked += 1
    assert checked == 18


def test_tau_airline_pass_to_the_k_and_its_clustered_error(compared):
    comparison = compared("tau_airline")
    variant = "gpt-4o-tool-calling"
    reference = _reference("tau_airline")
    published = {
        row["metric"]: row for row in json.loads((DATA / "tau_airline/published.json").read_text())
    }
    for k in range(1, 5):
        name = "success" if k == 1 else f"success.pass^{k}"
        row = published[f"pass^{k}"]
        score = _score(comparison, variant, name)
        assert score.mean == pytest.approx(row["value"], abs=row["tol"])
        name = "success" if k == 1 else f"success.pass@{k}"
        assert _score(comparison, variant, name).mean == pytest.approx(reference[f"pass@{k}"])
    error = _score(comparison, variant, "success").standard_error
    assert error == pytest.approx(reference["pass^1 standard error clustered by task"])


@pytest.mark.parametrize(
    ("scorer", "stated"),
    [("calls", "tool calls: all calls"), ("changes", "tool calls: state-changing calls only")],
)
def test_tau_airline_calls(compared, scorer, stated):
    comparison = compared("tau_airline")
    reference = _reference("tau_airline")
    for part, suffix in (("arguments", "name and arguments"), ("invocation", "name")):
        for figure in ("precision", "recall"):
            score = _score(comparison, "gpt-4o-tool-calling", f"{scorer}.{part}_{figure}")
            assert score.mean == pytest.approx(reference[f"{stated}, {suffix}"][figure])
    if scorer == "changes":
        exact = _score(comparison, "gpt-4o-tool-calling", "changes.exact")
        assert exact.mean == pytest.approx(reference["state-changing calls exactly as gold"])


TREC_METRICS = {
    "num_ret": "n_retrieved",
    "num_rel_ret": "n_relevant_retrieved",
    "map": "map",
    "Rprec": "r_precision",
    "recip_rank": "mrr",
    "ndcg": "ndcg",
    **{
        f"{theirs}_{k}": f"{ours}@{k}"
        for theirs, ours in (
            ("P", "precision"),
            ("recall", "recall"),
            ("ndcg_cut", "ndcg"),
            ("map_cut", "map"),
            ("success", "success"),
        )
        for k in (1, 5, 10, 15, 20, 30, 100, 200, 500, 1000)
    },
}


def test_trec_eval_sample_per_query_and_over_all(tmp_path, monkeypatch):
    source = DATA / "trec_eval_sample"
    if not source.is_dir():
        pytest.skip("no reference data for trec_eval_sample: HARNESS_REFERENCE_DATA leads nowhere")
    made = tmp_path / "set"
    for command in (
        [
            "scripts/trec_to_harness.py",
            source / "standard.qrels.jsonl",
            source / "standard.run.jsonl",
            made,
        ],
        ["-m", "harness", "freeze", made],
    ):
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    monkeypatch.setenv("HARNESS_TREC_SAMPLE", str(made))
    run = harness.run(ROOT / "configs/reference/trec_eval_sample.yaml", out=tmp_path / "out")
    scores = run.scores.set_index(["example_id", "metric"])["value"]
    checked = 0
    for row in json.loads((source / "published.json").read_text()):
        name = TREC_METRICS.get(row["metric"])
        if name is None:
            continue
        if row["query"] != "all":
            value = scores[row["query"], f"ranked.{name}"]
        else:
            value = _score(run.comparison, "standard", f"ranked.{name}").mean
            value *= 3 if name.startswith("n_") else 1
        assert value == pytest.approx(row["value"], abs=row["tol"]), row
        checked += 1
    assert checked >= 105
