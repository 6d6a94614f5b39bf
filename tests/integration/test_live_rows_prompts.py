"""What may be varied in prompts and models, and what is seen of it: rows V01-V33, M22, M30, M31."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from live_project import Finished, LiveProject, stages, steps
from shop import EXAMPLES, experiment, open_shop

VARIANTS = """\
    - ../variants/prompt_only
    - id: bare
      model: http/base
      base_url: ${HARNESS_BASE_URL}
      user: ../variants/bare.j2
    - {id: brief, extends: ../variants/prompt_only, system: ../variants/brief.j2}
    - {id: shots2, extends: ../variants/prompt_only, few_shot: {from: ../variants/shots.jsonl, count: 2}}
    - {id: shots5, extends: ../variants/prompt_only, few_shot: {from: ../variants/shots.jsonl, count: 5}}
    - id: shots_near
      extends: ../variants/prompt_only
      few_shot: {from: ../variants/shots.jsonl, count: 5, select: nearest}
    - {id: small, extends: ../variants/prompt_only, model: http/small}
    - id: small_shots
      extends: ../variants/prompt_only
      model: http/small
      few_shot: {from: ../variants/shots.jsonl, count: 5}
    - {id: small_structured, extends: ../variants/prompt_only, model: http/small, output: {structured: true}}
    - ../variants/prompt_rag
    - {id: rag_terms, extends: ../variants/prompt_rag, system: ../variants/terms.j2}
    - ../variants/tuned_minimal
    - {id: tuned_full, extends: ../variants/tuned_minimal, training: {method: full, adapter: null}}
    - {id: tuned_better, extends: ../variants/tuned_minimal, model: http/tuned-3b, training: {base_model: 3b}}
    - id: distilled
      extends: ../variants/tuned_minimal
      model: http/distilled
      training: {base_model: tiny, method: distillation, recipe: answers of base}
    - ../variants/tuned_rag
"""  # noqa: E501 - YAML
BAR = """\
gate:
  candidate: small
  rules: [{metric: form, floor: 0.7}]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProject]:
    with open_shop(tmp_path_factory.mktemp("shop")) as project:
        yield project


@pytest.fixture(scope="module")
def run(shop: LiveProject) -> Finished:
    return experiment(shop, "prompts", VARIANTS, BAR)


PAIRS = {
    "V01 V02": ("prompt_only", "prompt_rag", {"retrieval", "context"}),
    "V04": ("prompt_only", "tuned_minimal", {"model", "system_template", "training"}),
    "V05 V25": ("tuned_minimal", "tuned_rag", {"retrieval", "context"}),
    "V12": ("prompt_only", "brief", {"system_template"}),
    "V13 V23 number": ("shots2", "shots5", {"few_shot.count"}),
    "V13 kind": ("shots5", "shots_near", {"few_shot.select"}),
    "V17": ("prompt_rag", "tuned_rag", {"model", "system_template", "training"}),
    "V21 V30": ("prompt_only", "small", {"model"}),
    "V22": ("small", "small_structured", {"output.structured"}),
    "V24": ("prompt_rag", "rag_terms", {"system_template"}),
    "V28": ("tuned_minimal", "distilled", {"model", "training"}),
    "V29": ("tuned_minimal", "tuned_full", {"training.method", "training.adapter"}),
    "V30": ("tuned_minimal", "tuned_better", {"model", "training.base_model"}),
}


@pytest.mark.parametrize("rows", PAIRS)
def test_just_this_differs(rows: str, run: Finished) -> None:
    left, right, expected = PAIRS[rows]
    found = run.differing(left, right)
    assert {name for name in expected if not any(f.startswith(name) for f in found)} == set()
    assert [f for f in found if not f.startswith(tuple(expected))] == []


def asked(run: Finished, variant: str, example_id: str) -> list[dict[str, str]]:
    """The messages of a trial's first call of its model."""
    messages: list[dict[str, str]] = steps(run.trial(variant, example_id), "generate")[0]["detail"][
        "messages"
    ]
    return messages


def test_v06_v07_v09_all_variants_are_run_and_scored_alike(run: Finished) -> None:
    ids = {row["id"] for row in EXAMPLES}
    variants = [variant["id"] for variant in run.comparison["variants"]]
    assert len(variants) == 16
    for variant in variants:
        assert {row["example_id"] for row in run.trials(variant=variant)} == ids
    manifest = json.loads(run.text("manifest.json"))
    assert manifest["evalset"]["sha256"] == run.comparison["evalset"]["sha256"]
    assert len(manifest["scorers"]) == 8


@pytest.mark.usefixtures("run")
def test_v08_v18_a_task_that_changed_or_an_undeclared_difference_is_refused(
    shop: LiveProject,
) -> None:
    """V09 too: an output that is treated in another way must be declared."""
    text = (shop.folder / "configs/prompts.yaml").read_text("utf-8")
    shop.write("configs/undeclared.yaml", text.replace(" output, ", " "))
    told = shop.harness("check", "configs/undeclared.yaml", check=2).stderr
    assert "confounded: small and small_structured differ in output.structured" in told
    file = shop.folder / "evalsets/shop/examples.jsonl"
    kept = file.read_text("utf-8")
    file.write_text(kept.replace("30 days", "31 days"), encoding="utf-8")
    try:
        told = shop.harness("run", "configs/prompts.yaml", check=2).stderr
    finally:
        file.write_text(kept, encoding="utf-8")
    assert "f1" in told
    assert "harness freeze" in told


def test_v10_m30_latency_tokens_and_cost_of_every_request(run: Finished) -> None:
    for row in run.trials():
        assert row["latency_s"] > 0
        assert row["prompt_tokens"] > 0
        assert row["completion_tokens"] > 0
    base = run.trial("prompt_only", "f1")
    paid = base["prompt_tokens"] * 2e-6 + base["completion_tokens"] * 8e-6
    assert base["cost_usd"] == pytest.approx(paid)
    assert run.trial("tuned_minimal", "f1")["cost_usd"] > 0
    assert run.trial("distilled", "f1")["cost_usd"] is None
    costs = {row["variant"] for row in run.entries("cost", slice="all")}
    assert {"prompt_only", "small", "tuned_minimal"} <= costs
    assert "distilled" not in costs


def test_m31_prompt_tokens_that_a_tuned_model_saves(run: Finished) -> None:
    (saving,) = run.entries(
        "token_savings",
        candidate="tuned_minimal",
        baseline="prompt_only",
        quantity="prompt_tokens_per_call",
    )
    spared = [
        run.trial("prompt_only", row["id"])["prompt_tokens"]
        - run.trial("tuned_minimal", row["id"])["prompt_tokens"]
        for row in EXAMPLES
    ]
    assert saving["n"] == len(EXAMPLES)
    assert saving["saved"] == pytest.approx(sum(spared) / len(spared))
    assert saving["saved"] > 0


def test_v12_v24_the_instructions_are_what_was_asked(run: Finished) -> None:
    assert asked(run, "brief", "f1")[0]["content"].startswith("JSON only")
    assert "guarantee = warranty" in asked(run, "rag_terms", "w2")[0]["content"]
    assert '"unknown"' in run.trial("prompt_rag", "w2")["output_json"]
    assert '"2 years"' in run.trial("rag_terms", "w2")["output_json"]


@pytest.mark.parametrize(("variant", "n"), [("prompt_only", 0), ("shots2", 2), ("shots5", 5)])
def test_v13_v23_so_many_examples_are_in_the_prompt(variant: str, n: int, run: Finished) -> None:
    assert asked(run, variant, "f3")[0]["content"].count("Customer:") == n


def test_v13_nearest_examples_fit_the_question(run: Finished) -> None:
    fixed, near = (asked(run, name, "f5")[0]["content"] for name in ("shots5", "shots_near"))
    assert "How long is a spoon?" not in fixed
    assert near.index("How long is a spoon?") < near.index("Do you lend money?")


def test_v20_a_bare_model_on_a_sample_of_real_questions(shop: LiveProject, run: Finished) -> None:
    """Nothing but the question is asked; the failures tell what is missing, example by example."""
    assert [message["role"] for message in asked(run, "bare", "f1")] == ["user"]
    assert asked(run, "bare", "f1")[0]["content"] == EXAMPLES[0]["input"]["question"]
    sample = shop.run(
        "configs/prompts.yaml", "--limit", "12", "--variants", "prompt_only,bare", "--out", "sample"
    )
    assert len(sample.trials(variant="bare")) == 12
    assert "a partial run" in sample.text("report.md")
    shown = shop.harness("show", str(sample.folder), "f1").stdout
    assert "30 days" in shown


def test_v21_v30_a_smaller_model_is_held_against_the_bar_before_tuning(
    run: Finished, shop: LiveProject
) -> None:
    assert run.figure("small", "form") == 0
    told = shop.harness("gate", str(run.folder), check=1).stdout
    assert "form" in told


def test_m22_v22_v23_form_is_kept_by_examples_constraints_or_training(run: Finished) -> None:
    """Format compliance of the small model: as it is, with examples, constrained, tuned."""
    rates = {
        name: run.figure(name, "form")
        for name in ("small", "small_shots", "small_structured", "tuned_minimal")
    }
    assert rates == {"small": 0, "small_shots": 1, "small_structured": 1, "tuned_minimal": 1}
    row = run.trial("small", "f1")
    assert (row["status"], row["error_kind"]) == ("system_failure", "parse")
    (rate,) = run.entries(
        "operations", variant="small", quantity="schema_failure_rate", slice="all"
    )
    assert rate["rate"] == 1


def test_v28_v29_the_training_card_is_a_factor(run: Finished) -> None:
    found = run.differing("tuned_minimal", "tuned_full")
    assert found["training.method"] == ("lora", "full")
    assert found["training.adapter"] == ("shop-r16", None)
    assert run.differing("tuned_minimal", "distilled")["training.method"] == (
        "lora",
        "distillation",
    )


@pytest.mark.usefixtures("run")
def test_v25_the_arms_between_a_prompt_and_a_tuned_hybrid_are_proposed(shop: LiveProject) -> None:
    two = "- ../variants/prompt_only\n- ../variants/tuned_rag\n"
    text = (shop.folder / "configs/prompts.yaml").read_text("utf-8")
    head = text.partition("variants:")[0]
    shop.write("configs/ladder.yaml", f"{head}variants:\n{two}")
    told = shop.harness("check", "configs/ladder.yaml").stdout
    assert (
        "prompt_only and tuned_rag differ in model, system_template and retrieval at once" in told
    )
    assert "add: an arm like prompt_only with tuned_rag's" in told


def test_v31_v32_the_baseline_is_kept_where_tuning_does_not_win(run: Finished) -> None:
    pairs = run.entries("pairs", candidate="tuned_minimal", metric="correct", slice="all")
    assert {pair["finding"] for pair in pairs if pair["baseline"] == "prompt_only"} != {"better"}
    assert run.comparison["baseline"] == "prompt_only"
    assert run.comparison["conclusion"]["variant"] != "tuned_minimal"


def test_v33_what_owning_a_variant_takes_is_shown_and_not_compared(
    run: Finished, shop: LiveProject
) -> None:
    told = shop.harness("check", "configs/prompts.yaml").stdout
    assert "owning tuned_minimal: hours_to_change 48" in told
    assert not any(name.startswith("operations") for name in run.comparison["factors"])
    manifest = json.loads(run.text("manifest.json"))
    hours = {one["id"]: one["operations"].get("hours_to_change") for one in manifest["variants"]}
    assert (hours["prompt_only"], hours["tuned_minimal"]) == (0.5, 48)


def test_v01_v04_stages_are_those_of_the_technique(run: Finished) -> None:
    assert stages(run.trial("prompt_only", "f1")) == ["generate", "validate"]
    assert stages(run.trial("tuned_minimal", "f1")) == ["generate", "validate"]
    assert [message["role"] for message in asked(run, "tuned_minimal", "f1")] == ["user"]
    assert stages(run.trial("tuned_rag", "f1")) == ["retrieve", "context", "generate", "validate"]
