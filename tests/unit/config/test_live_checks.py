# ruff: noqa: E501 - whole messages stand on one line
"""Checks of live variants against an eval set: names in templates, and examples that leak."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given as given_that
from hypothesis import settings
from hypothesis import strategies as st
from variant_files import read, write

from harness.config.live import Live
from harness.config.live_checks import (
    input_fields,
    leak_problems,
    query_warnings,
    template_problems,
)
from harness.config.live_files import ShotsFile
from harness.core.example import EvalSet, Example
from harness.core.values import JsonValue
from harness.core.variant import Component, LiveVariant, ModelChoice, Prompt, Shot, Template

FIELDS = ("question", "team")
BLANK = LiveVariant(
    "v", ModelChoice(Component("http"), "x"), Prompt(None, Template("user.j2", "")), {}, ""
)


def evalset(*inputs: JsonValue) -> EvalSet:
    examples = tuple(Example(f"t-{i}", given, target="gold") for i, given in enumerate(inputs))
    return EvalSet("set", "0" * 64, examples)


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    write("v/user.j2", "{{ question }}")
    write("v/shots.jsonl", '{"input": {"question": "Why?"}, "output": "So."}\n')
    write("v/docs/a.md", "# A\n")


def variant(more: str = "", **templates: str) -> Live:
    for name, text in templates.items():
        write(f"v/{name}.j2", text)
    write("v/variant.yaml", f"id: v\nmodel: http/x\nuser: user.j2\n{more}")
    entries, problems = read("v")
    assert problems == []
    found = entries[0].live
    assert found is not None
    return found


def names(more: str = "", fields: Sequence[str] = FIELDS, **templates: str) -> list[str]:
    found = template_problems(variant(more, **templates), fields)
    return [str(problem).replace("\n  hint:", " |") for problem in found]


def test_input_fields_are_those_of_any_example() -> None:
    assert input_fields(evalset({"a": 1}, "text", {"b": 2, "a": 3})) == ("a", "b")


def test_known_names_are_fine() -> None:
    user = "{% for p in passages %}{{ p.text }}{% endfor %}{{ shots }}{{ checks }}{{ input.team }}"
    assert names(user=user) == []
    assert names(user="{{ input }}", fields=()) == []
    assert names(user="{% set x = question %}{{ x }}") == []
    assert names(user="{{ extra | default('none') }}") == []


def test_an_unknown_field_is_told_with_its_line() -> None:
    assert names(user="question:\n\n{{ qestion }}\n{{ input.tem }}") == [
        "v/user.j2:3:4: no example's input has the field 'qestion' | did you mean 'question'?",
        "v/user.j2:4:10: no example's input has the field 'tem' | did you mean 'team'?",
    ]
    assert names(user="{{ question }}", fields=()) == [
        "v/user.j2:1:4: no example's input has the field 'question' | known: input, passages,"
        " shots, checks"
    ]


@pytest.mark.parametrize("gold", ["target", "slices", "evidence", "tool_calls", "abstain"])
def test_gold_fields_are_never_seen(gold: str) -> None:
    (found,) = names(user=f"a\n{{{{ {gold} }}}}")
    assert found == (
        f"v/user.j2:2:4: '{gold}' belongs to the examples' answers, which no system may see |"
        " known here: question, team, input, passages, shots, checks"
    )


def test_an_input_field_of_that_name_is_one() -> None:
    assert names(user="{{ target }}", fields=("target",)) == []


def test_every_text_has_names_of_its_own() -> None:
    more = """\
retrieval:
  corpus: docs
  query: query.j2
  rewrite: {model: http/x, user: rewrite.j2}
  where: {team: "{{ tem }}"}
context: {compress: {model: http/x, user: compress.j2}}
draft: {model: http/x, user: draft.j2}
output: {rules: [{name: a, that: output != '' and confidence > 0}]}
fallback: {answer: x, when: outptu == ''}
route: {rules: [{when: 'passages == []', answer: x}]}
tools: {use: [{kind: python, when: team == 'a'}], before: [{tool: t, arguments: {a: "{{ summary }}"}}]}
"""
    found = names(
        more,
        query="{{ question }}{{ checks }}",
        rewrite="{{ query }}",
        compress="{{ passage.text }} {{ query }}",
        draft="{{ summary }}{{ passages }}",
    )
    assert sorted(found) == [
        "v/variant.yaml:12:29: no example's input has the field 'outptu' | did you mean 'output'?",
        "v/variant.yaml:13:24: 'passages' is not known yet where this text is used",
        "v/variant.yaml:14:85: 'summary' is not known yet where this text is used",
        "v/variant.yaml:8:17: no example's input has the field 'tem' | did you mean 'team'?",
    ]


def test_passages_and_shots_must_reach_a_prompt() -> None:
    more = "retrieval: {corpus: docs}\nfew_shot: {from: shots.jsonl, count: 1}\n"
    assert names(more) == [
        "v/variant.yaml:4:12: retrieval is given, but no template of the prompt uses `passages` | in the template: {% for passage in passages %}[{{ passage.id }}] {{ passage.text }}{% endfor %}",
        "v/variant.yaml:5:11: few_shot is given, but no template of the prompt uses `shots` | in the template: {% for shot in shots %}{{ shot.input }} -> {{ shot.output }}{% endfor %}",
    ]
    assert names(more, user="{{ shots }}{{ passages }}") == []


def test_variants_that_it_leads_to_are_checked_too() -> None:
    write("w/variant.yaml", "id: w\nmodel: http/x\nuser: user.j2\n")
    write("w/user.j2", "{{ nothing }}")
    (found,) = names("fallback: ../w\n")
    assert found.startswith("w/user.j2:1:4: no example's input has the field 'nothing'")


def test_a_text_for_a_condition_does_not_belong_in_the_query() -> None:
    docs = "retrieval: {corpus: docs, where: {team: %s}%s}\n"
    asked = evalset({"question": "Why?", "team": "a", "n": 1})

    def warned(where: str, more: str = "", given: EvalSet = asked) -> list[str]:
        found = variant(docs % (where, more), user="{{ passages }}", query="{{ question }}")
        return query_warnings(found, given)

    (told,) = warned("'{{ team }}'")
    assert told == (
        "v/variant.yaml:4:12: the query is made of all texts of the input, team among them, which"
        " retrieval.where uses; give query: query.j2 with the texts to look for"
    )
    assert warned("'{{ input.team }}'") == [told]
    assert warned("'{{ team }}'", ", query: query.j2") == []
    assert warned("'{{ team }}'", ", rewrite: {model: http/x, user: query.j2}") == []
    assert warned("'{{ n }}'") == []
    assert warned("a") == []
    assert warned("'{{ team }}'", given=evalset({"team": "a"}, "text")) == []
    assert query_warnings(variant(), asked) == []


def leaks(given: EvalSet, more: str = "few_shot: {from: shots.jsonl, count: 1}\n") -> list[str]:
    return [str(p).replace("\n  hint:", " |") for p in leak_problems(variant(more), given)]


def test_examples_of_the_set_never_stand_in_a_prompt() -> None:
    assert leaks(evalset({"question": "How?"}, {"question": " why? \n"})) == [
        "v/shots.jsonl:1:1: this example for the prompt is 't-1' of the eval set | examples for"
        " prompts come from elsewhere"
    ]
    assert leaks(evalset({"question": "Why not?"})) == []
    assert leaks(evalset("WHY?")) != []
    assert leaks(evalset({"question": "Why?", "team": "a"})) == []


def test_only_the_examples_that_are_used_count() -> None:
    write("v/shots.jsonl", '{"input": "Why?", "output": 1}\n{"input": "How?", "output": 1}\n')
    how = evalset("how?")
    assert leaks(how) == []
    nearest = "few_shot: {from: shots.jsonl, count: 1, select: nearest}\n"
    assert [problem[:17] for problem in leaks(how, nearest)] == ["v/shots.jsonl:2:1"]


TRAINING = "training: {base_model: b, method: lora, data: train.jsonl, date: 2026-11-01}\n"


def test_a_training_set_never_holds_examples() -> None:
    write(
        "v/train.jsonl",
        """\
        {"messages": [{"role": "user", "content": "WHO  is it?"}, {"role": "assistant", "content": "I"}]}
        {"prompt": "other", "meta": {"deep": ["What?"]}}
        {"q": "a", "context": "b"}
        """,
    )
    given = evalset("Who is it?", {"question": "what?"}, {"x": "A", "y": "B"}, {"x": "a", "y": "c"})
    assert leaks(given, TRAINING) == [
        f"v/train.jsonl:{line}:1: the training set holds 't-{line - 1}' of the eval set | train on"
        " other data, or judge on other examples"
        for line in (1, 2, 3)
    ]


def test_an_example_inside_a_training_prompt_is_found() -> None:
    write(
        "v/train.jsonl",
        """\
        {"messages": [{"role": "user", "content": "Answer: \\"How long may I return a gift?\\" Be kind."}]}
        {"messages": [{"role": "user", "content": "How long may I return a ring?"}]}
        {"messages": [{"role": "user", "content": "Why not me?"}]}
        """,
    )
    given = evalset("How long may I return a gift?", "may I return", "not me")
    assert [text[:17] for text in leaks(given, TRAINING)] == ["v/train.jsonl:1:1"]


def test_a_training_set_that_cannot_be_read_is_told() -> None:
    write("v/train.jsonl", "{")
    (found,) = leaks(evalset("x"), TRAINING)
    assert "broken JSON" in found


def test_many_leaks_are_counted() -> None:
    write("v/train.jsonl", '{"a": "x"}\n' * 50)
    found = leaks(evalset("x"), TRAINING)
    assert len(found) == 21
    assert found[-1] == "v/train.jsonl: and 30 more problems in this file"


@settings(deadline=None)
@given_that(st.lists(st.text(), min_size=1, max_size=4), st.data())
def test_case_and_white_space_hide_nothing(texts: list[str], data: st.DataObject) -> None:
    given = {str(i): text for i, text in enumerate(texts)}
    spaced = [text.replace(" ", data.draw(st.sampled_from([" ", "  ", "\n"]))) for text in texts]
    more = data.draw(st.lists(st.text(), max_size=3))
    shot = Shot({"all": data.draw(st.permutations([*spaced, *more]))}, "output")
    held = Live("v", None, BLANK, (), shots=ShotsFile((shot,), (1,), Path("shots.jsonl")))
    if any(text.strip() for text in texts):
        assert len(leak_problems(held, evalset(given))) == 1


def test_a_check_that_no_call_makes_is_told() -> None:
    tools = "tools: {use: [{kind: python, function: m:look}], before: [{tool: look}]}\n"
    (told,) = names(tools, user="{{ question }} {{ checks.lok.result }}")
    assert told.endswith("no check is called 'lok' | did you mean 'look'?")
    assert names(tools, user="{{ question }} {{ checks.look.result }}") == []
    assert (
        names(user="{{ question }} {% if checks.look %}{{ checks.look.result }}{% endif %}") == []
    )
