"""Factors are held against what may differ before anything runs: excuses, ladder, requests."""

from __future__ import annotations

from pathlib import Path

import live_desk as desk
import pytest

from harness.core.experiment import VariantFacts
from harness.errors import InputError
from harness.experiment.check import check_experiment
from harness.plugins.providers.anthropic import Anthropic

URL = "http://127.0.0.1:9/v1"
A = "id: a"
B = "id: b\nmodel: http/n\nuser: other.j2\nparams: {temperature: 1}"
C = "id: c\nmodel: http/n"


@pytest.fixture(autouse=True)
def _prompt(here: Path) -> None:
    Path("configs").mkdir()
    Path("configs/other.j2").write_text("Please: {{ question }}")


def test_all_variants_are_compared_even_if_few_are_run() -> None:
    desk.config(A, B, C, more="factors: [model]\n", url=URL)
    told = desk.refused(variants=("a", "c"))
    assert [text.partition(" (")[0] for text in told] == [
        "configs/desk.yaml:11:11: confounded: a and b differ in user_template AND "
        "params.temperature",
        "configs/desk.yaml:14:5: confounded: b and c differ in params.temperature AND "
        "user_template",
    ]


def test_an_excuse_must_be_of_use() -> None:
    excuses = "\n".join(
        f"  - {{pair: [{pair}], reason: so}}" for pair in ("a, c", "a, nobody", "a, a")
    )
    more = f"factors: [model, user_template, params]\nconfounded_ok:\n{excuses}\n"
    desk.config(A, C, more=more, url=URL)
    assert [text.partition(": ")[2] for text in desk.refused()] == [
        "this pair differs in declared factors only | remove the excuse",
        "there is no variant 'nobody' | known: a, c",
        "'a' twice is no pair",
    ]


def test_an_excused_pair_is_kept_with_its_reason() -> None:
    more = "factors: [model]\nconfounded_ok: [{pair: [b, a], reason: bought together}]\n"
    desk.config(A, B, more=more, url=URL)
    ((pair, reason),) = desk.ready().setup.excused
    assert reason == "bought together"
    assert [one.field for one in pair.differences] == ["user_template", "params.temperature"]


def test_arms_are_proposed_so_that_each_step_changes_one_thing() -> None:
    desk.config(A, B, C, more="factors: [model, user_template, params]\n", url=URL)
    (told,) = desk.ready().setup.ladder
    assert told.startswith("a and b differ in model, user_template and params at once")


def test_a_limit_must_be_of_a_service_that_is_asked() -> None:
    limits = "execution:\n  limits:\n    http/m: {in_flight: 2}\n    http: {in_flight: 3}\n"
    desk.config(A, C, more=f"factors: [model]\n{limits}", url=URL)
    assert set(desk.ready(variants=("a",)).experiment.execution.limits) == {"http/m", "http"}
    wrong = "    htp/n: {in_flight: 2}\n    openai: {in_flight: 2}\n"
    desk.config(A, C, more=f"factors: [model]\n{limits}{wrong}", url=URL)
    first, second = desk.refused(variants=("a",))
    assert first.endswith(
        "no live variant or judge asks a service 'htp/n', so nothing is limited"
        " | did you mean 'http/n'?"
    )
    assert first.startswith("configs/desk.yaml:")
    assert "'openai'" in second


def test_a_judge_is_asked_too() -> None:
    judge = f"{{id: j, model: http/j, base_url: '{URL}'}}"
    entry = f"{{id: better, rubric: {{criteria: {{right: the facts}}}}, judges: [{judge}]}}"
    limits = "execution: {limits: {http/j: {in_flight: 2}}}\n"
    desk.config(A, C, more=f"factors: [model]\npairwise: [{entry}]\n{limits}", url=URL)
    assert set(desk.ready().experiment.execution.limits) == {"http/j"}


def test_a_route_that_cannot_be_had_is_told_without_its_consequences() -> None:
    desk.config(A, "id: b\nmodel: htp/m", more="factors: []\n", url=URL)
    (told,) = desk.refused()
    assert "no provider is called 'htp'" in told


def test_what_a_model_does_not_take_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    desk.config(
        "id: a\nmodel: openai/gpt-5\nparams: {top_k: 3}",
        "id: b\nmodel: openai/gpt-5\nparams: {top_k: 3}\nuser: other.j2",
        more="factors: [user_template]\n",
    )
    told = desk.refused()
    assert any(
        "OPENAI_API_KEY is not set" in text and "a: generate: openai/gpt-5" in text for text in told
    )
    assert any("top_k" in text and "b: generate" in text for text in told)
    only = desk.refused(variants=("a",))
    assert not any("b: generate" in text for text in only)


def test_examples_that_stand_in_the_prompt_are_refused() -> None:
    Path("configs/shots.jsonl").write_text('{"input": {"question": "Number 3?"}, "output": "3"}\n')
    Path("configs/shot.j2").write_text("{{ shots }}{{ question }}")
    desk.config(
        "id: a\nuser: shot.j2\nfew_shot: {from: shots.jsonl, count: 1}",
        more="factors: []\n",
        url=URL,
    )
    (told,) = desk.refused()
    assert told.startswith("configs/shots.jsonl:1")
    assert "'e003'" in told


def confounded(*variants: str, factors: str = "") -> list[str]:
    """The sentences about pairs, whatever else is wrong."""
    desk.config(*variants, more=f"factors: [{factors}]\n", url=URL)
    try:
        desk.ready()
    except InputError as error:
        return [p.what for p in error.problems if p.what.startswith("confounded")]
    return []


@pytest.mark.parametrize(
    ("model", "first", "second"),
    [
        ("openai/gpt-5", "https://eu.gateway.example/v1", "https://eu.gateway.example/v2"),
        ("anthropic/claude-x", "https://gateway.example", "http://gateway.example"),
        ("litellm/openai/gpt-5", "https://gateway.example:1/v1", "https://gateway.example:2/v1"),
    ],
)
def test_two_endpoints_of_one_model_are_a_difference(model: str, first: str, second: str) -> None:
    arms = [
        f"id: {n}\nmodel: {model}\nbase_url: {url}"
        for n, url in zip("ab", (first, second), strict=True)
    ]
    (told,) = confounded(*arms)
    assert told == f"confounded: a and b differ in base_url ({first} / {second})"
    assert confounded(*arms, factors="base_url") == []


def test_a_vendors_own_address_is_the_one_that_its_sdk_takes() -> None:
    assert (
        confounded(
            "id: a\nmodel: openai/gpt-5",
            "id: b\nmodel: openai/gpt-5\nbase_url: https://api.openai.com/v1/",
        )
        == []
    )
    (told,) = confounded(
        "id: a\nmodel: openai/gpt-5", "id: b\nmodel: openai/gpt-5\nbase_url: https://eu.example/v1"
    )
    assert told.endswith("base_url (https://api.openai.com/v1 / https://eu.example/v1)")


def test_two_clients_of_one_address_differ_in_the_route_alone() -> None:
    (told,) = confounded(
        f"id: a\nmodel: openai/m\nbase_url: {URL}/", f"id: b\nmodel: http/m\nbase_url: {URL}"
    )
    assert "differ in sdk.route AND sdk.client (" in told


def test_an_api_version_is_told_once() -> None:
    own = Anthropic().api_version
    plain = "id: a\nmodel: anthropic/m"
    (told,) = confounded(plain, "id: b\nmodel: anthropic/m\nprovider: {api_version: '2024-01-01'}")
    assert told == f"confounded: a and b differ in sdk.api_version ({own} / 2024-01-01)"
    assert not confounded(plain, f"id: b\nmodel: anthropic/m\nprovider: {{api_version: '{own}'}}")


def prepared(*variants: str) -> dict[str, VariantFacts]:
    desk.examples()
    desk.config(*variants, more="factors: []\n", url=URL)
    return {facts.id: facts for facts in desk.ready().variants}


def test_a_default_that_is_written_out_is_no_difference() -> None:
    Path("docs").mkdir()
    Path("docs/a.md").write_text("# A\n\nAll.\n")
    Path("configs/rag.j2").write_text("{{ passages }}{{ question }}")
    Path("toolbox_of_a_test.py").write_text(
        'def look(a: int) -> int:\n    """Looks."""\n    return a\n'
    )
    plain = (
        "user: rag.j2\nretrieval: {corpus: ../docs%s}\n"
        "tools: {use: [{kind: python, function: 'toolbox_of_a_test:look'%s}]}"
    )
    given = prepared(
        "id: a\n" + plain % ("", ""),
        "id: b\n" + plain % (", k1: 1.2, b: 0.75", ", timeout_s: 10, memory_mb: 512"),
    )
    assert len({facts.fingerprint for facts in given.values()}) == 1
    assert "retrieval.k1" not in given["b"].facts
    assert confounded("id: a\n" + plain % ("", ""), "id: b\n" + plain % (", k1: 1.5", "")) == [
        "confounded: a and b differ in retrieval.k1 (none / 1.5)"
    ]


def test_a_default_counts_as_little_in_a_nested_option_or_variant() -> None:
    Path("docs").mkdir()
    Path("docs/a.md").write_text("# A\n\nAll.\n")
    Path("configs/rag.j2").write_text("{{ passages }}{{ question }}")
    for name, more in (("one", ""), ("two", ", timeout_s: 60")):
        folder = Path(f"variants/{name}")
        folder.mkdir(parents=True)
        dense = f"{{kind: http, model: e, base_url: '{URL}'{more}}}"
        (folder / "variant.yaml").write_text(
            f"id: inner\nmodel: http/m\nbase_url: {URL}\nuser: ../../configs/rag.j2\n"
            f"retrieval: {{corpus: ../../docs, kind: dense, embedder: {dense}}}\n"
        )
    given = prepared("id: a\nfallback: ../variants/one", "id: b\nfallback: ../variants/two")
    assert given["a"].fingerprint == given["b"].fingerprint
    assert given["a"].facts["fallback.to"] == given["b"].facts["fallback.to"]
    text = Path("variants/two/variant.yaml").read_text()
    Path("variants/two/variant.yaml").write_text(text.replace("model: e,", "model: f,"))
    assert confounded("id: a\nfallback: ../variants/one", "id: b\nfallback: ../variants/two")


def test_every_mistake_of_a_variant_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    Path("configs/broken.j2").write_text("{% if %}")
    retrieval = "retrieval: {corpus: ../nowhere, kind: bm52}"
    desk.config(
        f"id: a\nmodel: opnai/m\nuser: broken.j2\n{retrieval}",
        "id: b\nmodel: http/m\nbase_url: ''\nuser: broken.j2\nprovider: {tiemout: 3}",
        "id: c\nmodel: openai/m\nuser: broken.j2\n"
        "tools: {use: [{kind: pyton}]}\nrerank: {kind: htp}\nretrieval: {corpus: ../no, topk: 4}",
        "id: d\nmodel: http/m\nuser: broken.j2\nfallback: ../variants/inner",
        more="factors: []\n",
    )
    text = desk.CONFIG.read_text().replace("    base_url: ''\n", "")
    desk.CONFIG.write_text(text)
    Path("variants/inner").mkdir(parents=True)
    Path("variants/inner/variant.yaml").write_text("id: i\nmodel: htpt/m\nuser: no.j2\n")
    told = "\n".join(desk.refused())
    for mistake in (
        "broken.j2:1:1: it cannot be read", "the corpus ../nowhere does not exist",
        "no provider is called 'opnai'", "no retriever is called 'bm52'", "missing key 'base_url'",
        "unknown key 'tiemout'", "no tool is called 'pyton'", "no reranker is called 'htp'",
        "OPENAI_API_KEY is not set", "unknown key 'topk' | did you mean 'top_k'?",
        "no provider is called 'htpt'", "the template no.j2 does not exist",
    ):  # fmt: skip
        assert mistake in told, told
    assert "needs a corpus" not in told


def test_conditions_that_no_retriever_can_hold_are_told_at_their_place() -> None:
    Path("docs").mkdir()
    Path("docs/a.md").write_text("# A\n\nAll.\n")
    Path("configs/rag.j2").write_text("{{ passages }}{{ question }}")
    desk.config(
        "id: a\nuser: rag.j2\nretrieval:\n  corpus: ../docs\n  where:\n    team: {befor: 1}\n"
        "    year: {after: soon}\n    day: {after: '{{ question }}'}",
        more="factors: []\n",
        url=URL,
    )
    told = desk.refused()
    assert [text.partition(": ")[0] for text in told] == [
        "configs/desk.yaml:10:15",
        "configs/desk.yaml:11:15",
    ]
    assert "where.year: after needs a number or a date" in told[1]


def test_what_shows_nothing_is_a_warning() -> None:
    desk.examples()
    desk.config(A, "id: b", "id: c\nmodel: http/n", more="factors: [model, retrieval]\n", url=URL)
    assert desk.ready().setup.warnings == (
        "variants a and b do not differ in any factor",
        "the factor retrieval is declared, but no two variants differ in it",
    )
    found = check_experiment(desk.CONFIG)
    assert set(desk.ready().setup.warnings) <= set(found.warnings)


def test_the_first_line_in_which_templates_differ_is_shown() -> None:
    Path("configs/one.j2").write_text("Hello.\n{{ question }}\n")
    Path("configs/two.j2").write_text("Hello.\nNow: {{ question }}")
    (told,) = confounded("id: a\nuser: one.j2", "id: b\nuser: two.j2")
    assert '(first difference in line 2: "{{ question }}" / "Now: {{ question }}")' in told


def test_arms_are_proposed_that_check_would_take() -> None:
    Path("configs/shots.jsonl").write_text('{"input": {"question": "Why?"}, "output": "So"}\n')
    Path("configs/shot.j2").write_text("{{ shots }}{{ question }}")
    shown = "user: shot.j2\nfew_shot: {from: shots.jsonl, count: 1}"
    card = "training: {base_model: b, method: lora, date: 2026-11-01}"
    factors = "factors: [model, user_template, few_shot]\n"
    desk.examples()
    desk.config(A, f"id: b\nmodel: http/n\n{card}\n{shown}", more=factors, url=URL)
    (told,) = desk.ready().setup.ladder
    assert told.endswith("add: an arm like a with b's model (with its training card)")
    third = f"id: c\nmodel: http/n\n{card}"
    desk.config(A, f"id: b\nmodel: http/n\n{card}\n{shown}", third, more=factors, url=URL)
    assert desk.ready().setup.ladder == ()
