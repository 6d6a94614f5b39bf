"""What is compared: the input of this stage, and the parts of it that every figure needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from harness.core.comparison import ConfoundedPair
from harness.core.example import Example, slice_members
from harness.core.experiment import Analysis, VariantFacts
from harness.core.judged import JudgedComparison
from harness.core.score import IntArray, ScoreTable, TrialState, TrialTable
from harness.core.values import JsonValue


@dataclass(frozen=True)
class Subject:
    """A run's scores and trials with what is known of its variants and examples.

    `examples` are in the order of the tables' second axis, `variants` of their first.
    `confounded` are pairs, either way round, that differ in more than what is under test.
    """

    run_id: str
    evalset_name: str
    evalset_sha256: str
    examples: tuple[Example, ...]
    baseline: str
    variants: tuple[VariantFacts, ...]
    analysis: Analysis
    scores: ScoreTable
    trials: TrialTable
    slice_meanings: dict[str, str] = field(default_factory=dict)
    factors: dict[str, dict[str, object]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    confounded: tuple[ConfoundedPair, ...] = ()
    judged: JudgedComparison = field(default_factory=JudgedComparison)

    @cached_property
    def slices(self) -> dict[str, IntArray]:
        """Indices of the members of every slice, `all` first."""
        members = slice_members([example.slices for example in self.examples])
        return {name: np.array(indices, dtype=np.int32) for name, indices in members.items()}

    @cached_property
    def clusters(self) -> IntArray | None:
        """The cluster of every example as a code; None where all examples are independent."""
        codes: dict[str, int] = {}
        keys = (f"c{e.cluster}" if e.cluster is not None else f"e{e.id}" for e in self.examples)
        coded = np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int32)
        return None if len(codes) == len(self.examples) else coded

    @cached_property
    def n_trials(self) -> IntArray:
        """How many repeats each variant has of each example: (variants, examples)."""
        counts: IntArray = (self.trials.status != TrialState.NONE).sum(axis=2, dtype=np.int32)
        return counts

    @property
    def variant_ids(self) -> tuple[str, ...]:
        """The variants' ids in the order of the tables."""
        return tuple(variant.id for variant in self.variants)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Every two variants once, as (candidate, baseline) indices.

        The baseline comes second wherever it takes part; other pairs have the earlier one second.
        """
        ids = self.variant_ids
        base = ids.index(self.baseline)
        for second in (base, *(i for i in range(len(ids)) if i != base)):
            for first in range(len(ids)):
                if first != base and (second == base or first > second):
                    yield first, second


def confounded_pairs(listed: Iterable[Mapping[str, JsonValue]]) -> tuple[ConfoundedPair, ...]:
    """A manifest's `confounded`: entries `{"pair": [a, b], "fields": [...], "reason": "..."}`."""
    return tuple(
        ConfoundedPair(
            candidate=entry["pair"][0],
            baseline=entry["pair"][1],
            fields=tuple(entry["fields"]),
            reason=entry["reason"],
        )
        for entry in listed
    )


def local_clusters(clusters: IntArray | None, rows: IntArray) -> IntArray | None:
    """Cluster codes of some rows, renumbered from 0; None where no two rows share one."""
    if clusters is None:
        return None
    present, codes = np.unique(clusters[rows], return_inverse=True)
    return None if len(present) == len(rows) else codes.astype(np.int32)
