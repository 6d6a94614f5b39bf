"""An example's input: normalised, as variables of templates, as one text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.core.values import JsonValue, as_text
from harness.system.rejection import Reason, RejectedError

_STEPS: dict[str, Callable[[str], str]] = {
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "whitespace": lambda text: " ".join(text.split()),
    "lower": str.lower,
    "strip": str.strip,
}


def normalised(value: JsonValue, steps: Sequence[str]) -> JsonValue:
    """`value` with every text in it (keys aside) put through `steps`, in their order.

    Raises:
        RejectedError: if it nests too deep.
    """
    try:
        return _normalised(value, steps)
    except RecursionError:
        raise RejectedError(Reason("input", "it nests too deep")) from None


def input_variables(value: JsonValue) -> dict[str, Any]:
    """The variables that every template sees: `input`, and its fields by name.

    `passages`, `shots` and `checks` are there from the start, empty; they and `input` win over
    fields of the same name.
    """
    fields = value if isinstance(value, Mapping) else {}
    return {**fields, "input": value, "passages": [], "shots": [], "checks": {}}


def input_text(value: JsonValue) -> str:
    """All texts in `value`, one a line; its JSON if it has none.

    Raises:
        RejectedError: if it nests too deep.
    """
    try:
        return "\n".join(_texts(value)) or as_text(value)
    except RecursionError:
        raise RejectedError(Reason("input", "it nests too deep")) from None


def _normalised(value: JsonValue, steps: Sequence[str]) -> JsonValue:
    if isinstance(value, str):
        for step in steps:
            value = _STEPS[step](value)
        return value
    if isinstance(value, Mapping):
        return {key: _normalised(item, steps) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_normalised(item, steps) for item in value]
    return value


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value
        return
    items = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list | tuple):
        for item in items:
            yield from _texts(item)
