"""What differs between variants, and whether it was meant to. Pure.

A variant is known here by its factors: dotted names and plain values (`LiveVariant.definition` with
the identity of the route to its model as `sdk.*`, or the facts of a recorded variant).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, takewhile, zip_longest

from harness.core.experiment import Excuse
from harness.core.factors import PARTS, content_of, names_word, part_text, short
from harness.core.values import JsonValue, as_text, canonical_json

_ABSENT = "none"
_NOT_STATED = "not stated"
_OF_RETRIEVAL = ("rerank", "context")
"""Parts that go with retrieval: without it there is nothing to order or to cut."""
_OF_MODEL = ("base_url", "provider", "sdk", "training")
"""Parts that describe a model or the way to it, and say nothing where the models differ."""
_MODELS = re.compile(r"(?:|.*\.)model")


_MAX_LINE = 60
_BEFORE = 20


@dataclass(frozen=True, slots=True)
class Arm:
    """A variant by its factors. Of a `recorded` one these are what its author states.

    `texts` are its templates by the names of their factors, which hold only the hashes.
    """

    id: str
    factors: Mapping[str, JsonValue]
    recorded: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)

    def names(self, part: str, word: str) -> bool:
        """Whether a template of the top-level factor `part` names the variable `word`."""
        texts = (text for name, text in self.texts.items() if name.partition(".")[0] == part)
        return any(names_word(text, word) for text in texts)


@dataclass(frozen=True, slots=True)
class Difference:
    """A factor in which two variants differ, and both values for a reader, long ones shortened.

    `detail` is the first line in which two templates differ.
    """

    field: str
    left: str
    right: str
    detail: str = ""

    @property
    def values(self) -> str:
        """Both values in one line."""
        return f"{self.left} / {self.right}{self.detail and f' ({self.detail})'}"


@dataclass(frozen=True, slots=True)
class Confounded:
    """Two variants that differ in more than the declared factors, and in what."""

    left: str
    right: str
    differences: tuple[Difference, ...]

    @property
    def what(self) -> str:
        """The sentence: who, in what, and both values."""
        fields = " AND ".join(one.field for one in self.differences)
        values = "; ".join(f"{one.field}: {one.values}" for one in self.differences)
        if len(self.differences) == 1:
            values = values.removeprefix(f"{fields}: ")
        return f"confounded: {self.left} and {self.right} differ in {fields} ({values})"

    @property
    def hint(self) -> str:
        """What to do about it."""
        named = self.differences[0].field if len(self.differences) == 1 else "them"
        return f"list {named} in factors, or excuse the pair under confounded_ok with a reason"


@dataclass(frozen=True, slots=True)
class Check:
    """Pairs that differ in more than the declared factors.

    `confounded` are those that nobody excused, `excused` those that somebody did, each with the
    reason. `needless` are the indices of excuses for pairs that need none.
    """

    confounded: tuple[Confounded, ...] = ()
    excused: tuple[tuple[Confounded, str], ...] = ()
    needless: tuple[int, ...] = ()


def check(arms: Sequence[Arm], factors: Iterable[str], excuses: Sequence[Excuse] = ()) -> Check:
    """Hold every pair of variants against what may differ.

    Args:
        arms: all variants, in the experiment's order.
        factors: what may differ; `retrieval` stands for `retrieval.top_k` and all of it,
            `params.temperature` for itself alone.
        excuses: pairs that may differ in more.
    """
    declared = tuple(factors)
    reasons = {frozenset(excuse.pair): excuse.reason for excuse in excuses}
    confounded, excused = [], []
    for left, right in combinations(arms, 2):
        found = undeclared(left, right, declared)
        pair = frozenset({left.id, right.id})
        if found and pair in reasons:
            excused.append((Confounded(left.id, right.id, found), reasons[pair]))
        elif found:
            confounded.append(Confounded(left.id, right.id, found))
    used = {frozenset({told.left, told.right}) for told, _ in excused}
    needless = tuple(i for i, excuse in enumerate(excuses) if frozenset(excuse.pair) not in used)
    return Check(tuple(confounded), tuple(excused), needless)


def differences(left: Arm, right: Arm) -> tuple[Difference, ...]:
    """In what two variants differ: the fewest factors that a reader has to know of.

    A part that one side lacks is one difference; reranking and context then belong to retrieval.
    What describes a model, or the route to it, is compared only where the model itself is the
    same, which `openai/x` and `litellm/openai/x` are. A file counts by its content.

    Of two recorded variants, a fact that only one states is a difference. Of a recorded one and
    one that is run, only stated facts that are factors of the other are compared.
    """
    return tuple(_grouped(leaves(left, right), left, right))


def undeclared(left: Arm, right: Arm, factors: Iterable[str]) -> tuple[Difference, ...]:
    """The differences that `factors` do not cover."""
    declared = tuple(factors)
    outside = [
        leaf
        for leaf in leaves(left, right)
        if leaf.part not in declared and not any(_covers(factor, leaf.name) for factor in declared)
    ]
    return tuple(_grouped(outside, left, right))


def remarks(arms: Sequence[Arm], factors: Iterable[str]) -> tuple[str, ...]:
    """What is allowed and shows nothing: variants that are the same, factors that never vary.

    Of variants that are all recorded nothing is said: there is more to them than is stated.
    """
    if len(arms) < 2 or all(arm.recorded for arm in arms):
        return ()
    pairs = [(left, right, leaves(left, right)) for left, right in combinations(arms, 2)]
    same = [
        f"variants {left.id} and {right.id} do not differ in any factor"
        for left, right, found in pairs
        if not found and not left.recorded and not right.recorded
    ]
    varying = {name for *_, found in pairs for leaf in found for name in (leaf.name, leaf.part)}
    names = {name for arm in arms for name in arm.factors}
    varying |= {n for n in names if any(not _same_fact(left, right, n) for left, right, _ in pairs)}
    still = [
        f"the factor {factor} is declared, but no two variants differ in it"
        for factor in factors
        if not any(_covers(factor, name) for name in varying)
    ]
    return (*same, *still)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value that differs: its dotted name, and the top-level factor that it belongs to."""

    name: str
    part: str


def leaves(left: Arm, right: Arm) -> list[Leaf]:
    """Every value that differs and says something, in order."""
    if left.recorded and right.recorded:
        names = dict.fromkeys([*left.factors, *right.factors])
        return [Leaf(n, n) for n in names if _fact(left, n) != _fact(right, n)]
    if left.recorded or right.recorded:
        return _stated_leaves(left, right)
    a, b = left.factors, right.factors
    silent = _silent(a, b)
    folded = has_part(a, "retrieval") != has_part(b, "retrieval")
    found = []
    for name in dict.fromkeys([*a, *b]):
        if _same(a.get(name), b.get(name)) or any(_covers(prefix, name) for prefix in silent):
            continue
        if _MODELS.fullmatch(name) and name in a and name in b and _same_model(a[name], b[name]):
            name = f"{name.removesuffix('model')}sdk.route"  # noqa: PLW2901
        part = name.partition(".")[0]
        found.append(Leaf(name, "retrieval" if folded and part in _OF_RETRIEVAL else part))
    return found


def has_part(factors: Mapping[str, JsonValue], part: str) -> bool:
    """Whether a variant has anything of a part."""
    return any(_covers(part, name) for name in factors)


def parts_with(part: str, left: Arm, right: Arm) -> tuple[str, ...]:
    """The top-level names that change when `part` does, on the way from `left` to `right`."""
    a, b = left.factors, right.factors
    if part == "retrieval" and has_part(a, part) != has_part(b, part):
        return (part, *_OF_RETRIEVAL)
    if part == "model" and not _same_model(a.get("model"), b.get("model")):
        return (part, *_OF_MODEL)
    if part == "sdk":
        return (part, "model")
    return (part,)


def _covers(factor: str, name: str) -> bool:
    return name == factor or name.startswith(f"{factor}.")


def _same(left: JsonValue, right: JsonValue) -> bool:
    if type(left) is type(right) and left == right:  # most are, and this is quick
        return True
    return canonical_json(content_of(left)) == canonical_json(content_of(right))


def _same_fact(left: Arm, right: Arm, name: str) -> bool:
    return _same(left.factors.get(name), right.factors.get(name))


def _silent(a: Mapping[str, JsonValue], b: Mapping[str, JsonValue]) -> list[str]:
    """The parts that say nothing because they describe different models."""
    return [
        f"{name.removesuffix('model')}{part}"
        for name in a
        if name in b and _MODELS.fullmatch(name) and not _same_model(a[name], b[name])
        for part in _OF_MODEL
    ]


def _same_model(left: JsonValue, right: JsonValue) -> bool:
    return _without_route(as_text(left)) == _without_route(as_text(right))


def _without_route(model: str) -> str:
    """A model's own name: `x` of `openai/x` and of `litellm/openai/x`."""
    provider, _, name = model.partition("/")
    if provider == "litellm" and "/" in name:
        name = name.partition("/")[2]
    return name or model


def _stated_leaves(left: Arm, right: Arm) -> list[Leaf]:
    """Of a recorded variant and one that is run: stated facts that are the other's factors."""
    facts, factors = (left, right.factors) if left.recorded else (right, left.factors)
    found = []
    for name, value in _flat(facts.factors):
        same_model = name == "model" and _same_model(value, factors.get(name))
        if name in factors and not same_model and not _same(value, factors[name]):
            found.append(Leaf(name, name.partition(".")[0]))
    return found


def _flat(value: JsonValue, prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            yield from _flat(item, f"{name}.")
        else:
            yield name, item


def _fact(arm: Arm, name: str) -> str:
    return as_text(arm.factors[name]) if name in arm.factors else _NOT_STATED


def _grouped(found: Iterable[Leaf], left: Arm, right: Arm) -> Iterator[Difference]:
    """Differences for a reader: whole parts where one side has none, else value by value."""
    told = set()
    one_kind = left.recorded == right.recorded
    for leaf in found:
        whole = leaf.part in PARTS and one_kind and not left.recorded
        whole = whole and has_part(left.factors, leaf.part) != has_part(right.factors, leaf.part)
        name = leaf.part if whole else leaf.name
        if name in told:
            continue
        told.add(name)
        shown = _part if whole else _value
        detail = "" if whole else _first_line(left.texts.get(name), right.texts.get(name))
        yield Difference(name, shown(left, name), shown(right, name), detail)


def _first_line(left: str | None, right: str | None) -> str:
    """The first line in which two texts differ."""
    if left is None or right is None:
        return ""
    lines = zip_longest(left.splitlines(), right.splitlines())
    for number, (mine, other) in enumerate(lines, start=1):
        if mine != other:
            start = _n_alike(mine or "", other or "")
            shown = f"{_quoted(mine, start)} / {_quoted(other, start)}"
            return f"first difference in line {number}: {shown}"
    return ""


def _n_alike(left: str, right: str) -> int:
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))
    )


def _quoted(line: str | None, start: int) -> str:
    """A line around the character from which on it differs."""
    if line is None:
        return "no such line"
    begin = max(0, start - _BEFORE) if start > _MAX_LINE - _BEFORE else 0
    cut = line[begin : begin + _MAX_LINE]
    ends = "..." if begin + _MAX_LINE < len(line) else ""
    return f'"{"..." if begin else ""}{cut}{ends}"'


def _value(arm: Arm, name: str) -> str:
    if name not in arm.factors and name.endswith("sdk.route"):
        name = f"{name.removesuffix('sdk.route')}model"
    values = dict(_flat(arm.factors)) | dict(arm.factors)
    if name in values:
        return short(values[name])
    return _NOT_STATED if arm.recorded else _ABSENT


def _part(arm: Arm, part: str) -> str:
    """A whole part in one line: `bm25, top_k 20, corpus docs sha256:12345678..`."""
    parts = (part, *_OF_RETRIEVAL) if part == "retrieval" else (part,)
    own = {name: v for name, v in arm.factors.items() if name.partition(".")[0] in parts}
    return part_text(part, own) or _ABSENT
