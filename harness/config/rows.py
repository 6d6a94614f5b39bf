"""What eval sets and recordings share: columns under our names, and typed values out of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from harness.config.findings import Findings
from harness.config.jsonline import column_of
from harness.config.readers import Row
from harness.core.values import (
    ABSENT,
    UNPARSED,
    Absent,
    JsonValue,
    ToolCall,
    look_up,
    parse_json,
    tool_call,
)

Value = TypeVar("Value")


class RowError(ValueError):
    """A row is not what it should be. The text says what is wrong, `hint` what to do.

    `key` is the field that is wrong under our name, with dots; empty until it is known.
    """

    def __init__(self, what: str, hint: str = "", key: str = "") -> None:
        self.hint = hint
        self.key = key
        super().__init__(what)


class Mistakes(list[RowError]):
    """All that is wrong with one row; false if nothing is."""

    def check(self, key: str, read: Callable[..., Value], *given: Any) -> Value | None:
        """What `read` makes of `given`; None if that is wrong, which is noted for `key`."""
        try:
            return read(*given)
        except RowError as error:
            error.key = error.key or key
            self.append(error)
            return None

    def tell(self, row: Row, columns: Columns, findings: Findings) -> None:
        """Add every mistake to `findings`, by its column."""
        places = [(column_of(row.text, columns.source(error.key)), error) for error in self]
        for column, error in sorted(places, key=lambda place: place[0]):
            findings.add(row.line, str(error), error.hint, column=column)


class Columns:
    """Renames a file's columns to ours.

    Args:
        fields: our name: the file's, either with dots that lead inside.
        nested: our fields that hold mappings, so that a column `input.question` goes into
            `input`.
        known: all of our fields; every other column goes to `metadata`.
        textual: whether all cells are text, so that columns of other types are parsed.
        texts: with `textual`, our fields that stay text.
    """

    def __init__(
        self,
        fields: Mapping[str, str],
        *,
        nested: Collection[str],
        known: Collection[str],
        textual: bool = False,
        texts: Collection[str] = (),
    ) -> None:
        self.fields = fields
        self.unseen = dict(fields)
        self._sources = frozenset(fields.values())
        self._nested = frozenset(nested)
        self._known = frozenset(known)
        self._parsed = self._known - frozenset(texts) if textual else frozenset[str]()

    def ours(self, row: Mapping[str, JsonValue], wrong: Mistakes) -> dict[str, JsonValue]:
        """The row under our names, with a `metadata` of its own that holds what is left.

        Where two columns would fill the same field, that is added to `wrong`.
        """
        result: dict[str, JsonValue] = {}
        metadata: dict[str, JsonValue] = {}
        for key, value in row.items():
            if key in self._sources:
                continue
            if key in self._known and key not in self.fields:
                result[key] = value
            elif "." in key and key.partition(".")[0] in self._nested and key not in self.fields:
                wrong.check(key, _put, result, key, value)
            else:
                metadata[key] = value
        for name, source in self.fields.items():
            found = look_up(row, source)
            if found is not ABSENT:
                self.unseen.pop(name, None)
                wrong.check(name, _put, result, name, found)
        for name in self._parsed:
            if name in result:
                result[name] = _parsed(result[name])
        own = result.get("metadata")
        result["metadata"] = wrong.check("metadata", _joined, own, metadata) or {}
        return result

    def source(self, name: str) -> str:
        """The file's name for our field, both with dots."""
        head, dot, rest = name.partition(".")
        return self.fields.get(name) or self.fields.get(head, head) + dot + rest


def identifier(value: JsonValue | Absent, what: str) -> str:
    """An id as text: text that is not empty, or a whole number.

    Raises:
        RowError: for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is ABSENT:
        raise RowError(f"{what} is missing")
    if not isinstance(value, str):
        raise RowError(f"{what} must be text, not {kind(value)}")
    if not value.strip():
        raise RowError(f"{what} is empty")
    return value


def identifiers(value: JsonValue, what: str) -> tuple[str, ...] | None:
    """A list of ids; None where there is none.

    Raises:
        RowError: if it is no list of ids.
    """
    if value is None:
        return None
    if not isinstance(value, list):
        raise RowError(f"{what} must be a list of ids, not {kind(value)}")
    return tuple(identifier(item, f"{what}[{index}]") for index, item in enumerate(value))


def tool_calls(value: JsonValue, *, strict: bool) -> tuple[ToolCall, ...] | None:
    """A list of calls, `{name, arguments}`; None where there is none.

    Arguments may be an object or JSON text (`core.values.tool_call`). With `strict`, what is no
    JSON object is an error; a model may well write it, and then it is kept as it is.

    Raises:
        RowError: if it is no list of calls.
    """
    if value is None:
        return None
    if not isinstance(value, list):
        raise RowError(f"tool_calls must be a list, not {kind(value)}")
    return tuple(_tool_call(item, f"tool_calls[{i}]", strict) for i, item in enumerate(value))


def kind(value: JsonValue) -> str:
    """A value's type, as messages call it."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "an object")


def _tool_call(value: JsonValue, what: str, strict: bool) -> ToolCall:  # noqa: FBT001
    call = tool_call(value)
    if call is None:
        raise RowError(f"{what} must be an object with a name", '{"name": ..., "arguments": {...}}')
    if strict and UNPARSED in call.arguments:
        given = kind(call.arguments[UNPARSED])
        raise RowError(
            f"{what}.arguments must be an object, not {given}", key="tool_calls.arguments"
        )
    return call


def _put(result: dict[str, JsonValue], name: str, value: JsonValue) -> None:
    """Set the field at a dotted path, through mappings of the row's own."""
    head, _, rest = name.partition(".")
    if not rest:
        if head in result:
            raise RowError(f"two columns fill '{name}'")
        result[head] = value
        return
    inner = result.get(head, {})
    if not isinstance(inner, dict):
        raise RowError(f"two columns fill '{head}': one whole, one '{name}'")
    result[head] = dict(inner)
    _put(result[head], rest, value)


def _parsed(value: JsonValue) -> JsonValue:
    """A text cell as the JSON it stands for, else as it is."""
    if isinstance(value, dict):
        return {key: _parsed(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value.lower() if value in {"True", "False", "TRUE", "FALSE"} else value)
    except ValueError:
        return value


def _joined(given: Any, rest: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if given is None:
        return rest
    if not isinstance(given, dict):
        raise RowError(f"metadata must be an object, not {kind(given)}")
    double = next((key for key in rest if key in given), None)
    if double is not None:
        raise RowError(f"'{double}' stands both in the row and in its metadata", key=double)
    return {**given, **rest}
