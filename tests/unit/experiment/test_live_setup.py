"""Factors are held against what may differ before anything runs: excuses, ladder, requests."""

from __future__ import annotations

from pathlib import Path

import live_desk as desk
import pytest

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
