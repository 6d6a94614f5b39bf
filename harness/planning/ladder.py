"""The missing arms of a ladder: variants that let every step change one thing. Pure.

Examples for a prompt, or passages, and the template that uses them are one thing: one without the
other has no effect, and `harness check` refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

from harness.core.factors import USERS
from harness.planning.factors import Arm, has_part, leaves, parts_with, undeclared

_T = TypeVar("_T")
_PROMPTS = ("system_template", "user_template", "draft")
_TRAINING = "training"


@dataclass(frozen=True, slots=True)
class MissingArm:
    """A variant to add: one like `like`, with the factors `changes` of `source`.

    `arm` is what it would be. `card` says what becomes of the training card, which goes with the
    model.
    """

    like: str
    changes: tuple[str, ...]
    source: str
    arm: Arm

    card: str = ""

    def __str__(self) -> str:
        changes = [f"{name}{self.card if name == 'model' else ''}" for name in self.changes]
        return f"an arm like {self.like} with {self.source}'s {_and(changes)}"


@dataclass(frozen=True, slots=True)
class Gap:
    """Two variants that differ in several declared factors at once, and what is missing between.

    `path` leads from one to the other over arms that are there and arms to add.
    """

    left: str
    right: str
    factors: tuple[str, ...]
    missing: tuple[MissingArm, ...]
    path: tuple[Arm, ...]

    def __str__(self) -> str:
        return (
            f"{self.left} and {self.right} differ in {_and(self.factors)} at once; to see which "
            f"one did it, add: {'; '.join(map(str, self.missing))}"
        )


def changed_factors(left: Arm, right: Arm) -> tuple[str, ...]:
    """The top-level factors in which two variants differ, in order."""
    return tuple(dict.fromkeys(leaf.part for leaf in leaves(left, right)))


def steps(left: Arm, right: Arm) -> list[tuple[str, ...]]:
    """The factors in which two variants differ, one step after the other from `left` to `right`.

    A step is one factor, or the fewest that cannot change but together: a variant in between may
    have no fault that neither of the two has.
    """
    changed = changed_factors(left, right)
    waiting = _together(left, right, changed)
    allowed = _faults(left) | _faults(right)
    found: list[tuple[str, ...]] = []
    done: list[str] = []
    while waiting:
        chosen = _next(left, right, done, waiting, allowed)
        waiting = [unit for unit in waiting if unit not in chosen]
        taken = {factor for unit in chosen for factor in unit}
        found.append(tuple(factor for factor in changed if factor in taken))
        done += found[-1]
    return found


def _next(
    left: Arm,
    right: Arm,
    done: Sequence[str],
    waiting: Sequence[tuple[str, ...]],
    allowed: frozenset[str],
) -> tuple[tuple[str, ...], ...]:
    """The first and fewest units whose change makes a variant without new faults; else all."""
    for size in range(1, len(waiting)):
        for chosen in combinations(waiting, size):
            taken = [*done, *(factor for unit in chosen for factor in unit)]
            if _faults(_between_arm(left, right, taken)) <= allowed:
                return chosen
    return tuple(waiting)


def _together(left: Arm, right: Arm, factors: Sequence[str]) -> list[tuple[str, ...]]:
    """`factors` in units: a part and the template that names it, where one side has neither."""
    units = [{factor} for factor in factors]
    for part, word in USERS.items():
        having, other = (left, right) if has_part(left.factors, part) else (right, left)
        if part not in factors or has_part(other.factors, part):
            continue
        users = {
            f
            for f in _PROMPTS
            if f in factors and having.names(f, word) and not other.names(f, word)
        }
        joined = set().union(*(unit for unit in units if unit & {part, *users}))
        units = [unit for unit in units if not unit & joined] + [joined]
    order = {factor: index for index, factor in enumerate(factors)}
    ordered = [tuple(sorted(unit, key=order.__getitem__)) for unit in units]
    return sorted(ordered, key=lambda unit: order[unit[0]])


def _faults(arm: Arm) -> frozenset[str]:
    """The parts of a variant that none of its templates uses."""
    return frozenset(
        part
        for part, word in USERS.items()
        if has_part(arm.factors, part) and not any(arm.names(name, word) for name in _PROMPTS)
    )


def ladder(arms: Sequence[Arm], baseline: str, factors: Iterable[str]) -> tuple[Gap, ...]:
    """What to add so that steps of one factor each connect all variants that may be compared.

    Pairs with the baseline come first, then the others in the experiment's order. A pair that such
    steps connect already, over whatever arms, needs nothing; an arm proposed for one pair is there
    for the next. Recorded variants and pairs with undeclared differences are left out.

    Args:
        arms: all variants, in the experiment's order.
        baseline: the baseline's id.
        factors: what may differ.
    """
    declared = tuple(factors)
    known = sorted((arm for arm in arms if not arm.recorded), key=lambda arm: arm.id != baseline)
    near: dict[tuple[str, str], bool] = {}
    group = _groups(known, near)
    gaps = []
    for left, right in combinations(known, 2):
        if group[left.id] == group[right.id] or undeclared(left, right, declared):
            continue
        gap = _gap(left, right, known)
        known = [*known, *(missing.arm for missing in gap.missing)]
        group = _groups(known, near)
        gaps.append(gap)
    return tuple(gaps)


def _groups(arms: Sequence[Arm], near: dict[tuple[str, str], bool]) -> dict[str, int]:
    """A number for every variant by its id; steps of one factor connect those of one number.

    `near` keeps for the next time which pairs are one step apart.
    """

    def one_step(left: Arm, right: Arm) -> bool:
        pair = (left.id, right.id)
        if pair not in near:
            near[pair] = len(steps(left, right)) < 2
        return near[pair]

    group: dict[str, int] = {}
    for number, start in enumerate(arms):
        waiting = [] if start.id in group else [start]
        while waiting:
            here = waiting.pop()
            group[here.id] = number
            waiting += [arm for arm in arms if arm.id not in group and one_step(here, arm)]
    return group


def _gap(left: Arm, right: Arm, arms: Sequence[Arm]) -> Gap:
    changed = changed_factors(left, right)
    path, missing = [left], []
    done: frozenset[str] = frozenset()
    chain = _longest_chain(_between(left, right, changed, arms))
    for goal, arm in [*chain, (frozenset(changed), right)]:
        for step in steps(path[-1], arm)[:-1]:
            done |= set(step)
            missing.append(_missing(left, right, changed, done))
            path.append(missing[-1].arm)
        path.append(arm)
        done = goal
    return Gap(left.id, right.id, changed, tuple(missing), tuple(path))


def _between(
    left: Arm, right: Arm, changed: Sequence[str], arms: Sequence[Arm]
) -> list[tuple[frozenset[str], Arm]]:
    """Arms that have some of the factors of `left` and the others of `right`: which of `right`."""
    found: dict[frozenset[str], Arm] = {}
    for arm in arms:
        taken = frozenset(changed_factors(left, arm))
        rest = frozenset(changed_factors(arm, right))
        if taken and rest and not taken & rest and taken | rest == set(changed):
            found.setdefault(taken, arm)
    return sorted(found.items(), key=lambda item: len(item[0]))


def _longest_chain(
    sets: Sequence[tuple[frozenset[str], Arm]],
) -> list[tuple[frozenset[str], Arm]]:
    """The most of `sets` (sorted by size) of which each holds the one before."""
    best: list[list[tuple[frozenset[str], Arm]]] = []
    for index, (factors, arm) in enumerate(sets):
        before = [best[i] for i in range(index) if sets[i][0] < factors]
        best.append([*max(before, key=len, default=[]), (factors, arm)])
    return max(best, key=len, default=[])


def _missing(left: Arm, right: Arm, changed: Sequence[str], taken: frozenset[str]) -> MissingArm:
    """The arm with the factors `taken` of `right` and the others of `left`, in fewest words."""
    mine = tuple(factor for factor in changed if factor in taken)
    others = tuple(factor for factor in changed if factor not in taken)
    name = f"{left.id} with {right.id}'s {_and(mine)}"
    arm = _between_arm(left, right, mine, name)
    if len(mine) <= len(others):
        return MissingArm(left.id, mine, right.id, arm, _card(left, right))
    return MissingArm(right.id, others, left.id, arm, _card(right, left))


def _card(like: Arm, source: Arm) -> str:
    """What is to be said of the training card beside the model: it describes that model."""
    if has_part(source.factors, _TRAINING):
        return " (with its training card)"
    return " (without a training card)" if has_part(like.factors, _TRAINING) else ""


def _between_arm(left: Arm, right: Arm, taken: Iterable[str], name: str = "") -> Arm:
    """A variant like `left` with the factors `taken` of `right`."""
    parts = {part for factor in taken for part in parts_with(factor, left, right)}

    def mixed(mine: Mapping[str, _T], other: Mapping[str, _T]) -> dict[str, _T]:
        kept = {n: v for n, v in mine.items() if n.partition(".")[0] not in parts}
        return {**{n: v for n, v in other.items() if n.partition(".")[0] in parts}, **kept}

    return Arm(name, mixed(left.factors, right.factors), texts=mixed(left.texts, right.texts))


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
