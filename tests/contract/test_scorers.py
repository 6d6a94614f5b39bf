"""What every built-in scorer owes to the port, whatever it is given."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Failure, Outcome, Record
from harness.core.score import Aggregate, Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import ToolCall
from harness.ports import Scorer
from harness.registry import SCORERS, find

MODULE = "contract_scorer_of_a_user"
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "exact_match": [{}, {"target_field": "answer", "normalise": ["lower", "articles", "nfkc"]}],
    "numeric_match": [{"target_field": "answer"}, {"marker": "A:", "target": "1/3"}],
    "contains": [{"any_of": ["18"], "all_of": ["a"]}, {"target_field": "answer"}],
    "regex": [{"pattern": "[0-9]+"}, {"pattern": "(.)8", "group": 1, "target_field": "answer"}],
    "label": [{"target_field": "answer"}, {"target_field": "answer", "labels": ["18", "19"]}],
    "json_valid": [{}, {"allow_fence": True, "output_field": "x"}],
    "json_schema": [{"schema": {"type": "object", "required": ["x"]}}],
    "json_fields": [{"fields": ["answer", "x"]}, {"fields": {"n": {"tolerance": 0.1}}}],
    "abstention": [
        {},
        {"equals": ["no"], "should": {"field": "target.answer", "equals": "18"}},
        {"pattern": "(a+)+$", "output_field": "x"},
    ],
    "token_f1": [{"target_field": "answer"}, {"overlap": "distinct"}],
    "citation": [{}, {"pattern": r"\((\d+)\)"}, {"output_field": "x", "match": "section"}],
    "retrieval": [
        {},
        {"output_field": "x", "target_field": "grades", "measures": ["map@k", "n_retrieved"]},
        {"stage": "rerank", "match": "document", "measures": ["signal", "diffuseness", "mrr"]},
    ],
    "tool_calls": [
        {},
        {"output_field": "x", "target_field": "calls", "names": ["t"]},
        {"measures": ["decision", "success"]},
    ],
    "field": [
        {"path": "reward", "lower": 0, "upper": 1},
        {"output_field": "x", "at_least": 2},
        {"path": "reward"},
    ],
    "rubric": [
        {"judge": {"model": "http/m"}},
        {"judge": {"model": "http/m"}, "criteria": {"x": "y"}, "show": ["input"], "repeats": 3},
    ],
    "python": [
        {"call": f"{MODULE}:length"},
        {"call": f"{MODULE}:parts", "parts": ["a", "b"], "higher_is_better": False},
        {"call": f"{MODULE}:raises"},
    ],
}
CASES = [
    pytest.param(name, options, id=f"{name}-{index}")
    for name, several in OPTIONS.items()
    for index, options in enumerate(several)
]
TARGET = {
    "answer": "18",
    "x": [1],
    "n": 1.5,
    "grades": {"d1": 2, "d2": 0},
    "calls": [{"name": "t", "arguments": {"a": 1}}],
}
EXAMPLES = (
    Example("bare", {}),
    Example("null", None, None, {}, None, (), (), None),
    Example(
        "abstain",
        {"question": "?"},
        TARGET,
        {"kind": "b"},
        "c",
        ("d1", "d2"),
        (ToolCall("t", {"a": 1.0}),),
        abstain=True,
    ),
    Example("answer", "text", "18", {"kind": "a"}, None, ("d1",), None, abstain=False),
    Example("list", "text", ["18", "eighteen"], {"kind": "a"}, None, None, (), abstain=False),
)
NO_ANSWERS = (
    Failure(infrastructure=False, error_kind="no_answer"),
    Failure(infrastructure=False, error_kind=""),
)

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(), max_size=40)  # with unpaired surrogates
scalars = st.none() | st.booleans() | numbers | text
calls = st.fixed_dictionaries({"name": st.sampled_from(["t", "u"]), "arguments": scalars})
ids = st.sampled_from(["d1", "d2", "d3", "[d1]", ""])
scored_ids = st.fixed_dictionaries({"id": ids, "score": numbers})
json_values = st.recursive(
    scalars | calls | ids,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "answer", "n"]) | text, inner, max_size=4)
    ),
    max_leaves=12,
)
outputs = st.one_of(
    json_values.filter(lambda value: value is not None),
    json_values.map(json.dumps),
    st.lists(scored_ids | calls, max_size=5).map(lambda items: {"x": items}),
    st.sampled_from(["A: 18", "I don't know [d1, d9]", "18", "```json\n{}\n```", "1e999", "(1)"]),
)
answers = st.builds(
    Answer,
    outputs,
    st.none() | st.lists(st.builds(ToolCall, ids, st.dictionaries(text, scalars)), max_size=3),
    st.none() | st.lists(ids, max_size=4).map(tuple),
)


@pytest.fixture(autouse=True, scope="module")
def module_of_a_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("python")
    (folder / f"{MODULE}.py").write_text(
        "def length(example, output, record):\n"
        "    return 1 / (1 + len(str(output))), 'why'\n"
        "def parts(example, output, record):\n"
        "    return {'a': isinstance(output, str), 'b': 0.5}\n"
        "def raises(example, output, record):\n"
        "    raise KeyError(output)\n"
    )
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))
    sys.modules.pop(MODULE, None)


def build(name: str, options: dict[str, Any], **more: Any) -> Scorer:
    return cast("Scorer", find("scorer", name).model_validate({"id": "s", **options, **more}))


def record(example: Example, outcome: Outcome, metadata: dict[str, Any] | None = None) -> Record:
    return Record("v", example.id, 0, outcome, AnswerPath.RECORDED, metadata=metadata or {})


def check(scorer: Scorer, example: Example, outcome: Outcome) -> dict[str, ScoreOutcome]:
    """The outcomes, after asserting that each is allowed and applicability is the example's."""
    metrics = {metric.id: metric for metric in scorer.metrics}
    reward = {"reward": 0.25}
    found = dict(scorer.score(example, record(example, outcome, reward)))
    failed = scorer.score(example, record(example, NO_ANSWERS[0]))
    assert found.keys() == metrics.keys()
    for metric_id, one in found.items():
        assert applies(one) == applies(failed[metric_id]), metric_id
        if isinstance(one, Scored):
            assert_allowed(metrics[metric_id], one)
    return found


def applies(outcome: ScoreOutcome) -> bool:
    return isinstance(outcome, Scored) or outcome.applicable


def assert_allowed(metric: Metric, scored: Scored) -> None:
    assert metric.lower is None or scored.value >= metric.lower
    assert metric.upper is None or scored.value <= metric.upper
    assert not metric.binary or scored.value in (0.0, 1.0)
    assert metric.aggregate is Aggregate.RATIO or scored.weight == 1.0
    assert (scored.expected is None) == (scored.predicted is None)
    scored.explanation.encode()  # no unpaired surrogates: it is written to files


def test_every_built_in_is_held_to_the_contract() -> None:
    assert OPTIONS.keys() == SCORERS.keys()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_metrics_are_named_after_the_scorer(name: str, options: dict[str, Any]) -> None:
    metrics = build(name, options).metrics
    ids_ = [metric.id for metric in metrics]
    assert len(set(ids_)) == len(ids_) > 0
    assert all(metric_id == "s" or metric_id.startswith("s.") for metric_id in ids_)
    assert all(metric.description for metric in metrics)
    assert all((m.lower, m.upper) == (0, 1) for m in metrics if m.binary)


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
@pytest.mark.parametrize("failure", NO_ANSWERS)
def test_a_system_failure_is_the_worst(
    name: str, options: dict[str, Any], example: Example, failure: Failure
) -> None:
    scorer = build(name, options)
    outcomes = check(scorer, example, failure)
    for metric in scorer.metrics:
        outcome = outcomes[metric.id]
        if isinstance(outcome, Scored):
            assert outcome.value == metric.worst or outcome.weight == 0
            assert outcome.predicted in (None, "(no answer)")
        else:
            assert not outcome.applicable or metric.worst is None


@pytest.mark.parametrize(("name", "options"), CASES)
def test_where_leaves_an_example_out_for_every_record(name: str, options: dict[str, Any]) -> None:
    scorer = build(name, options, where={"slices.kind": ["c", "b"]})
    answer = Answer("18")
    for example in EXAMPLES:
        for outcome in (answer, *NO_ANSWERS):
            found = scorer.score(example, record(example, outcome))
            if example.slices.get("kind") != "b":
                assert all(isinstance(one, Unscored) for one in found.values())
                assert not any(applies(one) for one in found.values())
    selected = scorer.score(EXAMPLES[2], record(EXAMPLES[2], NO_ANSWERS[0]))
    assert any(applies(one) for one in selected.values())


@pytest.mark.parametrize(("name", "options"), CASES)
def test_unknown_options_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        build(name, options, normalize=["lower"])


@pytest.mark.parametrize("name", SCORERS)
def test_options_are_described_for_editors(name: str) -> None:
    schema = find("scorer", name).model_json_schema()
    assert schema["additionalProperties"] is False
    for option, described in schema["properties"].items():
        assert described.get("description"), option


@pytest.mark.parametrize(("name", "options"), CASES)
def test_options_survive_a_round_trip(name: str, options: dict[str, Any]) -> None:
    scorer = cast("BaseModel", build(name, options))
    dumped = json.loads(scorer.model_dump_json(by_alias=True))
    assert type(scorer).model_validate(dumped).model_dump() == scorer.model_dump()


@pytest.mark.parametrize(("name", "options"), CASES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answer=answers, example=st.sampled_from(EXAMPLES))
def test_any_output_is_survived(
    name: str, options: dict[str, Any], answer: Answer, example: Example
) -> None:
    scorer = build(name, options)
    assert check(scorer, example, answer) == check(scorer, example, answer)


def nested(depth: int) -> Any:
    value: Any = "18"
    for _ in range(depth):
        value = [value]
    return value


HOSTILE = {
    "empty": "",
    "deep value": nested(900),
    "too deep": nested(100_000),
    "deep field": {"x": nested(50_000)},
    "deep text": "[" * 100_000,
    "deep object text": '{"x":' * 100_000,
    "long": "a" * 300_000 + "!",
    "digits": "9" * 100_000,
    "fences": "```json\n" * 20_000,
    "brackets": "[" + "d1," * 50_000 + "]",
    "huge integer": 10**4_000,
    "huge integer text": "1" * 4_000,
    "surrogate": "\ud800",
    "surrogates in keys": {"\ud800": "\udfff", "x": ["\ud800"]},
    "many": {"x": [{"id": str(i), "score": i} for i in range(20_000)]},
    "nul and direction marks": "\x00\u202e18\u2066",
    "mixed ids": {"x": [1, None, {"id": None}, [], {"score": "high"}]},
}


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("output", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_output_is_survived(name: str, options: dict[str, Any], output: Any) -> None:
    for example in EXAMPLES[2:4]:
        for outcome in check(build(name, options), example, Answer(output)).values():
            reason = outcome.explanation if isinstance(outcome, Scored) else outcome.reason
            assert len(reason) < 5_000


def test_documentation_shows_working_options_for_every_scorer() -> None:
    from ruamel.yaml import YAML

    page = Path(__file__).parents[2] / "docs/reference/scorers.md"
    sections = page.read_text(encoding="utf-8").split("\n## ")[1:]
    documented = {section.partition("\n")[0].strip("`"): section for section in sections}
    assert documented.keys() >= SCORERS.keys()
    for name in SCORERS:
        section = documented[name]
        blocks = [part.partition("```")[0] for part in section.split("```yaml\n")[1:]]
        assert blocks, f"{name} has no example"
        for block in blocks:
            for given_options in YAML(typ="safe", pure=True).load(block):
                assert given_options.pop("use") == name
                if name not in ("python", "json_schema"):  # they name files of the reader's own
                    find("scorer", name).model_validate(given_options)
        for option in find("scorer", name).model_json_schema()["properties"]:
            assert f"`{option}`" in section or option in ("id", "where", "output_field"), option
