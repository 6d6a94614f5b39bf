"""The filters and tests that templates may use. Each pays for its work before it does it.

They do as Jinja's of the same name, but `tojson`, which writes plain JSON: a prompt is no HTML.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.core.values import JsonValue
from harness.templating.runtime import Frame, Halt, Missing, field_of, items_of, kind, show

_MAX_DIGITS = 15
_MAX_INDENT = 40
_WORD = re.compile(r"\w+")


def _text(frame: Frame, value: JsonValue) -> str:
    text = show(frame, value)
    frame.spend(len(text))
    return text


def _list(frame: Frame, value: JsonValue) -> list[JsonValue]:
    items = list(value) if isinstance(value, str) else items_of(value, "the value")
    frame.spend(len(items))
    return items


def _trim(frame: Frame, value: JsonValue, chars: str | None = None) -> str:
    return _text(frame, value).strip(chars)


def _upper(frame: Frame, value: JsonValue) -> str:
    return _text(frame, value).upper()


def _lower(frame: Frame, value: JsonValue) -> str:
    return _text(frame, value).lower()


def _capitalize(frame: Frame, value: JsonValue) -> str:
    return _text(frame, value).capitalize()


def _title(frame: Frame, value: JsonValue) -> str:
    from jinja2.filters import do_title

    return do_title(_text(frame, value))


def _replace(frame: Frame, value: JsonValue, old: str, new: str, count: int = -1) -> str:
    text, old, new = _text(frame, value), _text(frame, old), _text(frame, new)
    n_times = text.count(old) if count < 0 else min(count, text.count(old))
    frame.room_for(len(text) + n_times * max(0, len(new) - len(old)))
    return text.replace(old, new, n_times)


def _truncate(
    frame: Frame, value: JsonValue, length: int = 255, killwords: bool = False,  # noqa: FBT001, FBT002
    end: str = "...", leeway: int = 5,
) -> str:  # fmt: skip
    text, end = _text(frame, value), _text(frame, end)
    length = max(length, len(end))
    if len(text) <= length + leeway:
        return text
    cut = text[: length - len(end)]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + end


def _indent(
    frame: Frame, value: JsonValue, width: int = 4, first: bool = False, blank: bool = False  # noqa: FBT001, FBT002
) -> str:  # fmt: skip
    text = _text(frame, value)
    if not 0 <= width <= _MAX_INDENT:
        raise Halt(f"indent takes a width from 0 to {_MAX_INDENT}")
    frame.room_for(len(text) + width * (1 + text.count("\n")))
    head, *others = (text + "\n").splitlines() if text.endswith("\n") else text.splitlines() or [""]
    pad = " " * width
    lines = [pad + head if first else head]
    return "\n".join(lines + [pad + line if blank or line else line for line in others])


def _wordcount(frame: Frame, value: JsonValue) -> int:
    return len(_WORD.findall(_text(frame, value)))


def _tojson(frame: Frame, value: JsonValue, indent: int | None = None) -> str:
    frame.weigh(value)
    if indent is not None and not 0 <= indent <= 8:
        raise Halt("tojson takes an indent from 0 to 8")
    return json.dumps(value, ensure_ascii=False, indent=indent, default=dict, allow_nan=False)


def _length(frame: Frame, value: JsonValue) -> int:
    if not isinstance(value, str | list | tuple | Mapping):
        raise Halt(f"{kind(value)} has no length")
    return len(value)


def _default(
    frame: Frame, value: JsonValue, default: JsonValue = "", boolean: bool = False  # noqa: FBT001, FBT002
) -> JsonValue:  # fmt: skip
    return default if isinstance(value, Missing) or (boolean and not value) else value


def _first(frame: Frame, value: JsonValue) -> JsonValue:
    return field_of(value, 0, "what `first` is asked of")


def _last(frame: Frame, value: JsonValue) -> JsonValue:
    return field_of(value, -1, "what `last` is asked of")


def _join(frame: Frame, value: JsonValue, d: str = "", attribute: str | int | None = None) -> str:
    parts = [show(frame, item) for item in _each(frame, value, attribute)]
    between = _text(frame, d)
    frame.room_for(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _round(frame: Frame, value: JsonValue, precision: int = 0, method: str = "common") -> JsonValue:
    number = _number(value)
    if not -_MAX_DIGITS <= precision <= _MAX_DIGITS:
        raise Halt(f"round takes a precision from -{_MAX_DIGITS} to {_MAX_DIGITS}")
    if method == "common":
        return round(number, precision)
    if method not in {"ceil", "floor"}:
        raise Halt("round takes the methods common, ceil and floor")
    scale = 10**precision
    return (math.ceil if method == "ceil" else math.floor)(number * scale) / scale


def _int(frame: Frame, value: JsonValue, default: int = 0) -> int:
    try:
        return int(_readable(frame, value))
    except (TypeError, ValueError, OverflowError):
        try:
            return int(float(_readable(frame, value)))
        except (TypeError, ValueError, OverflowError):
            return default


def _float(frame: Frame, value: JsonValue, default: float = 0.0) -> float:
    try:
        return float(_readable(frame, value))
    except (TypeError, ValueError, OverflowError):
        return default


def _readable(frame: Frame, value: JsonValue) -> Any:
    return value if isinstance(value, int | float) else _text(frame, value)[:400]


def _abs(frame: Frame, value: JsonValue) -> JsonValue:
    return abs(_number(value))


def _number(value: JsonValue) -> Any:
    if not isinstance(value, int | float):
        raise Halt(f"{kind(value)} is not a number")
    if isinstance(value, int) and value.bit_length() > 1024:
        raise Halt("a number is too large")
    return value


def _reverse(frame: Frame, value: JsonValue) -> JsonValue:
    return value[::-1] if isinstance(value, str) else _list(frame, value)[::-1]


def _items(frame: Frame, value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, dict | Mapping):
        raise Halt(f"items takes a mapping, not {kind(value)}")
    frame.spend(2 * len(value))
    return list(value.items())


def _each(frame: Frame, value: JsonValue, attribute: str | int | None) -> list[JsonValue]:
    """The elements, or of each of them the field at a dotted path."""
    items = _list(frame, value)
    return items if attribute is None else [_field(frame, item, attribute) for item in items]


def _field(frame: Frame, item: JsonValue, path: str | int) -> JsonValue:
    keys: list[str | int] = [path]
    if isinstance(path, str):
        keys = [int(key) if key.isdecimal() and len(key) < 9 else key for key in path.split(".")]
    for key in keys:
        frame.spend(4)
        item = field_of(item, key, "an element")
        if isinstance(item, Missing):
            raise Halt(item.why)
    return item


def _map(frame: Frame, value: JsonValue, *, attribute: str | int) -> list[JsonValue]:
    return _each(frame, value, attribute)


def _sort(
    frame: Frame, value: JsonValue, reverse: bool = False, case_sensitive: bool = False,  # noqa: FBT001, FBT002
    attribute: str | int | None = None,
) -> list[JsonValue]:  # fmt: skip
    items = _list(frame, value)
    keys = [_fold(key, case_sensitive) for key in _each(frame, items, attribute)]
    for _ in range(len(items).bit_length()):
        frame.weigh(keys)  # every element takes part in about log2(n) comparisons
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=reverse)
    return [items[position] for position in order]


def _fold(value: JsonValue, case_sensitive: bool) -> JsonValue:  # noqa: FBT001
    return value.lower() if isinstance(value, str) and not case_sensitive else value


def _unique(
    frame: Frame, value: JsonValue, case_sensitive: bool = False,  # noqa: FBT001, FBT002
    attribute: str | int | None = None,
) -> list[JsonValue]:  # fmt: skip
    items = _list(frame, value)
    keys = [_fold(key, case_sensitive) for key in _each(frame, items, attribute)]
    frame.weigh(keys)
    found: dict[JsonValue, JsonValue] = {}
    for key, item in zip(keys, items, strict=True):
        # Texts alone hash beyond an attacker's control; numbers can be chosen to collide.
        found.setdefault(key if isinstance(key, str) else (repr(key),), item)
    return list(found.values())


def _extreme(pick: Callable[..., JsonValue], word: str) -> Callable[..., JsonValue]:
    def extreme(
        frame: Frame, value: JsonValue, case_sensitive: bool = False,  # noqa: FBT001, FBT002
        attribute: str | int | None = None,
    ) -> JsonValue:  # fmt: skip
        items = _list(frame, value)
        if not items:
            return Missing(f"an empty list has no {word}")
        keys = [_fold(key, case_sensitive) for key in _each(frame, items, attribute)]
        frame.weigh(keys)
        return items[pick(range(len(items)), key=keys.__getitem__)]

    return extreme


def _sum(
    frame: Frame, value: JsonValue, attribute: str | int | None = None, start: float = 0
) -> JsonValue:
    return sum((_number(item) for item in _each(frame, value, attribute)), _number(start))


def _truth(frame: Frame, value: JsonValue) -> bool:
    return bool(value)


def _attribute_filter(*, keep: bool) -> Callable[..., list[JsonValue]]:
    def choose(
        frame: Frame, value: JsonValue, attribute: str | int, test: str = "", *args: JsonValue
    ) -> list[JsonValue]:
        check = TESTS.get(test) if test else _truth
        if check is None:
            raise Halt(f"there is no test '{test}'")
        return [
            item
            for item in _list(frame, value)
            if bool(check(frame, _field(frame, item, attribute), *args)) == keep
        ]

    return choose


FILTERS: dict[str, Callable[..., JsonValue]] = {
    "abs": _abs,
    "capitalize": _capitalize,
    "count": _length,
    "d": _default,
    "default": _default,
    "first": _first,
    "float": _float,
    "indent": _indent,
    "int": _int,
    "items": _items,
    "join": _join,
    "last": _last,
    "length": _length,
    "list": _list,
    "lower": _lower,
    "map": _map,
    "max": _extreme(max, "greatest element"),
    "min": _extreme(min, "least element"),
    "rejectattr": _attribute_filter(keep=False),
    "replace": _replace,
    "reverse": _reverse,
    "round": _round,
    "selectattr": _attribute_filter(keep=True),
    "sort": _sort,
    "string": _text,
    "sum": _sum,
    "title": _title,
    "tojson": _tojson,
    "trim": _trim,
    "truncate": _truncate,
    "unique": _unique,
    "upper": _upper,
    "wordcount": _wordcount,
}
"""By name. Called with the frame, the value and the arguments."""

MAY_BE_MISSING = frozenset({"first", "last", "min", "max"})
"""Filters that may find nothing, for `default` to fill in."""


def compare(frame: Frame, operator: str, left: JsonValue, right: JsonValue) -> bool:
    """One comparison, as Python makes it."""
    frame.weigh(left)
    frame.weigh(right)
    if operator in {"in", "notin"} and not isinstance(right, str | list | tuple | Mapping):
        raise Halt(f"`in` looks into a text, a list or a mapping, not into {kind(right)}")
    return bool(_COMPARISONS[operator](left, right))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "lteq": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gteq": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "notin": lambda a, b: a not in b,
}


def _comparison(operator: str) -> Callable[..., bool]:
    def test(frame: Frame, value: JsonValue, other: JsonValue) -> bool:
        return compare(frame, operator, value, other)

    return test


def _is(types: Any, but: Any = ()) -> Callable[..., bool]:
    def test(frame: Frame, value: JsonValue) -> bool:
        return isinstance(value, types) and not isinstance(value, but)

    return test


def _divisible(frame: Frame, value: JsonValue, num: int) -> bool:
    return bool(_number(value) % _number(num) == 0)


TESTS: dict[str, Callable[..., bool]] = {
    "defined": lambda frame, value: not isinstance(value, Missing),
    "undefined": lambda frame, value: isinstance(value, Missing),
    "none": lambda frame, value: value is None,
    "true": lambda frame, value: value is True,
    "false": lambda frame, value: value is False,
    "boolean": _is(bool),
    "string": _is(str),
    "number": _is((int, float)),
    "integer": _is(int, bool),
    "float": _is(float),
    "mapping": _is(Mapping),
    "sequence": _is((str, list, tuple, Mapping)),
    "iterable": _is((str, list, tuple, Mapping)),
    "odd": lambda frame, value: _number(value) % 2 == 1,
    "even": lambda frame, value: _number(value) % 2 == 0,
    "divisibleby": _divisible,
    "in": _comparison("in"),
    "eq": _comparison("eq"),
    "equalto": _comparison("eq"),
    "ne": _comparison("ne"),
    "lt": _comparison("lt"),
    "lessthan": _comparison("lt"),
    "le": _comparison("lteq"),
    "gt": _comparison("gt"),
    "greaterthan": _comparison("gt"),
    "ge": _comparison("gteq"),
}
"""By name, as `filters` are."""
