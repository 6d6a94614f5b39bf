"""The eval set: what every variant is asked, and what a good answer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.values import ABSENT, Absent, JsonValue, ToolCall, look_up

ALL = "all"
"""The slice that every example is in."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of the eval set.

    `slices` maps a slice's name to this example's value: `{"steps": "2"}` puts the example in
    the slice `steps=2`. `cluster` names the group of examples that are not independent of one
    another (turns of a conversation, paraphrases); None means a group of its own.
    `target`, `evidence`, `tool_calls` and `abstain` are None where the example does not say.
    """

    id: str
    input: JsonValue
    target: JsonValue = None
    slices: Mapping[str, str] = field(default_factory=dict)
    cluster: str | None = None
    evidence: tuple[str, ...] | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    abstain: bool | None = None
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)

    def look_up(self, path: str) -> JsonValue | Absent:
        """The value at a dotted path: `target.answer`, `slices.steps`, `input.question`.

        The first part is a field of the example; what the file had beyond the known fields is
        found under its own name, or under `metadata`.
        """
        head, _, rest = path.partition(".")
        if head in _FIELDS:
            value = getattr(self, head)
            return ABSENT if value is None else look_up(value, rest)
        return look_up(self.metadata, path)


_FIELDS = frozenset(
    {"id", "input", "target", "slices", "cluster", "evidence", "tool_calls", "abstain", "metadata"}
)


@dataclass(frozen=True, slots=True)
class TaskContract:
    """What the task is, agreed before anything runs. Texts; empty where the set does not say."""

    inputs: str = ""
    outputs: str = ""
    evidence_sources: tuple[str, ...] = ()
    abstention: str = ""
    disallowed: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvalSet:
    """A frozen eval set. `examples` stand in the order of their ids.

    `hashes` are those of their contents by id, of the whole set also where `examples` are a part.
    """

    name: str
    sha256: str
    examples: tuple[Example, ...]
    description: str = ""
    license: str = ""
    origin: str = ""
    slice_meanings: Mapping[str, str] = field(default_factory=dict)
    contract: TaskContract | None = None
    corpus_sha256: str | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)

    def slice_members(self) -> dict[str, tuple[int, ...]]:
        """The index of every member, by slice: `all` first, then `name=value` in order."""
        return slice_members([example.slices for example in self.examples])


def slice_members(slices: list[Mapping[str, str]]) -> dict[str, tuple[int, ...]]:
    """Indices by slice for examples whose `slices` maps are given; `all` comes first."""
    members: dict[str, list[int]] = {}
    for index, named in enumerate(slices):
        for name, value in named.items():
            members.setdefault(f"{name}={value}", []).append(index)
    ordered = {ALL: tuple(range(len(slices)))}
    ordered.update({name: tuple(members[name]) for name in sorted(members)})
    return ordered
