"""Ranked retrieval against the example's evidence, by the conventions of trec_eval.

Of a live trial, what a stage found is read from its trace, so that retrieval is measured apart from
generation: a trial that retrieved and then failed to answer is scored by what it retrieved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from harness.core.example import Example
from harness.core.options import Whole
from harness.core.record import Answer, Failure, Record
from harness.core.score import Aggregate, Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import JsonValue, as_text
from harness.plugins.base import TargetScorer, Unreadable
from harness.plugins.evidence import (
    Found,
    Match,
    RankedStage,
    by_document,
    covered,
    everything_found,
    found_at,
    not_given,
)
from harness.plugins.texts.json_text import is_number
from harness.plugins.texts.numbers import as_number
from harness.plugins.texts.text import quote

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
    "signal",
    "n_context",
    "diffuseness",
]

_NO_EVIDENCE = Unscored("the recording does not say what was retrieved")
_NOT_LOOKED = Unscored("the variant does not retrieve")
_NO_RELEVANT = Unscored("the example names no relevant evidence", applicable=False)
_NO_TOKENS = Unscored("the record does not say how long the passages of the context are")


class Retrieval(TargetScorer):
    """How well the retrieved evidence, in rank order, covers the relevant evidence."""

    k: Annotated[tuple[Annotated[Whole, Field(ge=1)], ...], Field(min_length=1)] = Field(
        default=(1, 5), description="The ranks at which the measures in @k are cut."
    )
    measures: Annotated[tuple[Measure, ...], Field(min_length=1)] = Field(
        default=("precision@k", "recall@k", "mrr", "ndcg@k"),
        description="What is measured; those in `@k` once for every k.",
    )
    stage: RankedStage | None = Field(
        default=None,
        exclude_if=not_given,
        description="Of live variants: the ranking that this stage gave; default: the record's "
        "evidence.",
    )
    match: Match | None = Field(
        default=None,
        exclude_if=not_given,
        description="When a passage is relevant: `id`, it is a relevant id; `section`, it has text "
        "of a relevant section or document; `document`, it is of the document of a relevant id. "
        "Default: `section` for live variants, `id` for recordings.",
    )

    @model_validator(mode="after")
    def _no_repeats(self) -> Retrieval:
        if self.stage is not None and self.output_field is not None:
            raise ValueError("give stage or output_field, not both")
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
                higher_is_better=measure not in _LOWER_IS_BETTER,
                upper=None if measure in _UNBOUNDED else 1.0,
                aggregate=Aggregate.RATIO if measure == "diffuseness" else Aggregate.MEAN,
                binary=name.startswith("success@") or name == "precision@1",
                description=_DESCRIPTIONS[measure].format(k=k),
            )
            for name, measure, k in self._columns
        )

    def score(self, example: Example, record: Record) -> Mapping[str, ScoreOutcome]:
        """As every scorer; but a failure is scored by what it had retrieved, if that is known."""
        outcomes = super().score(example, self._as_retrieved(record))
        if record.trace is None:
            return outcomes
        # a live variant's trace tells that it looked for nothing
        return {name: _NOT_LOOKED if o is _NO_EVIDENCE else o for name, o in outcomes.items()}

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
        """Every measure of the ranking, and of the context."""
        gains, match = self._relevance(gold, record)
        known = everything_found(record)
        ranking = Ranking(
            [covered(known.get(one) or Found(one), gains, match) for one in output], gains
        )
        context = found_at(record, "context")
        if context is None:
            context = [Found(one) for one in output]
        shown = Shown(context, [covered(one, gains, match) for one in context])
        why = ""
        if not ranking.n_hits:
            got = quote(", ".join(output)) if output else "nothing"
            why = f"retrieved {got}, relevant is {quote(', '.join(gold))}"
        outcomes: dict[str, ScoreOutcome] = {}
        for name, measure, k in self._columns:
            if measure in _OF_CONTEXT:
                outcomes[f"{self.id}.{name}"] = _OF_CONTEXT[measure](shown)
                continue
            outcomes[f"{self.id}.{name}"] = Scored(_MEASURES[measure](ranking, k), explanation=why)
            why = ""  # once is enough
        return outcomes

    def fail(self, gold: Any, why: str) -> dict[str, ScoreOutcome]:
        """A failure retrieved nothing, and spread nothing over passages either."""
        outcomes = super().fail(gold, why)
        if "diffuseness" in self.measures:
            outcomes[f"{self.id}.diffuseness"] = Scored(0.0, 0.0)
        return outcomes

    def _relevance(self, gold: dict[str, float], record: Record) -> tuple[dict[str, float], Match]:
        match = self.match or ("section" if record.trace else "id")
        return (by_document(gold) if match == "document" else gold), match

    def _as_retrieved(self, record: Record) -> Record:
        """The record as if its evidence were what the stage in question gave."""
        if self.output_field is not None:
            return record
        evidence = self._evidence(record)
        if isinstance(record.outcome, Failure) and evidence is None:
            return record
        return replace(record, outcome=Answer("", evidence=evidence))

    def _evidence(self, record: Record) -> tuple[str, ...] | None:
        """The ids in question, best first; None where they are not known.

        A recording has evidence only, which is its context: of other stages it says nothing. A
        live variant that never looked for passages is like a recording without evidence.
        """
        if record.trace is None:
            return record.evidence if self.stage in {None, "context"} else None
        found = found_at(record, self.stage or "context")
        if found is None:
            return record.evidence or None
        return record.evidence if self.stage is None else tuple(one.id for one in found)

    @cached_property
    def _columns(self) -> tuple[tuple[str, Measure, int], ...]:
        """(name, measure, k) of every metric; k is 0 where the measure is not cut."""
        return tuple(
            (measure.replace("@k", f"@{k}"), measure, k)
            for measure in self.measures
            for k in (self.k if measure.endswith("@k") else (0,))
        )


class Ranking:
    """A ranking without repeats, seen through the relevant items that each place covers.

    With plain ids a place covers one item or none, and every figure is trec_eval's. Where several
    passages cover one item (pieces of a section), each is a hit, but the item is gained once.
    """

    def __init__(self, covers: Sequence[Collection[str]], gains: Mapping[str, float]) -> None:
        seen: set[str] = set()
        self.new: list[list[str]] = []
        for items in covers:
            self.new.append([item for item in items if item not in seen])
            seen.update(items)
        self.gains = [sum(gains[item] for item in items) for items in self.new]
        self.hits = list(accumulate((int(bool(items)) for items in covers), initial=0))
        self.items = list(accumulate(map(len, self.new), initial=0))
        self.ideal = sorted(gains.values(), reverse=True)

    @property
    def n_hits(self) -> int:
        """How many relevant passages were retrieved."""
        return self.hits[-1]

    def hits_at(self, k: int) -> int:
        """How many relevant passages stand among the first k."""
        return self.hits[min(k, len(self.gains))]

    def items_at(self, k: int) -> int:
        """How many relevant items the first k cover."""
        return self.items[min(k, len(self.gains))]

    def reciprocal_rank(self, k: int) -> float:
        """1 over the rank of the first relevant passage among the first k (0: all), else 0."""
        for rank, gain in enumerate(self.gains[: k or None], start=1):
            if gain > 0:
                return 1.0 / rank
        return 0.0

    def average_precision(self, k: int) -> float:
        """The sum of the precision at every relevant item's rank, over the number of items."""
        total = sum(
            len(items) * self.hits[rank] / rank
            for rank, items in enumerate(self.new[: k or None], start=1)
        )
        return total / len(self.ideal)

    def ndcg(self, k: int) -> float:
        """Gain discounted by log2(rank + 1), over that of the ideal ranking (Järvelin 2002)."""
        return min(1.0, _dcg(self.gains[: k or None]) / _dcg(self.ideal[: k or None]))


@dataclass(frozen=True, slots=True)
class Shown:
    """The passages of a context, and the relevant items that each covers."""

    passages: Sequence[Found]
    covers: Sequence[Collection[str]]

    def signal(self) -> ScoreOutcome:
        """Of the context's tokens, the share in relevant passages; 0 of an empty context."""
        tokens = [found.tokens for found in self.passages if found.tokens is not None]
        if len(tokens) < len(self.passages):
            return _NO_TOKENS
        relevant = sum(n for n, items in zip(tokens, self.covers, strict=True) if items)
        return Scored(relevant / sum(tokens) if relevant else 0.0)

    def diffuseness(self) -> ScoreOutcome:
        """Relevant passages per relevant item in the context, which weighs as many items."""
        n_items = len({item for items in self.covers for item in items})
        n_passages = sum(map(bool, self.covers))
        return Scored(n_passages / n_items, float(n_items)) if n_items else Scored(0.0, 0.0)


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


_OF_CONTEXT: dict[Measure, Callable[[Shown], ScoreOutcome]] = {
    "signal": Shown.signal,
    "n_context": lambda shown: Scored(float(len(shown.passages))),
    "diffuseness": Shown.diffuseness,
}
_LOWER_IS_BETTER = frozenset({"n_context", "diffuseness"})
_UNBOUNDED = frozenset({"n_retrieved", "n_relevant_retrieved", "n_context", "diffuseness"})
_MEASURES: dict[Measure, Callable[[Ranking, int], float]] = {
    "precision@k": lambda ranking, k: ranking.hits_at(k) / k,
    "recall@k": lambda ranking, k: ranking.items_at(k) / len(ranking.ideal),
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
    "signal": "Of the context's tokens, the share in relevant passages",
    "n_context": "Passages in the context",
    "diffuseness": "Relevant passages in the context, over the relevant ids that they cover",
}
