from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.core.score import Unscored
from harness.plugins.scorers.contains import Contains
from harness.plugins.scorers.regex import Regex


@pytest.mark.parametrize(
    ("options", "output", "target", "expected"),
    [
        ({}, "it is Paris.", "Paris", 1),
        ({}, "it is paris.", "Paris", 0),
        ({"normalise": ["lower"]}, "it is paris.", "Paris", 1),
        ({}, "b", ["a", "b"], 1),
        ({}, "", "a", 0),
        ({}, "", "", 1),
        ({}, "x", "", 0),
        ({"normalise": ["articles", "whitespace"]}, "anything", "The", 0),
        ({}, {"city": "Paris"}, "Paris", 1),
        ({}, "room 18", 18, 1),
        ({}, 218, "18", 1),
        ({"any_of": ["x", "y"]}, "y", None, 1),
        ({"any_of": ["x", "y"]}, "z", None, 0),
        ({"all_of": ["x", "y"]}, "x", None, 0),
        ({"all_of": ["x", "y"]}, "yx", None, 1),
        ({"all_of": ["x"], "any_of": ["y", "z"]}, "xz", None, 1),
        ({"all_of": ["x"], "any_of": ["y", "z"]}, "yz", None, 0),
        ({"all_of": ["x"], "any_of": ["y", "z"]}, "x", None, 0),
        ({"whole_words": True}, "the party", "art", 0),
        ({"whole_words": True}, "modern  art\nnow", "art now", 1),
        ({"whole_words": True}, "art.", "art", 0),
        ({"whole_words": True, "normalise": ["punctuation"]}, "art.", "art", 1),
        ({"target": ["no", "non"]}, "oh no", "yes", 1),
    ],
)
def test_contains(
    value: Any, options: dict[str, Any], output: Any, target: Any, expected: float
) -> None:
    scorer = Contains.model_validate({"id": "c", **options})
    assert value(scorer, output, target=target) == expected


def test_contains_applies_only_where_there_is_something_to_look_for(ask: Any) -> None:
    assert not ask(Contains(id="c"), "x").applicable
    assert not ask(Contains(id="c"), None, target=[]).applicable


@pytest.mark.parametrize(
    "options",
    [
        {"any_of": []},
        {"any_of": [""]},
        {"any_of": ["x"], "target": "y"},
        {"all_of": ["x"], "target_field": "y"},
        {"normalise": ["upper"]},
    ],
)
def test_contains_refuses_senseless_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Contains.model_validate({"id": "c", **options})


def test_contains_explains(ask: Any) -> None:
    assert ask(Contains(id="c"), "x", target="y").explanation == "x does not contain y"
    several = ask(Contains(id="c"), "x", target=["y", "z"]).explanation
    assert several == "x does not contain y or 1 others"


@pytest.mark.parametrize(
    ("options", "output", "target", "expected"),
    [
        ({"pattern": "[0-9]+"}, "a1", None, 1),
        ({"pattern": "[0-9]+"}, "a", None, 0),
        ({"pattern": "[0-9]+", "full": True}, "a1", None, 0),
        ({"pattern": "[0-9]+", "full": True}, "11", None, 1),
        ({"pattern": "^b", "flags": ["multiline"]}, "a\nb", None, 1),
        ({"pattern": "^b"}, "a\nb", None, 0),
        ({"pattern": "a.b", "flags": ["dotall", "ignorecase"]}, "A\nB", None, 1),
        ({"pattern": "answer is (.)", "group": 1}, "answer is B", "B", 1),
        ({"pattern": "answer is (.)", "group": 1}, "answer is C", ["A", "B"], 0),
        ({"pattern": "(?P<x>.)!", "group": "x", "normalise": ["lower"]}, "B!", "b", 1),
        ({"pattern": "(a)|b", "group": 1}, "b", "a", 0),
        ({"pattern": "(.)", "group": 0}, "18", "1", 1),
        ({"pattern": "x"}, {"k": "x"}, None, 1),
        ({"pattern": "[0-9]", "full": True}, 7, None, 1),
        ({"pattern": "\\X", "full": True}, "e\u0301", None, 1),
    ],
)
def test_regex(
    value: Any, options: dict[str, Any], output: Any, target: Any, expected: float
) -> None:
    scorer = Regex.model_validate({"id": "r", **options})
    assert value(scorer, output, target=target) == expected


def test_regex_with_a_group_needs_a_target(ask: Any) -> None:
    assert not ask(Regex(id="r", pattern="(x)", group=1), "x").applicable
    assert ask(Regex(id="r", pattern="(x)"), "x").value == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "("}, "not a regular expression"),
        ({"pattern": ""}, "at least 1 character"),
        ({"pattern": "x", "group": 1}, "no group 1"),
        ({"pattern": "x", "group": -1}, "no group -1"),
        ({"pattern": "(?P<a>x)", "group": "b"}, "no group 'b'"),
        ({"pattern": "x", "target": "y"}, "need a group"),
        ({"pattern": "x", "flags": ["verbose"]}, "ignorecase"),
        ({"pattern": "x", "timeout_s": 0}, "greater than 0"),
    ],
)
def test_regex_mistakes_are_config_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Regex.model_validate({"id": "r", **options})


def test_catastrophic_pattern_is_missing_not_wrong(ask: Any) -> None:
    scorer = Regex(id="r", pattern="^(a|aa)+$", timeout_s=0.05)
    assert ask(scorer, "a" * 5_000 + "!") == Unscored("timed out")
    assert ask(scorer, "a!").value == 0
    assert ask(scorer, "aaa").value == 1
