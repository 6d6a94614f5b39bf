"""The frozen reference sets and their recordings load, with the counts that their READMEs state."""

import os
from collections import Counter
from pathlib import Path

import pytest

from harness.config.evalset import evalset_warnings, freeze_evalset, load_evalset
from harness.config.experiment import load_experiment
from harness.config.recorded import load_records
from harness.registry import scorer_problems

pytestmark = pytest.mark.reference

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("HARNESS_REFERENCE_DATA") or ROOT / "../shared/data")

COUNTS = {
    "gsm8k": {"all": 1319},
    "banking77": {"all": 3080},
    "bamboogle_rag": {"all": 120},
    "ragen_hotpot": {
        "all": 1100, "scenario=negative_rejection": 300, "scenario=noise_0.5": 150,
        "scenario=counterfactual_instructed": 100,
    },
    "tau_airline": {"all": 50},
}  # fmt: skip
UNANSWERED = {
    "no_retrieval": {"system_failure": 7, "ok": 113},
    "colbert_top1": {"system_failure": 2, "ok": 118},
    "gpt-4o-tool-calling": {"ok": 200},
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_reference_set_is_frozen_and_its_recordings_are_complete(name: str) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"no reference data for {name}: HARNESS_REFERENCE_DATA leads nowhere")
    evalset = load_evalset(ROOT / "evalsets" / name)
    members = evalset.slice_members()
    assert {key: len(members[key]) for key in COUNTS[name]} == COUNTS[name]
    assert evalset_warnings(evalset) == ()
    config = ROOT / "configs" / "reference" / f"{name}.yaml"
    experiment = load_experiment(config, scorer_problems=scorer_problems)
    for variant in experiment.variants:
        records = load_records(variant, evalset, experiment.repeats)
        expected = UNANSWERED.get(variant.id, {"ok": len(evalset.examples)})
        assert Counter(record.status for record in records) == expected


def test_a_set_made_from_relevance_judgments(tmp_path: Path) -> None:
    import json

    folder = DATA / "trec_eval_sample"
    if not folder.is_dir():
        pytest.skip("no reference data for trec_eval_sample: HARNESS_REFERENCE_DATA leads nowhere")
    relevant: dict[str, list[str]] = {}
    for line in (folder / "standard.qrels.jsonl").read_text().splitlines():
        row = json.loads(line)
        found = relevant.setdefault(row["query_id"], [])
        if row["relevance"]:
            found.append(row["doc_id"])
    rows = [{"id": key, "input": None, "evidence": ids} for key, ids in relevant.items()]
    (tmp_path / "examples.jsonl").write_text("\n".join(map(json.dumps, rows)))
    freeze_evalset(tmp_path)
    examples = load_evalset(tmp_path).examples
    assert [example.id for example in examples] == ["301", "302", "303"]
    assert sum(len(example.evidence or ()) for example in examples) == 561
