"""How far reviewers agree, every two who looked at the same examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.core.label import WINNERS, Label


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two reviewers on the `n` examples that both could judge.

    `share` is that of equal verdicts; `kappa` (Cohen's) is None where it is undefined.
    """

    reviewers: tuple[str, str]
    n: int
    share: float
    kappa: float | None


def agreements(labels: Iterable[Label], pair: tuple[str, str]) -> list[Agreement]:
    """Every two reviewers who share an example, by name. All labels are on answers of `pair`."""
    verdicts: dict[str, dict[str, int]] = {}
    for label in labels:
        if label.winner is not None:
            place = WINNERS.index(label.winner)
            turned = label.pair != pair and place < 2
            of_one = verdicts.setdefault(label.reviewer, {})
            of_one[label.example] = 1 - place if turned else place
    return [
        _of_two(
            (one, other),
            [verdicts[one][id_] for id_ in shared],
            [verdicts[other][id_] for id_ in shared],
        )
        for one, other in combinations(sorted(verdicts), 2)
        if (shared := [id_ for id_ in verdicts[one] if id_ in verdicts[other]])
    ]


def _of_two(names: tuple[str, str], one: Sequence[int], other: Sequence[int]) -> Agreement:
    equal = sum(a == b for a, b in zip(one, other, strict=True))
    return Agreement(names, len(one), equal / len(one), _kappa(one, other))


def _kappa(one: Sequence[int], other: Sequence[int]) -> float | None:
    from harness.statistics.agreement import cohen_kappa

    return cohen_kappa(np.array(one), np.array(other), len(WINNERS))
