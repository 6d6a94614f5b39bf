from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Record
from harness.core.score import Scored, Unscored
from harness.plugins.scorers.json_fields import JsonFields
from harness.plugins.scorers.json_schema import JsonSchema
from harness.plugins.scorers.json_valid import JsonValid
from harness.plugins.texts.json_text import json_key, parse_output, same_json

FENCED = '```json\n{"a": 1}\n```'

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2)
finite = st.floats(allow_nan=False, allow_infinity=False, width=16)
json_values = st.recursive(
    scalars | finite,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"a": [1, 2.5e3, null, true, "\\u00e9"]}', True),
        (" 1 ", True),
        ('"text"', True),
        ("", False),
        ("text", False),
        ("{'a': 1}", False),
        ('{"a": 1,}', False),
        ('{"a": 1} trailing', False),
        ('{"a": 1, "a": 2}', False),
        ('[{"b": {"a": 1, "a": 1}}]', False),
        ("NaN", False),
        ("[-Infinity]", False),
        ("1e999", False),
        ("1" * 5_000, False),
        ("1" * 308, True),
        ("1" * 310, False),
        ("[" * 500 + "]" * 500, True),
        ("[" * 100_000 + "]" * 100_000, False),
        ("\ufeff1", False),
        ("01", False),
        ("\x00", False),
        (FENCED, False),
        ('{"a": "\t"}', False),
    ],
)
def test_json_valid(value: Any, text: str, valid: bool) -> None:
    assert value(JsonValid(id="j"), text) == valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (FENCED, True),
        ("  ```\n[1]\n```  ", True),
        ("```JSON5\n[1]```", True),
        ("[1]", True),
        (f"Here:\n{FENCED}", False),
        (f"{FENCED}\nbye", False),
        ("```json\n{\n```", False),
        ("```json", False),
        ("``````", False),
        (f"{FENCED}\n{FENCED}", False),
    ],
)
def test_json_valid_in_a_fence(value: Any, text: str, valid: bool) -> None:
    assert value(JsonValid(id="j", allow_fence=True), text) == valid


@pytest.mark.parametrize("output", [{"a": 1}, [], 0, False, {"a": [None]}])
def test_a_recorded_value_is_valid(value: Any, output: Any) -> None:
    assert value(JsonValid(id="j"), output) == 1


def test_json_valid_of_a_field(value: Any) -> None:
    scorer = JsonValid(id="j", output_field="body")
    assert value(scorer, {"body": "[1]"}) == 1
    assert value(scorer, {"body": "[1"}) == 0
    assert value(scorer, {"body": None}) == 1
    assert value(scorer, {}) == 0


@given(json_values)
def test_what_is_dumped_is_parsed_back(value: Any) -> None:
    parsed = parse_output(json.dumps(value))
    assert parsed == value
    assert same_json(parsed, value)
    assert json_key(parsed) == json_key(value)


@given(json_values, json_values)
def test_same_json_agrees_with_canonical_text(left: Any, right: Any) -> None:
    def canonical(value: Any) -> str:
        """Numbers as the shortest text of their double; our integers here are all doubles."""
        if isinstance(value, list):
            return "[" + ",".join(map(canonical, value)) + "]"
        if isinstance(value, dict):
            pairs = sorted((json.dumps(key), canonical(item)) for key, item in value.items())
            return "{" + ",".join(f"{key}:{item}" for key, item in pairs) + "}"
        if isinstance(value, int | float) and not isinstance(value, bool):
            return repr(float(value) + 0.0)  # -0.0 is 0
        return json.dumps(value)

    assert same_json(left, right) == (canonical(left) == canonical(right))
    assert same_json(left, right) == same_json(right, left)


@pytest.mark.parametrize(
    ("output", "valid"),
    [
        ({"a": 1}, True),
        ('{"a": 1}', True),
        ('{"a": "1"}', False),
        ("{}", False),
        ("[]", False),
        ("nope", False),
        ({"a": "\ud800"}, False),
        (FENCED, False),
        ("", False),
    ],
)
def test_json_schema(value: Any, output: Any, valid: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"maxLength": 3}},
        "required": ["a"],
    }
    assert value(JsonSchema(id="j", schema=schema), output) == valid


def test_json_schema_explains_with_the_place(ask: Any) -> None:
    scorer = JsonSchema(id="j", schema={"properties": {"a": {"items": {"type": "integer"}}}})
    outcome = ask(scorer, {"a": [1, "x"]})
    assert outcome.explanation == 'a.1: "x" is not of type "integer"'
    assert ask(scorer, "{").explanation.startswith("not JSON: line 1, column 2")


def test_json_schema_from_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "loop.json").symlink_to("loop.json")
    for name in ("pipe.json", "folder.json", "loop.json", "absent.json"):
        with pytest.raises(ValidationError, match=f"cannot read the schema '{name}'"):
            JsonSchema.model_validate({"id": "j", "schema": name}, context={"folder": tmp_path})


def test_json_schema_from_a_file_beside_the_config(tmp_path: Path, value: Any) -> None:
    (tmp_path / "s.json").write_text('{"type": "array"}')
    scorer = JsonSchema.model_validate(
        {"id": "j", "schema": "s.json"}, context={"folder": tmp_path}
    )
    assert value(scorer, "[]") == 1
    assert value(scorer, "{}") == 0
    assert scorer.json_schema == {"type": "array"}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "objekt"}, "not a usable JSON Schema"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "not a usable JSON Schema"),
        ({"$ref": "file:///etc/hostname"}, "not a usable JSON Schema"),
        ({"$ref": "#/$defs/absent"}, "not a usable JSON Schema"),
        ({"pattern": "("}, "not a usable JSON Schema"),
        ("absent.json", "cannot read the schema"),
        ("broken.json", "cannot read the schema"),
        ("latin.json", "cannot read the schema"),
        ("list.json", "valid dictionary"),
        (7, "valid dictionary"),
    ],
)
def test_unusable_schema_is_a_config_error(schema: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "latin.json").write_bytes(b'{"title": "\xe9"}')
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValidationError, match=message):
        JsonSchema.model_validate({"id": "j", "schema": schema}, context={"folder": tmp_path})


def test_recursive_schema_and_deep_value(value: Any) -> None:
    schema = {"properties": {"x": {"$ref": "#"}}, "additionalProperties": False}
    deep = '{"x":' * 300 + "{}" + "}" * 300
    assert value(JsonSchema(id="j", schema=schema), deep) == 1
    assert value(JsonSchema(id="j", schema=schema), deep.replace("{}", '{"y":1}')) == 0


INVOICE = {"vendor": "ACME Inc.", "total": 10, "lines": [{"sku": "a"}], "note": None}


def invoice_scorer(**more: Any) -> JsonFields:
    fields = {
        "vendor": {"normalise": ["lower", "punctuation"]},
        "total": {"path": "amounts.total", "tolerance": 0.01},
        "sku": {"path": "sku", "target": "lines.0.sku"},
        "note": None,
        "date": {},
    }
    return JsonFields.model_validate({"id": "i", "fields": fields, **more})


def test_json_fields_each_and_all(value: Any, ask: Any) -> None:
    good = {"vendor": "acme inc", "amounts": {"total": 10.005}, "sku": "a", "note": None}
    scorer = invoice_scorer()
    assert [metric.id for metric in scorer.metrics] == [
        "i", "i.vendor", "i.total", "i.sku", "i.note", "i.date",
    ]  # fmt: skip
    for output in (good, json.dumps(good)):
        assert value(scorer, output, target=INVOICE) == 1
        assert value(scorer, output, "total", target=INVOICE) == 1
    assert not ask(scorer, good, "date", target=INVOICE).applicable
    wrong = ask(scorer, {**good, "amounts": {"total": 10.02}}, target=INVOICE)
    assert wrong == Scored(0.0, explanation="total: got 10.02, expected 10")
    without = {key: item for key, item in good.items() if key != "note"}
    assert ask(scorer, without, "note", target=INVOICE).explanation == "absent, expected null"


@pytest.mark.parametrize("output", ["{", "", [], 3, True, "null", {"vendor": {}}])
def test_json_fields_of_something_else_are_wrong(ask: Any, output: Any) -> None:
    for part in ("", "vendor", "total", "note"):
        assert ask(invoice_scorer(), output, part, target=INVOICE).value == 0
    assert not ask(invoice_scorer(), output, "date", target=INVOICE).applicable


def test_json_fields_apply_where_the_target_has_them(ask: Any) -> None:
    for target in (None, "text", {}, {"other": 1}, [1]):
        for part in ("", "vendor"):
            outcome = ask(invoice_scorer(), {"vendor": "x"}, part, target=target)
            assert isinstance(outcome, Unscored)
            assert not outcome.applicable


def test_json_fields_in_a_fence_and_a_field(value: Any) -> None:
    plain = JsonFields.model_validate({"id": "i", "fields": ["a"], "target_field": "gold"})
    fenced = plain.model_copy(update={"allow_fence": True})
    assert value(plain, FENCED, target={"gold": {"a": 1.0}}) == 0
    assert value(fenced, FENCED, target={"gold": {"a": 1.0}}) == 1
    assert value(fenced, FENCED, target={"gold": {"a": True}}) == 0


@pytest.mark.parametrize(
    "fields", [[], {}, ["a", "a"], {"a": {"pat": "x"}}, ["a b"], {"a": {"tolerance": -1}}, "a", [1]]
)
def test_json_fields_mistakes_are_config_errors(fields: Any) -> None:
    with pytest.raises(ValidationError):
        JsonFields.model_validate({"id": "i", "fields": fields})


@given(json_values)
def test_an_output_equal_to_the_target_is_right(value: Any) -> None:
    example = Example("e", {}, {"x": value})
    record = Record("v", "e", 0, Answer(json.dumps({"x": value})), AnswerPath.RECORDED)
    scorer = JsonFields.model_validate({"id": "i", "fields": ["x"]})
    assert scorer.score(example, record)["i.x"] == Scored(1.0)
