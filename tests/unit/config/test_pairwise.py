"""The entries of `pairwise:`: what is read, and that everything wrong is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.judging import VARIABLES, read_pairwise
from harness.config.source import read_yaml
from harness.core.pairwise import LengthSpec, PairwiseSpec, Rubric
from harness.errors import Problem
from harness.judging import prompt

JUDGED = """
pairwise:
  - id: better
    rubric: {question: Which?, criteria: {one: first, two: second}}
    show: [input.question, target]
    orders: one
    repeats: 3
    pairs: all
    judges:
      - id: j
        model: http/m
        base_url: http://127.0.0.1:1/v1
        provider: {api_key_env: SOME_KEY}
        params: {temperature: 0}
        prompt: judge.j2
        verdict: token
      - {id: k, model: scripted/m, provider: {rules: rules.yaml}, structured: false}
"""
GIVEN = """
pairwise:
  - id: people
    verdicts: votes.jsonl
    fields: {id: qid}
    where: {turn: "1"}
    panels: {experts: ["expert_*"]}
    humans: ["expert_*"]
    labels: target.better
    min_agreement: 0.7
    length_control: {difficulty: hard, rows: votes.jsonl}
  - {id: more, verdicts: votes.jsonl, labels: votes.jsonl, length_control: true}
"""


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    Path("judge.j2").write_text("{{ question }} {{ first }} {{ second }}")
    Path("votes.jsonl").write_text("{}\n")


def read(text: str) -> tuple[tuple[PairwiseSpec, ...], list[Problem]]:
    Path("x.yaml").write_text(text)
    problems: list[Problem] = []
    source = read_yaml(Path("x.yaml"), problems)
    assert source is not None
    return read_pairwise(source, problems), problems


def test_judges() -> None:
    (spec,), problems = read(JUDGED)
    assert problems == []
    assert spec.rubric == Rubric("Which?", {"one": "first", "two": "second"})
    assert (spec.show, spec.orders) == (("input.question", "target"), "one")
    assert (spec.repeats, spec.pairs) == (3, "all")
    first, second = spec.judges
    assert (first.model.id, first.model.params) == ("http/m", {"temperature": 0})
    assert first.model.provider.options == {
        "base_url": "http://127.0.0.1:1/v1",
        "api_key_env": "SOME_KEY",
    }
    assert first.model.provider.where("api_key_env") == "x.yaml:13:33"
    assert first.prompt is not None
    assert (first.prompt.name, first.verdict) == ("judge.j2", "token")
    assert (second.verdict, second.structured, second.prompt) == ("json", False, None)


def test_given_verdicts() -> None:
    (spec, more), problems = read(GIVEN)
    assert problems == []
    assert (spec.verdicts, spec.fields, spec.where) == ("votes.jsonl", {"id": "qid"}, {"turn": "1"})
    assert (spec.panels, spec.humans) == ({"experts": ("expert_*",)}, ("expert_*",))
    assert (spec.labels, spec.labels_file, spec.min_agreement) == ("target.better", False, 0.7)
    assert spec.length_control == LengthSpec("hard", "votes.jsonl")
    assert (more.labels, more.labels_file) == ("votes.jsonl", True)
    assert more.length_control == LengthSpec()
    assert (more.place(), more.place("labels"), more.place("fields")) == (
        "x.yaml:12:5",
        "x.yaml:12:47",
        "x.yaml:12:5",
    )


@pytest.mark.parametrize(
    ("entry", "where", "what"),
    [
        ("{id: a}", "3:5", "'a' has neither judges nor verdicts"),
        ("{id: a, verdicts: gone.jsonl}", "3:23", "the file of verdicts gone.jsonl does not exist"),
        ("{id: a, verdicts: votes.jsonl, repeats: 2}", "3:45", "repeats belongs to judges"),
        ("{id: a, verdicts: votes.jsonl, labels: l.csv}", "3:44", "the file of labels l.csv does"),
        (
            "{id: a, verdicts: votes.jsonl, length_control: {rows: gone}}",
            "3:59",
            "rows gone does not exist",
        ),
        ("{id: a, judges: [{id: j, model: http/m}]}", "3:5", "'a' has judges, but no rubric"),
        (
            "{id: a, rubric: {criteria: {x: y}}, judges: [{id: j, model: http/m, "
            "base_url: 'http://me:secret@127.0.0.1'}]}",
            "3:83",
            "holds a password",
        ),
        (
            "{id: a, rubric: {criteria: {x: y}}, judges: [{id: j, model: http/m, prompt: no.j2}]}",
            "3:81",
            "the template no.j2 does not exist",
        ),
        (
            "{id: a, rubric: {criteria: {x: y}}, judges: [{id: j, model: 'http/${HOME}'}]}",
            "3:65",
            "model uses ${HOME}, which is not read",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is(entry: str, where: str, what: str) -> None:
    _, problems = read(f"\npairwise:\n  - {entry}\n")
    (problem,) = problems
    assert what in problem.what
    assert problem.where == f"x.yaml:{where}"


def test_config_and_prompt_name_the_same_variables() -> None:
    assert VARIABLES == prompt.VARIABLES
