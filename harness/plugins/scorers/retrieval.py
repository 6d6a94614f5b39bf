"""Ranked retrieval against the example's evidence, by the conventions of trec_eval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from harness.core.example import Example
from harness.core.options import Whole
from harness.core.record import Answer, Record
from harness.core.score import Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import JsonValue, as_text
from harness.plugins.base import TargetScorer, Unreadable
from harness.plugins.json_text import is_number
from harness.plugins.numbers import as_number
from harness.plugins.text import quote

Measure: TypeAlias = Literal[
    "precision@k",
    "recall@k",
    "success@k",
    "ndcg@k",
    "map@k",
    "mrr",
    "mrr@k",
    "ndcg",
    "map",
    "r_precision",
    "n_retrieved",
    "n_relevant_retrieved",
]

_NO_EVIDENCE = Unscored("the recording does not say what was retrieved")
_NO_RELEVANT = Unscored("the example names no relevant evidence", applicable=False)


class Retrieval(TargetScorer):
    """How well the retrieved evidence, in rank order, covers the relevant evidence."""

    k: Annotated[tuple[Annotated[Whole, Field(ge=1)], ...], Field(min_length=1)] = Field(
        default=(1, 5), description="The ranks at which the measures in @k are cut."
    )
    measures: Annotated[tuple[Measure, ...], Field(min_length=1)] = Field(
        default=("precision@k", "recall@k", "mrr", "ndcg@k"),
        description="What is measured; those in `@k` once for every k.",
    )

    @model_validator(mode="after")
    def _no_repeats(self) -> Retrieval:
        for name, given in (("k", self.k), ("measures", self.measures)):
            if len(set(given)) < len(given):
                raise ValueError(f"{name} lists a value twice")
        return self

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """A metric for every measure, or for every measure and k."""
        return tuple(
            Metric(
                f"{self.id}.{name}",
                upper=None if name.startswith("n_") else 1.0,
                binary=name.startswith("success@") or name == "precision@1",
                description=_DESCRIPTIONS[measure].format(k=k),
            )
            for name, measure, k in self._columns
        )

    def gold(self, example: Example) -> dict[str, float] | Unscored:
        """The gain of every relevant id; all else is worth nothing."""
        relevant: Any = example.evidence
        if self.target_field is not None:
            relevant = self.target_of(example)
            if isinstance(relevant, Unscored):
                return relevant
        gains = _gains(relevant)
        return gains or _NO_RELEVANT

    def read(self, answer: Answer) -> list[str] | Unreadable | Unscored:
        """The retrieved ids, best first; an id that comes twice counts where it comes first."""
        if self.output_field is None:
            return _NO_EVIDENCE if answer.evidence is None else list(dict.fromkeys(answer.evidence))
        found = super().read(answer)
        if isinstance(found, Unreadable):
            return found
        if not isinstance(found, list):
            return Unreadable(f"{self.output_field!r} is no list of ids: {quote(found)}")
        return list(dict.fromkeys(_ranked(found)))

    def judge(
        self, gold: dict[str, float], output: list[str], record: Record
    ) -> Mapping[str, ScoreOutcome]:
        """Every measure of the ranking."""
        ranking = Ranking(output, gold)
        why = ""
        if not ranking.n_hits:
            got = quote(", ".join(output)) if output else "nothing"
            why = f"retrieved {got}, relevant is {quote(', '.join(gold))}"
        outcomes: dict[str, ScoreOutcome] = {}
        for name, measure, k in self._columns:
            outcomes[f"{self.id}.{name}"] = Scored(_MEASURES[measure](ranking, k), explanation=why)
            why = ""  # once is enough
        return outcomes

    @cached_property
    def _columns(self) -> tuple[tuple[str, Measure, int], ...]:
        """(name, measure, k) of every metric; k is 0 where the measure is not cut."""
        return tuple(
            (measure.replace("@k", f"@{k}"), measure, k)
            for measure in self.measures
            for k in (self.k if measure.endswith("@k") else (0,))
        )


class Ranking:
    """A ranking without repeats, seen through the gains of the relevant ids."""

    def __init__(self, ids: Sequence[str], gains: Mapping[str, float]) -> None:
        self.gains = [gains.get(identifier, 0.0) for identifier in ids]
        self.hits = list(accumulate((int(gain > 0) for gain in self.gains), initial=0))
        self.ideal = sorted(gains.values(), reverse=True)

    @property
    def n_hits(self) -> int:
        """How many relevant ids were retrieved."""
        return self.hits[-1]

    def hits_at(self, k: int) -> int:
        """How many relevant ids stand among the first k."""
        return self.hits[min(k, len(self.gains))]

    def reciprocal_rank(self, k: int) -> float:
        """1 over the rank of the first relevant id, 0 if none stands among the first k (0: all)."""
        for rank, gain in enumerate(self.gains[: k or None], start=1):
            if gain > 0:
                return 1.0 / rank
        return 0.0

    def average_precision(self, k: int) -> float:
        """The sum of the precision at every relevant id's rank, over the number of relevant ids."""
        total = sum(
            self.hits[rank] / rank
            for rank, gain in enumerate(self.gains[: k or None], start=1)
            if gain > 0
        )
        return total / len(self.ideal)

    def ndcg(self, k: int) -> float:
        """Gain discounted by log2(rank + 1), over that of the ideal ranking (Järvelin 2002)."""
        return min(1.0, _dcg(self.gains[: k or None]) / _dcg(self.ideal[: k or None]))


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1) if gain)


def _gains(relevant: JsonValue) -> dict[str, float] | Unscored:
    """Gains above 0 by id, from a list of ids or a map from id to grade."""
    if isinstance(relevant, Mapping):
        grades = {key: as_number(g) if is_number(g) else math.nan for key, g in relevant.items()}
        if not all(math.isfinite(grade) for grade in grades.values()):
            return Unscored("a grade of relevance is no finite number", applicable=False)
        return {identifier: grade for identifier, grade in grades.items() if grade > 0}
    if relevant is None:
        return {}
    found = relevant if isinstance(relevant, list | tuple) else [relevant]
    return dict.fromkeys((as_text(identifier) for identifier in found), 1.0)


def _ranked(items: list[JsonValue]) -> list[str]:
    """Ids in rank order. If all have scores: by score descending, ties by id descending."""
    pairs = [
        (item.get("score"), as_text(item.get("id")))
        if isinstance(item, Mapping)
        else (None, as_text(item))
        for item in items
    ]
    if all(is_number(score) for score, _ in pairs):
        pairs.sort(reverse=True)
    return [identifier for _, identifier in pairs]


_MEASURES: dict[Measure, Callable[[Ranking, int], float]] = {
    "precision@k": lambda ranking, k: ranking.hits_at(k) / k,
    "recall@k": lambda ranking, k: ranking.hits_at(k) / len(ranking.ideal),
    "success@k": lambda ranking, k: float(ranking.hits_at(k) > 0),
    "ndcg@k": Ranking.ndcg,
    "map@k": Ranking.average_precision,
    "mrr": Ranking.reciprocal_rank,
    "mrr@k": Ranking.reciprocal_rank,
    "ndcg": Ranking.ndcg,
    "map": Ranking.average_precision,
    "r_precision": lambda ranking, k: ranking.hits_at(len(ranking.ideal)) / len(ranking.ideal),
    "n_retrieved": lambda ranking, k: float(len(ranking.gains)),
    "n_relevant_retrieved": lambda ranking, k: float(ranking.n_hits),
}
_DESCRIPTIONS: dict[Measure, str] = {
    "precision@k": "Relevant ids among the first {k}, over {k}",
    "recall@k": "Relevant ids among the first {k}, over all relevant ids",
    "success@k": "A relevant id stands among the first {k}",
    "ndcg@k": "Normalised discounted cumulative gain of the first {k}",
    "map@k": "Average precision, counting only the first {k}",
    "mrr": "1 over the rank of the first relevant id",
    "mrr@k": "1 over the rank of the first relevant id, if among the first {k}",
    "ndcg": "Normalised discounted cumulative gain of the whole ranking",
    "map": "Average precision",
    "r_precision": "Precision at the number of relevant ids",
    "n_retrieved": "Ids retrieved",
    "n_relevant_retrieved": "Relevant ids that were retrieved",
}
