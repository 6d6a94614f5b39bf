"""Tools, routes, fallbacks and the three patterns: rows T01-T06, M09-M12, M26-M29, A01-A18."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from live_project import Finished, LiveProject, stages, steps
from shop import experiment, open_shop

TOOL = '{kind: python, function: "shop_tools:order_status"}'
VARIANTS = """\
    - ../variants/prompt_only
    - ../variants/prompt_rag
    - id: strong
      extends: ../variants/prompt_rag
      system: ../variants/brief.j2
      rerank: {kind: http, base_url: "${HARNESS_BASE_URL}", usd_per_call: 0, top_k: 5}
      tools:
        use: [TOOL]
        policy: {when: order != '', then: required, else: none}
      output: {rules: [{name: short, that: output.answer | length < 40}], repair: 1}
    - {id: tools_auto, extends: ../variants/prompt_only, tools: {use: [TOOL], policy: auto}}
    - id: tools_when
      extends: ../variants/prompt_only
      tools:
        use: [TOOL]
        policy: {when: order != '', then: required, else: none}
    - id: tools_eligible
      extends: ../variants/prompt_only
      tools:
        use: [{kind: python, function: "shop_tools:order_status", when: "order in ['A1']"}]
        policy: auto
    - id: checked
      extends: ../variants/prompt_only
      tools:
        use: [TOOL]
        policy: none
        before: [{tool: order_status, arguments: {id: "{{ order }}"}, when: order != ''}]
    - id: guarded
      extends: ../variants/prompt_rag
      route:
        rules:
          - name: legal
            when: "'lawyer' in question | lower"
            answer: {answer: unknown, source: none}
    - id: routed
      extends: ../variants/tuned_rag
      params: {logprobs: true}
      route:
        router: {model: http/tiny, base_url: "${HARNESS_BASE_URL}", user: ../variants/label.j2}
        rules:
          - {name: two-things, label: complex, to: ../variants/prompt_rag}
      fallback: {to: ../variants/prompt_rag, when: confidence is not none and confidence < 0.5}
    - id: extract
      extends: ../variants/tuned_rag
      normalise: [nfkc, whitespace]
      output:
        rules:
          - name: sources-exist
            that: output.source == 'none' or output.source in (passages | map(attribute='id') | list)
        repair: 1
      fallback: {answer: {answer: unknown, source: none}}
    - id: drafted
      extends: ../variants/prompt_rag
      system: null
      user: ../variants/summary.j2
      rerank: {kind: http, base_url: "${HARNESS_BASE_URL}", usd_per_call: 0, top_k: 5}
      context:
        compress: {model: http/small, base_url: "${HARNESS_BASE_URL}", user: ../variants/compress.j2}
      draft: {model: http/tuned, base_url: "${HARNESS_BASE_URL}", user: ../variants/draft.j2}
      output:
        rules:
          - name: sources-exist
            that: output.source == 'none' or output.source in (passages | map(attribute='id') | list)
    - id: fragile
      extends: ../variants/prompt_only
      model: http/mumbles
      output: {repair: 2}
      fallback: ../variants/prompt_only
""".replace("TOOL", TOOL)  # noqa: E501 - YAML


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProject]:
    with open_shop(tmp_path_factory.mktemp("shop")) as project:
        yield project


@pytest.fixture(scope="module")
def run(shop: LiveProject) -> Finished:
    return experiment(shop, "systems", VARIANTS)


PAIRS = {
    "V03": ("prompt_only", "tools_auto", {"tools"}),
    "V16 T04": ("tools_auto", "tools_when", {"tools.policy", "tools.when", "tools.otherwise"}),
    "T01": ("tools_auto", "tools_eligible", {"tools.use.0.when"}),
    "T03": ("prompt_rag", "guarded", {"route"}),
}


@pytest.mark.parametrize("rows", PAIRS)
def test_just_this_differs(rows: str, run: Finished) -> None:
    left, right, expected = PAIRS[rows]
    found = run.differing(left, right)
    assert found
    assert [f for f in found if not f.startswith(tuple(expected))] == []


def offered(run: Finished, variant: str, example_id: str) -> list[str]:
    """The tools that a trial's model was offered."""
    detail = steps(run.trial(variant, example_id), "generate")[0]["detail"]
    names: list[str] = detail.get("tools", [])
    return names


def table(run: Finished, name: str) -> list[str]:
    """The lines of a table of report.html."""
    _, _, after = run.text("report.html").partition(f'<table class="cards {name}')
    return after.partition("</table>")[0].splitlines()


def test_t01_only_where_it_is_eligible_is_a_tool_offered(run: Finished) -> None:
    assert offered(run, "tools_eligible", "o1") == ["order_status"]
    assert offered(run, "tools_eligible", "o2") == []
    assert offered(run, "tools_auto", "n1") == ["order_status"]
    assert '"sent"' in run.trial("tools_eligible", "o1")["output_json"]
    assert '"unknown"' in run.trial("tools_eligible", "o2")["output_json"]


def test_t02_the_state_is_checked_before_anything_is_written(run: Finished) -> None:
    row = run.trial("checked", "o1")
    assert stages(row) == ["tool", "generate", "validate"]
    (check,) = steps(row, "tool")
    assert check["detail"]["before"] is True
    assert check["detail"]["arguments"] == {"id": "A1"}
    assert json.loads(row["output_json"]) == {"answer": "sent", "source": "orders"}
    assert "tool" not in stages(run.trial("checked", "f1"))
    failed = run.trial("checked", "o3")
    assert steps(failed, "tool")[0]["detail"]["error"] == "raised"
    assert failed["status"] == "ok"


def test_t03_a16_a_decision_of_high_risk_asks_no_model(run: Finished) -> None:
    row = run.trial("guarded", "r1")
    assert stages(row) == ["route"]
    assert (row["routed_to"], row["prompt_tokens"], row["cost_usd"]) == ("answer", 0, 0)
    assert steps(row, "route")[0]["detail"]["rule"] == "legal"
    assert run.trial("guarded", "f1")["output_json"] == run.trial("prompt_rag", "f1")["output_json"]


def test_t04_v16_a_tool_is_required_under_its_condition(run: Finished) -> None:
    for example_id in ("o1", "o2", "o3"):
        detail = steps(run.trial("tools_when", example_id), "generate")[0]["detail"]
        assert detail["tool_choice"] == "required"
        assert len(json.loads(run.trial("tools_when", example_id)["tool_calls"])) == 1
    assert offered(run, "tools_when", "f1") == []


def test_t05_m09_m12_tools_are_scored_by_themselves(run: Finished) -> None:
    """Precision and recall of calls, whether they worked, and whether the task was done then."""
    assert run.figure("tools_when", "calls.invocation_precision") == 1
    assert run.figure("tools_when", "calls.invocation_recall") == 1
    assert run.figure("tools_when", "calls.arguments_recall") == 1
    assert run.figure("tools_when", "calls.success") == pytest.approx(2 / 3)
    assert run.figure("prompt_only", "calls.invocation_recall") == 0
    assert run.figure("tools_auto", "calls.invocation_precision") == pytest.approx(3 / 4)
    assert run.figure("tools_when", "correct", "kind=order") == 1


def test_t06_whether_a_tool_was_called_just_where_one_is_wanted(run: Finished) -> None:
    boundary = "kind=no-order"
    assert run.figure("tools_auto", "calls.decision", boundary) == 0
    assert run.figure("tools_when", "calls.decision", boundary) == 1
    (wrong,) = run.entries(
        "confusion",
        variant="tools_auto",
        metric="calls.decision",
        expected="no tool",
        predicted="tool",
    )
    assert wrong["n"] == 1


def test_a01_a05_pattern_a_retrieves_writes_validates_and_falls_back(run: Finished) -> None:
    row = run.trial("extract", "f1")
    assert stages(row) == ["normalise", "retrieve", "context", "generate", "validate"]
    assert row["validation"] == "passed"
    assert steps(row, "generate")[0]["detail"]["model"] == "http/tuned"
    assert json.loads(row["output_json"])["source"] == "returns#window"


def test_v26_a_tuned_hybrid_cites_meets_conflicts_and_says_when_sources_are_missing(
    run: Finished,
) -> None:
    """Grounded, cited, in form; of two sources that contradict, the one that ranks higher."""
    for metric in ("form", "cites.valid", "cites.present"):
        assert run.figure("extract", metric) == 1
    assert json.loads(run.trial("extract", "f4")["output_json"])["source"] == "warranty#length"
    assert {"warranty#length", "warranty-2019#length"} <= set(
        run.trial("extract", "f4")["evidence_ids"]
    )
    assert json.loads(run.trial("extract", "n1")["output_json"])["answer"] == "unknown"
    assert run.figure("extract", "abstained.precision") < 1
    assert run.figure("extract", "abstained.recall") == 1


def test_v19_a_strong_baseline_is_all_of_it_without_tuning(run: Finished) -> None:
    """A cleaner prompt, better ranking, an explicit tool policy, validation."""
    assert stages(run.trial("strong", "f1")) == [
        "retrieve", "rerank", "context", "generate", "validate",
    ]  # fmt: skip
    assert stages(run.trial("strong", "o1"))[-4:] == ["generate", "tool", "generate", "validate"]
    assert run.figure("strong", "correct") > run.figure("prompt_rag", "correct")


def test_a06_a10_r10_r11_pattern_b_gathers_evidence_apart_from_the_answer(run: Finished) -> None:
    """Every subtask has a small prompt of its own."""
    row = run.trial("drafted", "f1")
    assert [stage for stage in stages(row) if stage != "compress"] == [
        "retrieve", "rerank", "context", "generate", "draft", "validate",
    ]  # fmt: skip
    assert "compress" in stages(row)
    (summary,), (draft,) = steps(row, "generate"), steps(row, "draft")
    assert summary["detail"]["model"] == "http/base"
    assert summary["detail"]["text"].startswith("[returns#window] ")
    assert draft["detail"]["model"] == "http/tuned"
    asked = draft["detail"]["messages"][-1]["content"]
    assert f"Evidence: {summary['detail']['text']}" in asked
    assert "<passage" not in asked
    assert json.loads(row["output_json"])["source"] == "returns#window"
    assert row["evidence_ids"][0] == "returns#window"


def test_a11_a14_v27_pattern_c_routes_and_falls_back_with_its_reasons(run: Finished) -> None:
    simple, complex_ = run.trial("routed", "f1"), run.trial("routed", "c1")
    assert steps(simple, "route")[0]["detail"]["model"] == "http/tiny"
    assert steps(simple, "route")[1]["detail"]["label"] == "simple"
    assert (simple["routed_to"], simple["fallback_used"]) == (None, False)
    assert complex_["routed_to"] == "prompt_rag"
    (generate,) = steps(complex_, "generate")
    assert (generate["variant"], generate["detail"]["model"]) == ("prompt_rag", "http/base")


def test_a13_a15_low_confidence_leads_to_the_general_model(run: Finished) -> None:
    row = run.trial("routed", "n1")
    (fallback,) = steps(row, "fallback")
    assert fallback["detail"]["reason"] == "condition"
    assert fallback["detail"]["confidence"] < 0.5
    assert fallback["detail"]["when"] == "confidence is not none and confidence < 0.5"
    assert (row["fallback_used"], row["fallback_to"]) == (True, "prompt_rag")
    models = [step["detail"]["model"] for step in steps(row, "generate")]
    assert models == ["http/tuned", "http/base"]


def test_a17_a18_v31_output_that_is_rejected_leads_to_the_prompt_only_baseline(
    run: Finished,
) -> None:
    row = run.trial("fragile", "f1")
    assert [s for s in stages(row) if s in {"generate", "repair", "fallback"}] == [
        "generate", "repair", "repair", "fallback", "generate",
    ]  # fmt: skip
    assert (row["repairs"], row["fallback_to"], row["status"]) == (2, "prompt_only", "ok")
    assert row["output_json"] == run.trial("prompt_only", "f1")["output_json"]


@pytest.mark.parametrize(("row", "quantity"), [("M26", "fallback_rate"), ("M28", "rejection_rate")])
def test_m26_m28_rates_are_those_of_the_trials(row: str, quantity: str, run: Finished) -> None:
    for variant, expected in (("fragile", 1.0), ("prompt_only", 0.0)):
        (found,) = run.entries("operations", variant=variant, quantity=quantity, slice="all")
        assert found["rate"] == expected
        assert found["ci_low"] is not None
    (routed,) = run.entries("operations", variant="routed", quantity="fallback_rate", slice="all")
    fell = [each["fallback_used"] for each in run.trials(variant="routed")]
    assert routed["rate"] == pytest.approx(sum(fell) / len(fell))


def test_m27_m28_what_repairs_and_fallbacks_cost_is_told(run: Finished) -> None:
    (repaired,) = run.entries("operations", variant="fragile", quantity="repair_rate", slice="all")
    (fell,) = run.entries("operations", variant="fragile", quantity="fallback_rate", slice="all")
    assert repaired["cost_usd"] == pytest.approx(2 * 0.001)
    assert fell["cost_usd"] > 0
    assert fell["latency_s"] > 0
    (retried,) = run.entries("operations", variant="fragile", quantity="retry_rate", slice="all")
    assert retried["rate"] == 0
    line = next(line for line in table(run, "operations") if "<bdi>fragile</bdi>" in line)
    for name in ("rejected", "repaired", "fell back"):
        assert '<data value="1.0">100.0%' in line.partition(f'data-label="{name}"')[2][:200]


def test_m29_latency_by_stage_is_that_of_the_steps(run: Finished) -> None:
    found = {row["stage"]: row for row in run.entries("stages", variant="drafted", path="warm")}
    assert set(found) == {
        "retrieve", "rerank", "compress", "context", "generate", "draft", "validate",
    }  # fmt: skip
    assert sum(row["time_share"] for row in found.values()) == pytest.approx(1)
    assert any("rerank" in line for line in table(run, "stages"))
