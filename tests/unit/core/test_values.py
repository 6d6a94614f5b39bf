"""JSON as it is read everywhere, calls of tools in every form, and text that files can hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.values import UNPARSED, ToolCall, encodable, parse_json, tool_call


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "duplicate key 'a'"),
        ('[{"x": {"b": 1, "b": 1}}]', "duplicate key 'b'"),
        ("NaN", "NaN is not a finite number"),
        ("[-Infinity]", "-Infinity is not a finite number"),
        ("-1e999", "the number -1e999 is out of range"),
        ("9" * 310, "a number of 310 digits is out of range"),
        ("9" * 100_000, "a number of 100000 digits is out of range"),
        ("[" * 100_000, "it nests too deep"),
    ],
)
def test_what_is_no_json_here(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_json(text)


def test_broken_json_is_told_with_its_position() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        parse_json('{"a": 1,\n "b" 2}')
    assert (caught.value.lineno, caught.value.colno) == (2, 6)


def test_an_object_of_many_keys_is_checked_in_linear_work() -> None:
    pairs = ", ".join(f'"{i}": 0' for i in range(300_000))
    with pytest.raises(ValueError, match="duplicate key '299999'"):
        parse_json(f'{{{pairs}, "299999": 0}}')


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_json_reads_as_the_standard_library_does(value: Any) -> None:
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "f", "arguments": {"x": 1}}, ToolCall("f", {"x": 1})),
        ({"name": "f", "arguments": '{"x": 1}'}, ToolCall("f", {"x": 1})),
        ({"name": "f"}, ToolCall("f", {})),
        ({"name": "f", "arguments": None}, ToolCall("f", {})),
        ({"name": "f", "arguments": " "}, ToolCall("f", {})),
        ({"function": {"name": "f", "arguments": "{}"}, "id": "1"}, ToolCall("f", {})),
        ({"name": "f", "arguments": "{x"}, ToolCall("f", {UNPARSED: "{x"})),
        ({"name": "f", "arguments": "[1]"}, ToolCall("f", {UNPARSED: "[1]"})),
        (
            {"name": "f", "arguments": '{"x": 1, "x": 2}'},
            ToolCall("f", {UNPARSED: '{"x": 1, "x": 2}'}),
        ),
        ({"name": "f", "arguments": 3}, ToolCall("f", {UNPARSED: 3})),
        ({"name": 7}, None),
        ({"function": {"arguments": "{}"}, "name": "f"}, None),
        ("f", None),
        (None, None),
    ],
)
def test_calls_in_every_form(value: Any, expected: ToolCall | None) -> None:
    assert tool_call(value) == expected


@given(st.text(st.characters(), max_size=20))
def test_any_text_can_be_encoded_and_only_halves_of_pairs_change(text: str) -> None:
    assert encodable(text).encode().decode() == encodable(text)
    assert len(encodable(text)) == len(text)
    assert all(
        a == b or "\ud800" <= a <= "\udfff" for a, b in zip(text, encodable(text), strict=True)
    )
