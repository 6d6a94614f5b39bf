"""What is shown of an example: the input, two answers, and what stays hidden until asked for.

A text is shown with what it is: `[what, text]`. Nothing here names a variant, a model or a score.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.core.example import Example
from harness.core.record import Answer, Failure, Record
from harness.core.run import RunData
from harness.core.values import JsonValue

NO_ANSWER = "No answer: the system failed here."


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and what it is; empty where that goes without saying."""

    what: str
    text: str

    def json(self) -> list[str]:
        """As the page gets it."""
        return [self.what, self.text]


@dataclass(frozen=True, slots=True)
class Side:
    """One answer; `rests_on` is what it was made with. `is_answer`: the system did not fail."""

    texts: tuple[Text, ...]
    rests_on: tuple[Text, ...]
    is_answer: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One example with two answers, the baseline's first; `wanted` is what was to be answered."""

    id: str
    asked: tuple[Text, ...]
    sides: tuple[Side, Side]
    wanted: tuple[Text, ...]

    @property
    def identical(self) -> bool:
        """Whether a reader sees the same twice."""
        return self.sides[0].texts == self.sides[1].texts


def items_of(run: RunData, pair: tuple[str, str]) -> tuple[Item, ...]:
    """All examples that both variants of `pair` were asked, by their first repeats.

    One that was lost to the infrastructure on a side is left out: there is nothing to judge.
    """
    found: dict[str, dict[str, Side]] = {}
    for record in run.records:
        if record.variant in pair and record.repeat == 0:
            side = _side(record)
            if side is not None:
                found.setdefault(record.example_id, {})[record.variant] = side
    return tuple(
        Item(
            example.id, tuple(_asked(example.input)), (one[pair[0]], one[pair[1]]), _wanted(example)
        )
        for example in run.examples
        if len(one := found.get(example.id, {})) == 2
    )


def _side(record: Record) -> Side | None:
    rests_on = [*_listed("evidence it used", record.evidence), *_calls(record)]
    match record.outcome:
        case Answer(output):
            return Side(tuple(_parts(output)), tuple(rests_on), is_answer=True)
        case Failure(infrastructure):
            failed = Side((Text("", NO_ANSWER),), tuple(rests_on), is_answer=False)
            return None if infrastructure else failed


def _asked(value: JsonValue) -> Iterator[Text]:
    """The input: its fields, or the messages of a conversation, one by one."""
    if isinstance(value, Mapping) and len(value) == 1:
        yield from _asked(next(iter(value.values())))
    elif isinstance(value, list) and value and all(_is_message(entry) for entry in value):
        yield from (Text(entry["role"], entry["content"]) for entry in value)
    elif isinstance(value, Mapping) and any(_is_talk(entry) for entry in value.values()):
        for name, entry in value.items():
            yield from _asked(entry) if _is_talk(entry) else (Text(str(name), _plain(entry)),)
    else:
        yield from _parts(value)


def _is_talk(value: JsonValue) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_message(entry) for entry in value)


def _is_message(value: JsonValue) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"role", "content"}
        and all(isinstance(part, str) for part in value.values())
    )


def _parts(value: JsonValue) -> Iterator[Text]:
    """A text as it is, an object field by field, anything else as indented JSON."""
    if isinstance(value, Mapping) and value:
        yield from (Text(str(name), _plain(part)) for name, part in value.items())
    else:
        yield Text("", _plain(value))


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _wanted(example: Example) -> tuple[Text, ...]:
    texts = [] if example.target is None else list(_named(example.target, "target"))
    texts += _listed("evidence to be found", example.evidence)
    if example.abstain is not None:
        said = "abstain: there is no answer to be given" if example.abstain else "answer"
        texts.append(Text("what to do", said))
    return tuple(texts)


def _named(value: JsonValue, what: str) -> Iterator[Text]:
    for part in _parts(value):
        yield Text(f"{what}: {part.what}" if part.what else what, part.text)


def _listed(what: str, ids: Sequence[str] | None) -> list[Text]:
    if ids is None:
        return []
    return [Text(what, "\n".join(f"{place}. {id_}" for place, id_ in enumerate(ids, 1)) or "none")]


def _calls(record: Record) -> list[Text]:
    """The tools that were called, with what they were given."""
    calls = record.tool_calls or ()
    return [Text(f"called {call.name}", _plain(dict(call.arguments))) for call in calls]
