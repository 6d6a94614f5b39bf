"""A model of rules: which one applies, what it answers, and what is wrong with a rule file."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.core.chat import (
    Completion,
    Message,
    ModelRequest,
    RequestedCall,
    ServiceError,
    ToolSpec,
)
from harness.core.record import Usage
from harness.core.variant import Component
from harness.errors import InputError
from harness.plugins.providers.scripted import Scripted
from harness.registry import build

TOOL = ToolSpec("look_up", "Looks it up.", {"type": "object"})


def asked(text: str = "Where is my refund?", **more: Any) -> ModelRequest:
    messages = (Message("system", "You are terse."), Message("user", text))
    return ModelRequest(**{"model": "m", "messages": messages} | more)


def answer(provider: Scripted, request: ModelRequest) -> Completion:
    return asyncio.run(provider.complete(request))


def answered(*rules: Any, request: ModelRequest | None = None) -> Completion:
    return answer(Scripted(rules=rules), request or asked())


def error(provider: Scripted, request: ModelRequest) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        answer(provider, request)
    return raised.value


def test_an_answer() -> None:
    told = answered({"answer": "It is on its way."})
    assert told.text == "It is on its way."
    assert (told.calls, told.finish_reason) == ((), "stop")
    assert told.usage == Usage(7, 0, 5, 0, 0)
    assert told.served_model == "m"
    assert told.latency_s > 0
    assert told.ttft_s is None
    assert told.confidence is None


def test_a_streamed_answer_has_a_first_token() -> None:
    told = answered({"answer": "a"}, request=asked(stream=True))
    assert told.ttft_s == told.latency_s


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("a", "a"), (None, ""), ("", ""), ({"b": 1, "a": "é"}, '{"a": "é", "b": 1}'),
        ([1, None], "[1, null]"), (7, "7"), (True, "true"),
    ],
)  # fmt: skip
def test_any_json_value_is_an_answer(given: Any, text: str) -> None:
    assert answered({"answer": given}).text == text


def test_tool_calls_have_ids_of_their_own() -> None:
    rule = {
        "calls": [{"name": "look_up", "arguments": {"id": "Ä1"}}, {"name": "f", "arguments": "{"}]
    }
    told = answered(rule)
    assert told.calls == (
        RequestedCall("call_1", "look_up", '{"id": "Ä1"}'),
        RequestedCall("call_2", "f", "{"),
    )
    assert told.finish_reason == "tool_calls"
    later = (
        *asked().messages,
        Message("assistant", "", calls=told.calls),
        Message("tool", "found"),
    )
    assert answered(rule, request=asked(messages=later)).calls[0].id == "call_3"


WHEN = [
    ({"contains": "refund"}, True),
    ({"contains": "Refund"}, False),
    ({"equals": "Where is my refund?"}, True),
    ({"equals": "Where is my refund"}, False),
    ({"regex": r"(?i)REFUND\?$"}, True),
    ({"regex": "^refund"}, False),
    ({"system": "terse"}, True),
    ({"system": "refund"}, False),
    ({"model": "m"}, True),
    ({"model": "other"}, False),
    ({"tools": False}, True),
    ({"tools": True}, False),
    ({"contains": "refund", "model": "other"}, False),
    ({}, True),
]


@pytest.mark.parametrize(("when", "applies"), WHEN)
def test_when_a_rule_applies(when: Any, applies: bool) -> None:
    told = answered({"when": when, "answer": "yes"}, {"answer": "no"})
    assert told.text == ("yes" if applies else "no")


def test_the_last_message_of_the_user_or_of_a_tool_is_what_is_read() -> None:
    rules = [{"when": {"contains": "found it"}, "answer": "a"}, {"answer": "b"}]
    tool = (*asked().messages, Message("tool", "found it", call_id="c"))
    assert answered(*rules, request=asked(messages=tool)).text == "a"
    assistant = (*asked().messages, Message("assistant", "found it"))
    assert answered(*rules, request=asked(messages=assistant)).text == "b"
    assert answered(*rules, request=asked(messages=())).text == "b"
    tools = [{"when": {"tools": True}, "answer": "a"}, {"answer": "b"}]
    assert answered(*tools, request=asked(tools=(TOOL,))).text == "a"


def test_a_question_that_no_rule_is_for() -> None:
    told = error(Scripted(rules=[{"when": {"equals": "x"}, "answer": "y"}]), asked("z" * 500))
    assert told.kind == "not_found"
    assert told.message == (f"no rule applies to '{'z' * 80}'; add one without `when` to the end")
    assert told.latency_s is not None


def test_errors_and_then_an_answer() -> None:
    provider = Scripted(
        rules=[
            {"error": "rate_limited", "times": 2},
            {"when": {"contains": "b"}, "answer": "once", "times": 1},
            {"answer": "always"},
        ]
    )
    for text, expected in (("a", ["always", "always"]), ("b", ["once", "always"])):
        assert [error(provider, asked(text)).kind for _ in range(2)] == ["rate_limited"] * 2
        assert [answer(provider, asked(text)).text for _ in range(2)] == expected
    assert error(provider, asked("a", model="other")).kind == "rate_limited"


def test_usage_is_counted_in_words_unless_given() -> None:
    messages = (
        Message("user", "one two"),
        Message("assistant", "three", calls=(RequestedCall("c", "f", '{"a": 1}'),)),
        Message("tool", "four", call_id="c"),
    )
    rule = {"answer": "five", "calls": [{"name": "f", "arguments": {"a": 1}}]}
    assert answered(rule, request=asked(messages=messages)).usage == Usage(6, 0, 3, 0, 0)
    given = {"prompt_tokens": 100, "cached_prompt_tokens": 80, "reasoning_tokens": None}
    told = answered(rule | {"usage": given}, request=asked(messages=messages))
    assert told.usage == Usage(100, 80, 3, 0, None)


def test_finish_reason_and_confidence_as_told() -> None:
    told = answered({"answer": "cut o", "finish_reason": "length", "confidence": 0.25})
    assert (told.finish_reason, told.confidence) == ("length", 0.25)


def test_a_catastrophic_pattern_ends() -> None:
    provider = Scripted(rules=[{"when": {"regex": "(a|aa)+$"}, "answer": "x"}])
    told = error(provider, asked("a" * 5000 + "b"))
    assert told.kind == "bad_request"
    assert told.message == "the regex of rule 1 took over 1 s"


def test_every_parameter_is_taken() -> None:
    assert Scripted(rules=[{"answer": "a"}]).problems(asked(params={"seed": 1, "top_k": 2})) == ()


def test_other_rules_are_another_route(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("- answer: a\n")
    first, same = built(tmp_path, "rules.yaml"), Scripted(rules=[{"answer": "a"}])
    file.write_text("# now otherwise\n- {answer: b}\n")
    second = built(tmp_path, "rules.yaml")
    assert first.identity == same.identity
    assert first.identity != second.identity
    assert len(first.identity["rules_sha256"]) == 64


def built(folder: Path, rules: Any) -> Scripted:
    places = {"": "variant.yaml:3:1", "rules": "variant.yaml:4:3"}
    found = build("provider", Component("scripted", {"rules": rules}, str(folder), places=places))
    assert isinstance(found, Scripted)
    return found


RULES = """
- when: {contains: refund, tools: false}
  answer: {date: 2026-11-20, ok: yes, n: 1e-3}
- {error: timeout, times: 1}
- &last
  calls: [{name: f}]
- *last
"""


def test_rules_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "answers.yaml").write_text(RULES)
    told = answer(built(tmp_path, "answers.yaml"), asked())
    assert json.loads(told.text) == {"date": "2026-11-20", "ok": "yes", "n": 0.001}


WRONG = [
    ("", "cannot read the rules 'r.yaml': it is empty"),
    ("{", "cannot read the rules 'r.yaml': line 1: "),
    ("a: 1", "the rules 'r.yaml' are wrong: line 1: it must be a list"),
    ("[]", "the rules 'r.yaml' are wrong: line 1: there are no rules"),
    ("- answer: a\n- when: {contians: x}\n  answer: b",
     "the rules 'r.yaml' are wrong: line 2: rule 2.when.contians: there is no such key"),
    ("- times: 2", "line 1: rule 1: a rule needs one of `answer`, `calls` and `error`"),
    ("- {answer: a, error: timeout}", "rule 1: a rule with an `error` gives no answer"),
    ("- {error: nonsense}", "line 1: rule 1.error: Input should be 'timeout'"),
    ("- answer: a\n  times: 0", "line 2: rule 1.times: Input should be greater than or equal to 1"),
    ("- answer: a\n  times: true", "line 2: rule 1.times: Input should be a valid integer"),
    ("- answer: a\n  when: {regex: '('}", "line 2: rule 1.when.regex: not a regular expression"),
    ("- answer: a\n  usage: {prompt_tokens: -1}", "line 2: rule 1.usage.prompt_tokens: "),
    ("- answer: a\n  answer: b", "line 2: duplicate key 'answer'"),
    ("- answer: .nan", "line 1: numbers must be finite"),
    ("- answer: !!python/name:os.system x", "line 1: the tag 'python/name:os.system' is not"),
    ("- answer: !!binary aGk=", "line 1: the tag 'binary' is not allowed"),
    ("- {<<: {answer: a}}", "line 1: a key must be plain text"),
    ("- {[1]: a}", "line 1: a key must be plain text"),
    ("- answer: &a [*a]", "it nests deeper than 60 levels"),
    ("- answer: " + "[" * 5000, "it nests deeper than 60 levels"),
    ("#" * 1_000_001, "1000001 bytes are too many"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_rule_file_that_is_wrong(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InputError) as raised:
        built(tmp_path, "r.yaml")
    (problem,) = raised.value.problems
    assert problem.where == "variant.yaml:4:3"
    assert message in problem.what


def test_an_alias_bomb_is_refused_before_it_expands(tmp_path: Path) -> None:
    lines = ["- answer: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"- answer: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (tmp_path / "r.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match="expands to"):
        built(tmp_path, "r.yaml")


def test_only_the_first_problems_are_told(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("- {error: nonsense}\n" * 9)
    with pytest.raises(InputError, match="and 4 more"):
        built(tmp_path, "r.yaml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the rules 'no\.yaml'"):
        built(tmp_path, "no.yaml")
    with pytest.raises(InputError, match="cannot read the rules"):
        built(tmp_path, ".")


def test_rules_in_the_variant_itself_are_checked_too() -> None:
    with pytest.raises(ValidationError):
        Scripted(rules=[])
    with pytest.raises(InputError) as raised:
        built(Path(), [{"answer": "a", "tmies": 1}])
    assert "unknown key 'tmies'" in str(raised.value)
