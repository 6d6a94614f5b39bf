"""What an output must be: parsed, schema, rules, citations; and repaired with the error shown."""

import threading

import pytest
from system_fakes import SHELF, Rig, passage, rule, says, stages, step, subtask, tools, variant

from harness.core.record import Answer, Status
from harness.core.variant import Citations, Output, Rule
from harness.errors import InputError
from harness.system.text import read_json

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}
GOOD = '{"answer": "yes", "sure": true}'


def output_of(text, output, **more):
    return Rig(text).answer(variant(output=output, **more))


@pytest.mark.parametrize(
    "text", [GOOD, f"```json\n{GOOD}\n```", f" ```\n{GOOD}\n``` \n", f"\n{GOOD}\n"]
)
def test_json_is_read_and_a_fence_around_it_taken_off(text):
    record = output_of(text, Output("json", SCHEMA))
    assert record.outcome.output == {"answer": "yes", "sure": True}
    assert record.trace.validation == "passed"
    assert step(record, "validate").detail == {"result": "passed"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Sure! {}", "line 1, column 1"),
        ('{"a": 1, "a": 2}', "duplicate key"),
        ("NaN", "not a finite number"),
        ("1e999", "out of range"),
        ("9" * 400, "out of range"),
        ("null", "null"),
        ("```json\n{}", "line 1"),
        ("[" * 100_000, "nests too deep"),
        ("[" * 101 + "]" * 101, "deeper than 100"),
        ('["' + "x" * 1_000_000 + '"]', "characters"),
    ],
)
def test_what_is_no_json_is_a_failure_of_the_system(text, told):
    record = output_of(text, Output("json"))
    assert record.status is Status.SYSTEM_FAILURE
    assert record.outcome.error_kind == "parse"
    assert told in record.outcome.message
    assert record.trace.validation == "failed"
    assert len(record.outcome.message) < 5_000


def test_every_error_of_a_schema_is_told_at_once_up_to_ten():
    record = output_of('{"answer": 3, "extra": 1}', Output("json", SCHEMA))
    assert record.outcome.error_kind == "schema"
    assert len(record.trace.rejections) == 3
    assert any(reason.startswith("schema: answer: ") for reason in record.trace.rejections)
    many = output_of(str(list(range(50))), Output("json", {"items": {"type": "string"}}))
    assert len(many.trace.rejections) == 10


def test_a_flood_of_errors_tells_the_first_one_only():
    flood = str([1] * 100_000)
    record = output_of(flood, Output("json", {"items": {"type": "string"}}))
    assert record.trace.rejections == ('schema: 0: 1 is not of type "string"',)


def test_a_schema_alone_means_json():
    assert output_of(GOOD, Output(schema=SCHEMA)).outcome.output["answer"] == "yes"


def test_half_a_surrogate_pair_in_json_is_replaced():
    record = output_of('{"answer": "\\ud83d", "sure": true}', Output("json", SCHEMA))
    assert record.outcome.output["answer"] == "\ufffd"


def test_structured_output_asks_the_provider_too():
    for structured in (True, False):
        rig = Rig(GOOD)
        rig.answer(variant(output=Output("json", SCHEMA, structured=structured)))
        assert rig.main.requests[0].schema == (SCHEMA if structured else None)


RULES = Output(
    "json",
    rules=(
        rule("output.total == output.net + output.tax", "sum", "the total must be net plus tax"),
        rule("output.currency in allowed", "currency"),
    ),
)


def test_all_broken_rules_are_told_with_their_messages():
    rig = Rig('{"total": 3, "net": 1, "tax": 1, "currency": "USD"}')
    record = rig.answer(variant(user="x", output=RULES), {"allowed": ["EUR"]})
    assert record.outcome.error_kind == "rule"
    assert record.trace.rejections == (
        "rule: sum: the total must be net plus tax",
        "rule: currency: is broken",
    )


def test_a_rule_on_a_field_that_is_not_there_is_broken_and_names_it():
    rig = Rig('{"total": 3, "net": 1, "currency": "EUR"}')
    record = rig.answer(variant(user="x", output=RULES), {"allowed": ["EUR"]})
    (reason,) = record.trace.rejections
    assert reason.startswith("rule: sum: cannot be decided: ")
    assert "tax" in reason


def test_rules_see_passages_and_confidence():
    rules = (rule("passages|length == 1 and passages[0].score > 0.5"), rule("confidence > 0.5"))
    rig = Rig(says("x", confidence=0.75), found=[passage("a", "alpha", 0.75)])
    record = rig.answer(variant(retrieval=SHELF, output=Output(rules=rules)))
    assert record.outcome == Answer("x", (), ("a",))


def python_rule(function, text="x", **more):
    rules = (Rule("mine", function="shop:check", message="wrong"),)
    rig = Rig(text, rules={"shop:check": function})
    return rig.answer(variant(output=Output(rules=rules, **more)))


def test_a_rule_in_python_sees_output_and_input_and_cannot_change_them():
    seen = []

    def check(output, given):
        seen.append((dict(output), dict(given), threading.current_thread().name))
        output.clear()
        given.clear()

    record = python_rule(check, '{"a": 1}', parse="json")
    assert seen == [({"a": 1}, {"question": "why?"}, "harness rule")]
    assert record.outcome.output == {"a": 1}
    assert record.trace.validation == "passed"


def test_what_a_rule_in_python_says_or_raises_is_a_rejection():
    said = python_rule(lambda output, given: "too short")
    assert said.trace.rejections == ("rule: mine: wrong: too short",)

    def breaks(output, given):
        raise KeyError("tax")

    assert python_rule(breaks).trace.rejections == ("rule: mine: raised KeyError: 'tax'",)

    def leaves(output, given):
        raise SystemExit(3)

    assert python_rule(leaves).trace.rejections == ("rule: mine: raised SystemExit: 3",)


FOUND = (
    passage("doc-1#refunds", "alpha", sections=("doc-1#refunds", "doc-1#exceptions")),
    passage("doc-2#hours", "beta"),
)
CITED = Output("json", citations=Citations("sources", required=True))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('{"sources": ["doc-1#refunds", " doc-2#hours "]}', []),
        ('{"sources": "doc-1#exceptions"}', []),
        (
            '{"sources": ["doc-9", "doc-2#hours", "doc-9"]}',
            ["'doc-9' is no passage that was given"],
        ),
        ('{"sources": []}', ["the output cites nothing"]),
        ('{"sources": null}', ["the output cites nothing"]),
        ("{}", ["the output cites nothing"]),
        ("[]", ["the output cites nothing"]),
        ('{"sources": [{"id": "doc-2#hours"}]}', ["sources: neither a text nor a list of texts"]),
    ],
)
def test_citations_in_a_field_must_be_among_the_passages(text, wrong):
    record = Rig(text, found=FOUND).answer(variant(retrieval=SHELF, output=CITED))
    assert list(record.trace.rejections) == [f"citation: {one}" for one in wrong]


@pytest.mark.parametrize(
    ("text", "n_wrong"),
    [("It is so [doc-2#hours].", 0), ("It is so [doc-7][doc-8].", 2), ("It is so.", 0)],
)
def test_citations_by_a_pattern(text, n_wrong):
    output = Output(citations=Citations(pattern=r"\[(.+?)\]"))
    record = Rig(text, found=FOUND).answer(variant(retrieval=SHELF, output=output))
    assert len(record.trace.rejections) == n_wrong


def test_a_pattern_that_takes_for_ever_is_a_rejection():
    output = Output(citations=Citations(pattern=r"(a+)+\]"))
    record = Rig("a" * 5_000).answer(variant(output=output))
    assert record.trace.rejections == ("citation: finding the citations took too long",)


def test_a_pattern_that_is_none_is_found_before_anything_runs():
    with pytest.raises(InputError, match="not a regular expression"):
        Rig("x").system(variant(output=Output(citations=Citations(pattern="("))))


def test_schema_rules_and_citations_are_told_together():
    output = Output("json", SCHEMA, rules=(rule("output.sure"),), citations=CITED.citations)
    record = Rig('{"answer": 1, "sure": false}').answer(variant(output=output))
    kinds = [reason.split(":")[0] for reason in record.trace.rejections]
    assert kinds == ["schema", "rule", "citation"]


def test_a_repair_is_asked_with_what_is_wrong_and_validated_again():
    rig = Rig('{"answer": "yes"}', GOOD)
    record = rig.answer(variant(system="JSON!", output=Output("json", SCHEMA, repair=2)))
    assert record.outcome.output["sure"] is True
    assert stages(record) == ["generate", "validate", "repair", "validate"]
    assert (record.trace.repairs, record.trace.validation) == (1, "passed")
    assert len(record.trace.rejections) == 1
    *before, rejected, complaint = rig.main.requests[1].messages
    assert before == list(rig.main.requests[0].messages)
    assert (rejected.role, rejected.content) == ("assistant", '{"answer": "yes"}')
    assert complaint.role == "user"
    assert '"sure" is a required property' in complaint.content
    kept = step(record, "repair").detail["messages"]
    assert [message["role"] for message in kept] == ["assistant", "user"]


def test_repairs_are_bounded_and_the_last_reasons_are_the_failures():
    rig = Rig("one", "{}", '{"answer": 1, "sure": true}', GOOD)
    record = rig.answer(variant(output=Output("json", SCHEMA, repair=2)))
    assert record.outcome.error_kind == "schema"
    assert record.outcome.message.startswith("schema: answer: 1")
    assert record.trace.repairs == 2
    assert [reason.split(":")[0] for reason in record.trace.rejections] == [
        "parse", "schema", "schema", "schema",
    ]  # fmt: skip
    assert len(rig.main.requests) == 3


@pytest.mark.parametrize(
    ("said", "kind"), [(says("{", finish_reason="length"), "truncated"), ("", "no_answer")]
)
def test_a_repair_that_is_no_answer_ends_it(said, kind):
    record = Rig("one", said, GOOD).answer(variant(output=Output("json", SCHEMA, repair=5)))
    assert record.outcome.error_kind == kind
    assert record.trace.repairs == 1
    assert record.trace.validation == "failed"


def test_a_repair_offers_the_tools_but_wants_no_call():
    rig = Rig(says("", ("t", "{}")), "one", GOOD, functions={"t": lambda a: "r"})
    record = rig.answer(variant(tools=tools(), output=Output("json", SCHEMA, repair=1)))
    assert record.status is Status.OK
    assert [request.tool_choice for request in rig.main.requests] == ["auto", "auto", "none"]
    assert [m.role for m in rig.main.requests[2].messages] == [
        "user", "assistant", "tool", "assistant", "user",
    ]  # fmt: skip


def test_a_draft_writes_the_output_from_the_summary_and_is_validated_and_repaired():
    rig = Rig("the facts", small=["oops", GOOD], found=FOUND)
    output = Output("json", SCHEMA, structured=True, repair=1)
    draft = subtask("{{ question }}: {{ summary }} {{ passages|length }}")
    record = rig.answer(variant(draft=draft, retrieval=SHELF, output=output))
    assert record.outcome.output["answer"] == "yes"
    assert stages(record)[2:] == ["generate", "draft", "validate", "repair", "validate"]
    assert rig.small.requests[0].messages[0].content == "why?: the facts 2"
    assert (rig.main.requests[0].schema, rig.small.requests[0].schema) == (None, SCHEMA)
    assert len(rig.small.requests) == 2
    assert step(record, "repair").detail["model"] == "scripted/model-2"


@pytest.mark.parametrize("first", ["", says("x", finish_reason="length")])
def test_without_a_summary_there_is_no_draft(first):
    rig = Rig(first, small=["x"])
    assert rig.answer(variant(draft=subtask("{{ summary }}"))).status is Status.SYSTEM_FAILURE
    assert rig.small.requests == []


def test_reading_json_is_bounded_in_depth_exactly():
    assert read_json("[" * 100 + "]" * 100)
    with pytest.raises(ValueError, match="deeper"):
        read_json("[" * 101 + "]" * 101)
