"""Which pairs of answers are judged, in which order they are shown, and which need no judge.

A system that gave no answer loses to one that did, and two that gave none are even; nobody is
asked. A pair of which one answer was lost to the infrastructure is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np

from harness.core.pairwise import PairwiseSpec
from harness.core.record import Answer, Record, Status
from harness.core.values import as_text, fingerprint

Pair = tuple[str, str]

NO_ANSWER = "not asked: no answer of {}"
"""Noted of a pair that a failure decides."""


@dataclass(frozen=True, slots=True)
class Duel:
    """Two answers to an example; None is a failure of the system. `repeat` counts the trials'."""

    example: int
    pair: Pair
    repeat: int
    texts: tuple[str | None, str | None]

    @property
    def decided(self) -> float | None:
        """How it ends without a judge: 1 if the second wins, 0.5 if neither answered; else None."""
        first, second = self.texts
        if first is not None and second is not None:
            return None
        return 0.5 if first is second else float(second is not None)

    @property
    def reason(self) -> str:
        """Why nobody is asked."""
        silent = [name for name, text in zip(self.pair, self.texts, strict=True) if text is None]
        return NO_ANSWER.format(" and ".join(silent))


@dataclass(frozen=True, slots=True)
class Asked:
    """A duel as it is put to every judge: the second answer shown first where `swapped`.

    `repeat` numbers the verdicts of a judge on the same pair in the same order.
    """

    duel: Duel
    swapped: bool
    repeat: int


@dataclass(frozen=True, slots=True)
class Duels:
    """All that is to be judged, and how many pairs were left out by the pair's names."""

    duels: tuple[Duel, ...]
    left_out: Mapping[Pair, int] = field(default_factory=dict)


def pairs_of(
    variants: Sequence[str], baseline: str, which: Literal["baseline", "all"]
) -> list[Pair]:
    """The pairs that are compared, the baseline always the first of its pair."""
    ordered = [baseline, *(variant for variant in variants if variant != baseline)]
    if which == "baseline":
        return [(baseline, variant) for variant in ordered[1:]]
    return list(combinations(ordered, 2))


def duels_of(
    records: Iterable[Record], examples: Sequence[str], pairs: Sequence[Pair], n_repeats: int
) -> Duels:
    """The duels of all trials: each repeat of the one variant against the same of the other.

    Args:
        records: of all trials.
        examples: the ids of the examples.
        pairs: the pairs of variants.
        n_repeats: how often every variant answered.
    """
    wanted = {name for pair in pairs for name in pair}
    texts = {
        (record.example_id, record.variant, record.repeat): _text(record)
        for record in records
        if record.variant in wanted and record.status is not Status.INFRASTRUCTURE_FAILURE
    }
    found, left_out = [], dict.fromkeys(pairs, 0)
    for index, example in enumerate(examples):
        for pair in pairs:
            for repeat in range(n_repeats):
                keys = [(example, name, repeat) for name in pair]
                if all(key in texts for key in keys):
                    both = (texts[keys[0]], texts[keys[1]])
                    found.append(Duel(index, pair, repeat, both))
                else:
                    left_out[pair] += 1
    return Duels(tuple(found), {pair: n for pair, n in left_out.items() if n})


def asked_of(
    duels: Sequence[Duel], examples: Sequence[str], spec: PairwiseSpec, seed: int
) -> list[Asked]:
    """How each duel is put to the judges, in the order of the duels."""
    found = []
    for duel in duels:
        for number in range(spec.repeats):
            repeat = duel.repeat * spec.repeats + number
            for swapped in _orders(examples[duel.example], duel.pair, repeat, spec, seed):
                found.append(Asked(duel, swapped, repeat))
    return found


def in_random_order(n: int, seed: int) -> Iterator[int]:
    """Numbers below `n` in an order drawn from the seed."""
    return iter(np.random.default_rng(seed).permutation(n).tolist())


def _orders(
    example: str, pair: Pair, repeat: int, spec: PairwiseSpec, seed: int
) -> tuple[bool, ...]:
    """In which orders a pair is shown; one that is drawn does not depend on what else is run."""
    if spec.orders == "both":
        return False, True
    drawn = fingerprint([seed, spec.id, example, list(pair), repeat])
    return (bool(int(drawn[0], 16) & 1),)


def _text(record: Record) -> str | None:
    """What a judge sees of an answer: its text, or its JSON."""
    outcome = record.outcome
    return as_text(outcome.output) if isinstance(outcome, Answer) else None
