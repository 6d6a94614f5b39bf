"""What a template runs on: its variables, its output, and a budget of work.

A template may come from anyone, so time and memory are bounded by counting. Whatever looks at a
value or makes one pays for it: a unit per character, element or evaluated part. The count does not
depend on the machine, so a template that is too dear is so everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.values import JsonValue

MAX_WORK = 20_000_000
"""Units of work of one rendering. A prompt with a hundred passages takes some 100,000."""

MAX_OUTPUT_CHARS = 4_000_000
"""Characters of one rendering."""

MAX_TEXT_CHARS = 4_000_000
"""Characters of a text that a template makes on the way."""


class TemplateError(Exception):
    """A template is wrong, or cannot be rendered with these variables.

    `line` starts from 1; None where no line is to blame.
    """

    def __init__(self, name: str, line: int | None, message: str) -> None:
        where = [name] if name else []
        if line is not None:
            where.append(f"line {line}")
        super().__init__(f"{', '.join(where)}: {message}" if where else message)
        self.name = name
        self.line = line
        self.message = message


class Halt(Exception):  # noqa: N818 - it never leaves this package
    """Rendering cannot go on; becomes a TemplateError with the line."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What a name or field gives that is not there; only `default` and `defined` may see it."""

    why: str


class Frame:
    """One rendering."""

    __slots__ = ("_room", "_work", "line", "locals", "out", "variables")

    def __init__(self, variables: Mapping[str, JsonValue]) -> None:
        self.variables = variables
        self.locals: dict[str, JsonValue] = {}
        self.out: list[str] = []
        self.line: int | None = None
        self._work = MAX_WORK
        self._room = MAX_OUTPUT_CHARS

    def spend(self, units: int) -> None:
        """Pay for work, before it is done."""
        self._work -= units
        if self._work < 0:
            raise Halt(f"the template takes too much work (more than {MAX_WORK:,} steps)")

    def write(self, text: str) -> None:
        """Add to the output."""
        self._room -= len(text)
        if self._room < 0:
            raise Halt(f"the output is longer than {MAX_OUTPUT_CHARS:,} characters")
        self.out.append(text)

    def made(self, value: JsonValue) -> JsonValue:
        """Pay for a value that was made, and give it back."""
        if isinstance(value, str):
            self.room_for(len(value))
        elif isinstance(value, list | tuple | Mapping):
            self.spend(len(value))
        return value

    def room_for(self, n_chars: int) -> None:
        """Pay for a text of so many characters."""
        if n_chars > MAX_TEXT_CHARS:
            raise Halt(f"it makes a text longer than {MAX_TEXT_CHARS:,} characters")
        self.spend(n_chars)

    def weigh(self, value: JsonValue) -> None:
        """Pay for a value and all that is in it, as often as it is in it.

        Raises:
            Halt: if the work is too much, or if a value is no JSON.
        """
        stack = [value]
        while stack:
            item = stack.pop()
            type_ = type(item)
            if type_ is str:
                self.spend(1 + len(item))
            elif type_ in _CHEAP:
                self.spend(1)
            elif isinstance(item, list | tuple):
                self.spend(4 + 4 * len(item))
                stack.extend(item)
            elif isinstance(item, Mapping):
                self.spend(4 + 8 * len(item))
                stack.extend(item.keys())
                stack.extend(item.values())
            elif isinstance(item, str | int | float):
                self.spend(1 + len(str(item)))
            else:
                raise Halt(f"{kind(item)} cannot stand in a template")


_CHEAP = frozenset({int, float, bool, type(None)})


def show(frame: Frame, value: JsonValue) -> str:
    """A value as `{{ value }}` prints it, which is how Python does."""
    if isinstance(value, str):
        return value
    frame.weigh(value)
    return str(value)


def kind(value: JsonValue) -> str:
    """What sort of value it is, in words."""
    if value is None:
        return "null"
    names: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "true or false"),
        (str, "a text"),
        ((int, float), "a number"),
        ((list, tuple), "a list"),
        (Mapping, "a mapping"),
    ]
    return next((name for types, name in names if isinstance(value, types)), type(value).__name__)


def items_of(value: JsonValue, what: str) -> list[JsonValue]:
    """The elements of a list, or the keys of a mapping. A text is no list."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict | Mapping):
        return list(value.keys())
    raise Halt(f"{what} is {kind(value)}, not a list")


def field_of(value: JsonValue, key: JsonValue, what: str) -> JsonValue | Missing:
    """A mapping's value, a list's element or a text's character; never an attribute of Python."""
    if isinstance(value, dict | Mapping):
        if isinstance(key, str) and key in value:
            return value[key]
        return Missing(f"{what} has no field '{_short(key)}'")
    if isinstance(value, list | tuple | str) and type(key) is int:
        if -len(value) <= key < len(value):
            return value[key]
        return Missing(f"{what} has no item {_short(key)}")
    return Missing(f"{what} is {kind(value)} and has no field '{_short(key)}'")


def _short(key: JsonValue) -> str:
    return str(key)[:80] if isinstance(key, str | int | float) or key is None else kind(key)
