"""The missing arms of a ladder: variants that let every step change one thing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.core.values import JsonValue
from harness.planning.factors import Arm, leaves, parts_with, undeclared


@dataclass(frozen=True, slots=True)
class MissingArm:
    """A variant to add: one like `like`, with the factors `changes` of `source`.

    `arm` is what it would be.
    """

    like: str
    changes: tuple[str, ...]
    source: str
    arm: Arm

    def __str__(self) -> str:
        return f"an arm like {self.like} with {self.source}'s {_and(self.changes)}"


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
            near[pair] = len(changed_factors(left, right)) < 2
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
        to_change = [factor for factor in changed if factor in goal - done]
        for n_changed in range(1, len(to_change)):
            missing.append(_missing(left, right, changed, done | set(to_change[:n_changed])))
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
    arm = Arm(name, _hybrid(left, right, mine))
    if len(mine) <= len(others):
        return MissingArm(left.id, mine, right.id, arm)
    return MissingArm(right.id, others, left.id, arm)


def _hybrid(left: Arm, right: Arm, taken: Iterable[str]) -> dict[str, JsonValue]:
    parts = {part for factor in taken for part in parts_with(factor, left, right)}
    kept = {n: v for n, v in left.factors.items() if n.partition(".")[0] not in parts}
    new = {n: v for n, v in right.factors.items() if n.partition(".")[0] in parts}
    return {**new, **kept}


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
