"""How a conversation becomes the text that the embedded model reads, in training and in use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from harness.core.chat import Message, RequestedCall, ToolSpec

SYSTEM, USER, ASSISTANT = "<|sys|>", "<|user|>", "<|asst|>"
CALL, TOOL, END, PAD = "<|call|>", "<|tool|>", "<|end|>", "<|pad|>"
SPECIAL = (PAD, SYSTEM, USER, ASSISTANT, CALL, TOOL, END)
"""The tokens that no text can spell, in the order of their ids."""

READ = frozenset({SYSTEM, USER, TOOL})
"""What opens a turn that the model is given: each of its tokens sees the whole turn."""

OPENING = READ | {ASSISTANT}
"""What opens a turn."""

Segment: TypeAlias = tuple[str | None, str]
"""A special token, or None, and the text after it."""

_MARKS: Mapping[str, str] = {"user": USER, "tool": TOOL}
_CALL = re.compile(r"\s*([A-Za-z_][\w.-]*)\((.*)\)\s*", re.DOTALL)
_ARGUMENT = re.compile(r"\s*([A-Za-z_]\w*)=([^,]*)")


def segments(messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> list[Segment]:
    """The conversation up to where the model's turn begins.

    The first segment holds all system messages and the list of tools, so that it is the same for
    every example of a variant.
    """
    found: list[Segment] = []
    head = "\n".join(message.content for message in messages if message.role == "system")
    head = "\n".join(part for part in (head, tools_line(tools)) if part)
    if head:
        found.append((SYSTEM, head))
    for message in messages:
        if message.role == "assistant":
            found += assistant(message.content, [call_text(call) for call in message.calls])
        elif message.role != "system":
            found.append((_MARKS[message.role], message.content))
    found.append((ASSISTANT, ""))
    return found


def assistant(text: str, calls: Sequence[str] = ()) -> Iterator[Segment]:
    """A turn of the model's, to its end."""
    yield ASSISTANT, text
    for call in calls:
        yield CALL, call
    yield END, ""


def tools_line(tools: Sequence[ToolSpec]) -> str:
    """The tools as one line: `Tools: order_status(order_id), ...`; nothing if there are none."""
    listed = [f"{tool.name}({', '.join(_properties(tool))})" for tool in tools]
    return f"Tools: {', '.join(listed)}." if listed else ""


def call_text(call: RequestedCall) -> str:
    """A call as the model writes it: `order_status(order_id=48213)`."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        return f"{call.name}({call.arguments})"
    return f"{call.name}({', '.join(f'{key}={_plain(value)}' for key, value in arguments.items())})"


def read_call(text: str, tools: Sequence[ToolSpec]) -> tuple[str, str]:
    """The name and the arguments (JSON) of a call that the model wrote.

    Values take the types of the tool's schema where they can. Of what is no call, the text up to
    the first bracket is the name and the rest stands as it is, for harness to count as unreadable.
    """
    match = _CALL.fullmatch(text)
    if match is None:
        name, _, rest = text.strip().partition("(")
        return name, rest
    name, inside = match.groups()
    pairs = {key: value.strip() for key, value in _ARGUMENT.findall(inside)}
    if inside.strip() and not pairs:
        return name, inside
    types = next((_properties(tool) for tool in tools if tool.name == name), {})
    typed = {key: _typed(value, types.get(key)) for key, value in pairs.items()}
    return name, json.dumps(typed, ensure_ascii=False)


def _properties(tool: ToolSpec) -> Mapping[str, Any]:
    found = tool.parameters.get("properties")
    return found if isinstance(found, Mapping) else {}


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _typed(value: str, schema: object) -> object:
    wanted = schema.get("type") if isinstance(schema, Mapping) else None
    try:
        if wanted == "integer":
            return int(value)
        if wanted == "number":
            return float(value)
    except ValueError:
        return value
    if wanted == "boolean" and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    return value
