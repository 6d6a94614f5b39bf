"""What may be varied in retrieval and context, and what is seen of it: rows R01-R19, M17-M21."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from live_project import Finished, LiveProject, stages, steps
from shop import experiment, open_shop

VARIANTS = """\
    - ../variants/prompt_only
    - ../variants/prompt_rag
    - {id: rag_top3, extends: ../variants/prompt_rag, retrieval: {top_k: 3}}
    - {id: rag_fixed, extends: ../variants/prompt_rag, retrieval: {chunk: {by: fixed, max_tokens: 16}}}
    - {id: rag_reverse, extends: ../variants/prompt_rag, context: {order: reverse}}
    - {id: rag_narrow, extends: ../variants/prompt_rag, context: {max_tokens: 60}}
    - id: rag_rerank
      extends: ../variants/prompt_rag
      rerank: {kind: http, base_url: "${HARNESS_BASE_URL}", usd_per_call: 0.001, top_k: 5}
    - id: rag_rewrite
      extends: ../variants/prompt_rag
      retrieval:
        rewrite: {model: http/small, base_url: "${HARNESS_BASE_URL}", user: ../variants/rewrite.j2}
    - id: rag_compress
      extends: ../variants/prompt_rag
      context:
        compress: {model: http/small, base_url: "${HARNESS_BASE_URL}", user: ../variants/compress.j2}
    - id: rag_cited
      extends: ../variants/prompt_rag
      model: http/liar
      output:
        rules:
          - name: sources-exist
            that: output.source == 'none' or output.source in (passages | map(attribute='id') | list)
            message: name the id of a passage, or none
        repair: 1
      fallback: {answer: {answer: unknown, source: none}}
    - ../variants/tuned_rag
    - id: tuned_dense
      extends: ../variants/tuned_rag
      retrieval:
        kind: dense
        embedder: {kind: http, base_url: "${HARNESS_BASE_URL}", model: e, usd_per_million_tokens: 10}
    - id: tuned_hybrid
      extends: ../variants/tuned_rag
      retrieval:
        kind: hybrid
        dense: {embedder: {kind: http, base_url: "${HARNESS_BASE_URL}", model: e, usd_per_million_tokens: 10}}
"""  # noqa: E501 - YAML
GATE = """\
gate:
  candidate: prompt_rag
  rules:
    - {metric: found.precision@5, floor: 0.7}
    - {metric: correct, margin: 0}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProject]:
    with open_shop(tmp_path_factory.mktemp("shop")) as project:
        yield project


@pytest.fixture(scope="module")
def run(shop: LiveProject) -> Finished:
    return experiment(shop, "retrieval", VARIANTS, GATE)


PAIRS = {
    "R01 V14": ("prompt_rag", "rag_fixed", {"retrieval.chunk.by", "retrieval.chunk.max_tokens"}),
    "V14": ("prompt_rag", "rag_top3", {"retrieval.top_k"}),
    "V15 order": ("prompt_rag", "rag_reverse", {"context.order"}),
    "V15 budget": ("prompt_rag", "rag_narrow", {"context.max_tokens"}),
    "R05 R06": ("prompt_rag", "rag_rerank", {"rerank"}),
    "R04": ("prompt_rag", "rag_rewrite", {"retrieval.rewrite"}),
    "R09": ("prompt_rag", "rag_compress", {"context.compress"}),
    "R12": ("prompt_rag", "rag_cited", {"model", "output", "fallback"}),
    "R15 hybrid": ("tuned_rag", "tuned_hybrid", {"retrieval.kind", "retrieval.dense"}),
    "R15 dense": ("tuned_rag", "tuned_dense", {"retrieval.kind", "retrieval.embedder"}),
    "V17 V05": ("prompt_rag", "tuned_rag", {"model", "training", "system_template"}),
}


@pytest.mark.parametrize("rows", PAIRS)
def test_just_this_differs(rows: str, run: Finished) -> None:
    left, right, expected = PAIRS[rows]
    found = run.differing(left, right)
    assert {name for name in expected if not any(f.startswith(name) for f in found)} == set()
    assert [f for f in found if not f.startswith(tuple(expected))] == []


def passages(row: dict, stage: str) -> list[str]:  # type: ignore[type-arg]
    return [passage["id"] for passage in steps(row, stage)[0]["detail"]["passages"]]


def test_r01_r02_pieces_are_sections_or_of_fixed_size_and_cut_rules_are_told(
    run: Finished, shop: LiveProject
) -> None:
    """Also V14: the exception stands in another piece than its rule."""
    assert passages(run.trial("prompt_rag", "x1"), "retrieve")[0] == "returns#window"
    assert all("@" in name for name in passages(run.trial("rag_fixed", "x1"), "retrieve"))
    told = shop.harness("check", "configs/retrieval.yaml").stderr
    assert "rag_fixed: chunking cuts" in told
    assert "returns#window" in told
    assert "prompt_rag: chunking cuts" not in told


def test_r03_r16_who_may_not_see_a_document_does_not_find_it(run: Finished) -> None:
    for variant in ("prompt_rag", "rag_fixed", "tuned_dense", "tuned_hybrid"):
        (for_staff,) = steps(run.trial(variant, "s1"), "retrieve")
        (for_others,) = steps(run.trial(variant, "s2"), "retrieve")
        assert for_staff["detail"]["where"] == {"audience": "staff"}
        assert for_others["detail"]["where"] == {"audience": "public"}
        assert for_staff["detail"]["passages"][0]["id"].startswith("discounts")
        ids = [one["id"] for one in for_others["detail"]["passages"]]
        assert not any(name.startswith("discounts") for name in ids)
    assert "40 percent" in run.trial("prompt_rag", "s1")["output_json"]


def test_r04_a_rewritten_query_finds_what_other_words_hide(run: Finished) -> None:
    plain, rewritten = run.trial("prompt_rag", "w1"), run.trial("rag_rewrite", "w1")
    assert "shipping#time" not in passages(plain, "retrieve")
    assert stages(rewritten)[:2] == ["rewrite", "retrieve"]
    assert "parcels" in steps(rewritten, "retrieve")[0]["detail"]["query"]
    assert passages(rewritten, "retrieve")[0] == "shipping#time"
    recall = "found.recall@5"
    assert run.figure("rag_rewrite", recall) > run.figure("prompt_rag", recall)


def test_r05_r06_m21_reranking_keeps_five_and_its_lift_is_measured(run: Finished) -> None:
    row = run.trial("rag_rerank", "f5")
    assert stages(row)[:3] == ["retrieve", "rerank", "context"]
    assert passages(row, "retrieve")[0] == "questions#often"
    assert passages(row, "rerank")[0] == "beans#freshness"
    assert len(passages(row, "rerank")) <= 5
    assert steps(row, "rerank")[0]["cost_usd"] == 0.001
    assert run.figure("rag_rerank", "ranked.mrr") > run.figure("rag_rerank", "found.mrr")
    assert run.figure("prompt_rag", "ranked.mrr") == run.figure("prompt_rag", "found.mrr")


def test_r08_r09_context_is_chosen_and_compressed(run: Finished) -> None:
    narrow, compressed = run.trial("rag_narrow", "f1"), run.trial("rag_compress", "f1")
    (context,) = steps(narrow, "context")
    assert context["detail"]["tokens"] <= 60
    assert any("do not fit" in one["reason"] for one in context["detail"]["dropped"])
    assert stages(compressed).index("compress") < stages(compressed).index("context")
    plain = run.trial("prompt_rag", "f1")
    assert compressed["output_json"] == plain["output_json"]
    prompt = steps(compressed, "generate")[0]["detail"]["messages"][-1]["content"]
    assert "30 days" in prompt
    assert "Opened bags are an exception" not in prompt
    reverse = run.trial("rag_reverse", "f1")
    assert passages(reverse, "context") == passages(plain, "context")[::-1]


def test_r12_sources_must_exist_else_the_answer_is_withheld(run: Finished) -> None:
    """Grounded answers with citations, and a policy of abstention where there are none."""
    row = run.trial("rag_cited", "f1")
    assert stages(row)[-5:] == ["generate", "validate", "repair", "validate", "fallback"]
    assert "rule: sources-exist: name the id of a passage, or none" in row["rejections"]
    assert (row["fallback_used"], row["fallback_to"]) == (True, "human")
    assert json.loads(row["output_json"]) == {"answer": "unknown", "source": "none"}
    assert run.figure("prompt_rag", "cites.valid") == 1
    assert run.figure("prompt_rag", "cites.correct") == 1


def test_r13_contradictory_passages_carry_rank_and_score(run: Finished) -> None:
    row = run.trial("prompt_rag", "f4")
    prompt = steps(row, "generate")[0]["detail"]["messages"][-1]["content"]
    first, second = prompt.index("2 years"), prompt.index("1 year,")
    assert first < second
    assert '<passage id="warranty#length" rank="1" score="' in prompt
    assert '<passage id="warranty-2019#length" rank="2" score="' in prompt


def test_r15_r17_another_retriever_serves_the_same_model_and_its_cost_counts(
    run: Finished,
) -> None:
    row = run.trial("tuned_dense", "w1")
    assert stages(row)[:3] == ["embed", "retrieve", "context"]
    assert passages(row, "retrieve")[0] == "shipping#time"
    embed, search = steps(row, "embed")[0], steps(row, "retrieve")[0]
    assert embed["latency_s"] > 0
    assert search["cost_usd"] == pytest.approx(7 * 10 / 1e6)  # words of the input
    assert row["cost_usd"] > search["cost_usd"]
    rag, alone = run.trial("prompt_rag", "f1"), run.trial("prompt_only", "f1")
    assert rag["prompt_tokens"] > alone["prompt_tokens"]
    assert rag["cost_usd"] > alone["cost_usd"]
    for variant in ("tuned_rag", "tuned_dense", "tuned_hybrid"):
        generate = steps(run.trial(variant, "f1"), "generate")[0]
        assert generate["detail"]["model"] == "http/tuned"


def test_m17_m18_precision_and_recall_at_five_and_a_threshold(
    run: Finished, shop: LiveProject
) -> None:
    """The gate blocks below precision@5 of 0.7, whatever the answers are like."""
    assert run.figure("prompt_rag", "found.recall@5") > 0.8
    precision = run.figure("prompt_rag", "found.precision@5")
    assert precision < 0.7 < run.figure("prompt_rag", "correct", "kind=fact")
    told = shop.harness("gate", str(run.folder), check=1).stdout
    assert "found.precision@5" in told


def test_m19_m20_r18_context_is_measured_apart_from_the_answer(run: Finished) -> None:
    """Failed answers do not hide what was retrieved, nor do good ones make it look better."""
    for metric in ("found.recall@5", "shown.recall@5", "shown.signal"):
        assert run.figure("rag_cited", metric) == run.figure("prompt_rag", metric)
    assert run.figure("rag_cited", "correct") < run.figure("prompt_rag", "correct")
    assert run.figure("rag_compress", "shown.signal") > run.figure("prompt_rag", "shown.signal")
    assert run.figure("rag_fixed", "shown.diffuseness") > 1


@pytest.mark.usefixtures("run")
def test_r07_data_that_may_not_leave_stays(shop: LiveProject) -> None:
    text = (shop.folder / "configs/retrieval.yaml").read_text("utf-8")
    outside = "- {id: away, extends: ../variants/prompt_rag, rerank: {kind: http, base_url: 'https://api.cohere.com/v2'}}"  # fmt: skip # noqa: E501
    text = text.replace("- ../variants/prompt_rag\n", f"- ../variants/prompt_rag\n{outside}\n", 1)
    shop.write("configs/residency.yaml", text + "allowed_hosts: [127.0.0.1]\n")
    told = shop.harness("check", "configs/residency.yaml", check=2).stderr
    assert "http would send data to api.cohere.com, which is not among allowed_hosts" in told
    assert "configs/residency.yaml:" in told


@pytest.mark.usefixtures("run")
def test_r14_documents_about_style_are_told(shop: LiveProject) -> None:
    shop.write("corpus-of-all/tone-of-voice.md", "# Tone of voice\n\nWe are warm.\n")
    shop.write("corpus-of-all/facts.md", "# Facts\n\nThe shop opens at 9 hours.\n")
    shop.write("variants/all/variant.yaml", "id: all\nextends: ../prompt_only\n"
               "retrieval: {corpus: ../../corpus-of-all}\n")  # fmt: skip
    text = (shop.folder / "configs/retrieval.yaml").read_text("utf-8")
    text = text.replace(
        "- ../variants/prompt_rag\n", "- ../variants/prompt_rag\n- ../variants/all\n"
    )
    shop.write("configs/style.yaml", text)
    told = shop.harness("check", "configs/style.yaml").stderr
    assert "about style, not facts: tone-of-voice" in told


def test_r19_a_changed_source_changes_the_next_answer(shop: LiveProject) -> None:
    """Also the freshness of R16: no index of the old text answers."""
    names = "- ../variants/prompt_only\n- ../variants/prompt_rag\n"
    beans = shop.folder / "corpus" / "beans.md"
    old = beans.read_text("utf-8")
    before = experiment(shop, "before", names, options=("--limit", "10"))
    try:
        beans.write_text(old.replace("6 weeks", "9 weeks"), encoding="utf-8")
        shop.harness("freeze", "evalsets/shop")
        after = experiment(shop, "after", names, options=("--limit", "10"))
    finally:
        beans.write_text(old, encoding="utf-8")
        shop.harness("freeze", "evalsets/shop")
    assert "6 weeks" in before.trial("prompt_rag", "f5")["output_json"]
    assert "9 weeks" in after.trial("prompt_rag", "f5")["output_json"]
    key = "retrieval.corpus"
    assert (
        before.comparison["factors"][key]["prompt_rag"]
        != after.comparison["factors"][key]["prompt_rag"]
    )
