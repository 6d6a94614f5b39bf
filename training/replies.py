"""What the models wrote in a finished run, and what of it is right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema_rs

from harness.core.example import Example
from harness.core.record import Record, Stage, Status
from harness.core.run import RunData
from harness.core.values import ToolCall, parse_json

SCHEMA = Path(__file__).resolve().parents[1] / "variants" / "prompt_only" / "answer.schema.json"


@dataclass(frozen=True)
class Reply:
    """One trial: what was asked, the model's last text, its calls and the passages that it read.

    A text is read twice: *inside*, the first JSON object in it, whatever stands around; and
    *whole*, that object where the text is nothing else and fits the schema of the house format.
    """

    variant: str
    example: Example
    text: str
    calls: tuple[ToolCall, ...] = ()
    shown: tuple[str, ...] = ()
    prompt_tokens: int | None = None
    latency_s: float | None = None

    @property
    def kind(self) -> str:
        """The slice `kind` of the message."""
        return self.example.slices["kind"]

    @cached_property
    def inside(self) -> Mapping[str, Any] | None:
        """The first JSON object in the text."""
        return next(objects(self.text), None)

    @cached_property
    def whole(self) -> Mapping[str, Any] | None:
        """The object, if the text is one in the house format."""
        try:
            value = parse_json(self.text)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, Mapping) and house_format(value) else None

    @property
    def gold_shown(self) -> bool:
        """Whether a section that holds the answer was among the passages."""
        return not {*(self.example.evidence or ())}.isdisjoint(self.shown)


def replies(data: RunData) -> list[Reply]:
    """The trials of a run.

    Raises:
        ValueError: if trials were recorded elsewhere, or failed for reasons not the system's.
    """
    examples = {example.id: example for example in data.examples}
    lost = sum(one.status is Status.INFRASTRUCTURE_FAILURE for one in data.records)
    if lost:
        raise ValueError(f"{lost} trials of {data.run_id} ended in a failure of the machine's")
    return [_reply(record, examples[record.example_id]) for record in data.records]


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, first to last; what stands in one is not looked through."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except ValueError:
            end = at + 1
        except RecursionError:  # as deep at the next brackets, so that trying them all takes long
            return
        else:
            yield found
        at = text.find("{", end)


def house_format(value: object) -> bool:
    """Whether a value fits the schema of the house format."""
    return _HOUSE.is_valid(value)


def same_answer(read: Mapping[str, Any] | None, reply: Reply) -> bool:
    """Whether the answer is the right one, case and white space aside."""
    given = None if read is None else read.get("answer")
    return isinstance(given, str) and _plain(given) == _plain(_target(reply, "answer"))


def same_category(read: Mapping[str, Any] | None, reply: Reply) -> bool:
    """Whether the category is the right one."""
    return read is not None and read.get("category") == _target(reply, "category")


def same_citation(read: Mapping[str, Any] | None, reply: Reply) -> bool:
    """Whether the citation is the right document."""
    return read is not None and read.get("citation") == _target(reply, "citation")


def escalates(read: Mapping[str, Any] | None, reply: Reply) -> bool:
    """Whether the message is handed to a person."""
    return read is not None and read.get("escalate") is True


def abstains(read: Mapping[str, Any] | None, reply: Reply) -> bool:
    """Whether the answer is that there is none."""
    given = None if read is None else read.get("answer")
    return isinstance(given, str) and _plain(given) == "i don't know."


def in_format(read: Mapping[str, Any] | None, reply: Reply) -> bool:
    """Whether what was read fits the schema."""
    return read is not None and house_format(read)


def same_calls(read: Mapping[str, Any] | None, reply: Reply) -> bool:
    """Whether the tools that were called are the right ones, with the right arguments, no more."""
    return reply.calls == (reply.example.tool_calls or ())


def _reply(record: Record, example: Example) -> Reply:
    if record.trace is None:
        raise ValueError(f"the trials of {record.variant} were recorded elsewhere")
    written = [step for step in record.trace.steps if step.stage is Stage.GENERATE]
    text = written[-1].detail.get("text") if written else None
    return Reply(
        variant=record.variant,
        example=example,
        text=text if isinstance(text, str) else "",
        calls=record.tool_calls or (),
        shown=record.evidence or (),
        prompt_tokens=record.usage.prompt_tokens,
        latency_s=record.latency_s,
    )


def _target(reply: Reply, key: str) -> Any:
    target = reply.example.target
    if not isinstance(target, Mapping):
        raise ValueError(f"{reply.example.id} has no target in the house format")
    return target[key]


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


_HOUSE = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))
