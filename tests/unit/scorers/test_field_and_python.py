from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.core.score import Scored, Unscored
from harness.plugins.scorers.field import Field
from harness.plugins.scorers.python import Python


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (0.5, 0.5),
        (3, 3),
        (True, 1),
        (False, 0),
        (None, None),
        ("0.5", None),
        ([1], None),
        ({}, None),
        (10**400, None),
        (1e100, 1e100),
        (1e101, None),
        (-1e101, None),
    ],
)
def test_field_of_the_recording(ask: Any, recorded: Any, expected: float | None) -> None:
    outcome = ask(Field(id="f", path="scores.x"), "out", metadata={"scores": {"x": recorded}})
    if expected is None:
        assert isinstance(outcome, Unscored)
        assert outcome.applicable
    else:
        assert outcome == Scored(expected)


def test_field_that_is_absent_is_missing(ask: Any) -> None:
    outcome = ask(Field(id="f", path="scores.x"), "out", metadata={"scores": {}})
    assert outcome == Unscored("the recording has no 'scores.x'")


def test_field_of_the_output(ask: Any) -> None:
    scorer = Field(id="f", output_field="confidence", lower=0, upper=1)
    assert ask(scorer, {"confidence": 0.25}) == Scored(0.25)
    assert ask(scorer, '{"confidence": 0.25}') == Scored(0.25)
    assert ask(scorer, "no json").value == 0
    assert isinstance(ask(scorer, {"confidence": None}), Unscored)


@pytest.mark.parametrize(
    ("limits", "recorded", "expected"),
    [
        ({"at_least": 1}, 1, 1),
        ({"at_least": 1}, 0.999, 0),
        ({"at_most": 1}, 1, 1),
        ({"at_most": 1}, 1.001, 0),
        ({"at_least": 0, "at_most": 1}, 0.5, 1),
        ({"at_least": 0, "at_most": 1}, -0.5, 0),
    ],
)
def test_limits_make_it_binary(value: Any, limits: Any, recorded: float, expected: float) -> None:
    scorer = Field.model_validate({"id": "f", "path": "r", **limits})
    assert scorer.metrics[0].binary
    assert value(scorer, "out", metadata={"r": recorded}) == expected


def test_failure_takes_the_worst_bound_or_is_missing(ask: Any) -> None:
    assert ask(Field(id="f", path="r", lower=-1, upper=1), None, metadata={"r": 1}).value == -1
    lower_better = Field(id="f", path="r", upper=5, higher_is_better=False)
    assert ask(lower_better, None).value == 5
    assert isinstance(ask(Field(id="f", path="r"), None, metadata={"r": 1}), Unscored)
    assert ask(Field(id="f", path="r", at_most=3), None).value == 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"path": "a", "output_field": "b"},
        {"path": "a", "lower": 1, "upper": 0},
        {"path": "a", "lower": math.nan},
        {"path": "a", "at_least": 1, "lower": 0},
        {"path": "a", "at_least": 1, "higher_is_better": False},
        {"path": ""},
    ],
)
def test_field_mistakes_are_config_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Field.model_validate({"id": "f", **options})


SOURCE = """
import math

CONSTANT = 3

def number(example, output, record):
    return {"half": 0.5, "yes": True, "no": False, "nan": math.nan, "inf": math.inf,
            "none": None, "text": "0.5", "list": [1, 2, 3], "huge": 10 ** 400,
            "pair": (0.25, "because"), "bad pair": ("x", "y")}[output]

def seen(example, output, record):
    return (example.id, record.variant, output) == ("e", "v", {"deep": 1}), "seen"

def parts(example, output, record):
    if output == "list":
        return [1]
    return {"a": 1, "b": (0.5, "half")} if output == "both" else {"a": 0}

def raises(example, output, record):
    raise RuntimeError("no luck")

def exits(example, output, record):
    raise SystemExit(3)

def large(example, output, record):
    return output
"""


@pytest.fixture(autouse=True)
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "scorer_of_a_test.py").write_text(SOURCE)
    (tmp_path / "broken_scorer_of_a_test.py").write_text("import nothing_of_that_name")
    (tmp_path / "leaving_scorer_of_a_test.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("scorer_of_a_test", "broken_scorer_of_a_test"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)


def python(function: str, **options: Any) -> Python:
    return Python.model_validate({"id": "p", "call": f"scorer_of_a_test:{function}", **options})


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("half", Scored(0.5)),
        ("yes", Scored(1.0)),
        ("no", Scored(0.0)),
        ("pair", Scored(0.25, explanation="because")),
        *(
            (name, Unscored("scorer_of_a_test:number returned no finite number"))
            for name in ("nan", "inf", "none", "text", "list", "huge", "bad pair")
        ),
    ],
)
def test_python_returns(ask: Any, output: str, expected: Any) -> None:
    assert ask(python("number"), output) == expected


def test_python_is_given_example_output_and_record(value: Any) -> None:
    assert value(python("seen", output_field="x"), {"x": {"deep": 1}}) == 1


def test_python_parts(ask: Any) -> None:
    scorer = python("parts", parts=["a", "b"])
    assert [metric.id for metric in scorer.metrics] == ["p.a", "p.b"]
    assert ask(scorer, "both", "b") == Scored(0.5, explanation="half")
    assert ask(scorer, "one", "a") == Scored(0.0)
    assert isinstance(ask(scorer, "one", "b"), Unscored)
    assert isinstance(ask(scorer, "list", "a"), Unscored)


def test_python_that_raises_is_missing(ask: Any) -> None:
    raised = ask(python("raises"), "x")
    assert raised == Unscored("scorer_of_a_test:raises raised RuntimeError: no luck")
    exited = ask(python("exits"), "x")
    assert exited == Unscored("scorer_of_a_test:exits raised SystemExit: 3")
    assert isinstance(ask(python("number"), "unknown"), Unscored)


def test_python_numbers_beyond_all_sense_are_missing(ask: Any) -> None:
    scorer = python("large", lower=None, upper=None)
    assert ask(scorer, 1e100) == Scored(1e100)
    for number in (1e101, -1e101):
        assert ask(scorer, number) == Unscored(
            "scorer_of_a_test:large returned a number beyond 1e+100"
        )


def test_python_is_not_called_for_failures(ask: Any) -> None:
    assert ask(python("raises"), None).value == 0
    assert ask(python("raises", lower=2, upper=7, higher_is_better=False), None).value == 7
    assert isinstance(ask(python("raises", lower=None), None), Unscored)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"call": "scorer_of_a_test:absent"}, "cannot import"),
        ({"call": "no_such_module_at_all:f"}, "cannot import"),
        ({"call": "broken_scorer_of_a_test:f"}, "nothing_of_that_name"),
        ({"call": "leaving_scorer_of_a_test:f"}, "SystemExit: 0"),
        ({"call": "scorer_of_a_test:CONSTANT"}, "not a function"),
        ({"call": "scorer_of_a_test"}, "pattern"),
        ({"call": "scorer_of_a_test:number()"}, "pattern"),
        ({"call": ".relative:f"}, "pattern"),
        ({"call": "scorer_of_a_test:number", "parts": ["a", "a"]}, "twice"),
        ({"call": "scorer_of_a_test:number", "parts": ["a b"]}, "pattern"),
        ({"call": "scorer_of_a_test:number", "lower": 1}, "less than upper"),
        ({"call": "scorer_of_a_test:number", "binary": True, "upper": 2}, "binary"),
    ],
)
def test_python_mistakes_are_config_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Python.model_validate({"id": "p", **options})
