"""Verdicts of judges on pairs of answers, in columns, and what they are analysed with."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.score import BoolArray, FloatArray, IntArray

UNKNOWN_ORDER = -1
_NO_VERDICT = "no verdict"
_N_CODES, _N_NUMBERS = 8, 5


@dataclass(frozen=True, slots=True)
class JudgmentTable:
    """Verdicts, one per row: a judge on two answers to one example.

    `judge`, `example`, `first` and `second`, of shape (n,), are places in `judges`, `example_ids`
    and `variants`. `p_second` is how sure the judge is that the second answer is the better one: 0
    or 1, 0.5 for a tie, or a probability; NaN where no verdict could be read. `swapped` is 1 where
    the second answer was shown first, 0 where it was not, `UNKNOWN_ORDER` where nobody says.
    `flipped` marks a recorded tie of two orders that disagreed. `repeat` counts verdicts on the
    same pair of answers, `turn` is that of a conversation. Lengths in characters, costs and times
    are NaN where unknown. `reasons` tell by row why there is no verdict, or why it was given
    without asking; `quotes` what the judge said.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "judge", "example", "first", "second", "p_second", "swapped", "flipped", "repeat", "turn",
        "first_chars", "second_chars", "cost_usd", "latency_s",
    )  # fmt: skip

    judges: tuple[str, ...]
    variants: tuple[str, ...]
    example_ids: tuple[str, ...]
    judge: IntArray
    example: IntArray
    first: IntArray
    second: IntArray
    p_second: FloatArray
    swapped: NDArray[np.int8]
    flipped: BoolArray
    repeat: IntArray
    turn: IntArray
    first_chars: FloatArray
    second_chars: FloatArray
    cost_usd: FloatArray
    latency_s: FloatArray
    reasons: Mapping[int, str] = field(default_factory=dict)
    quotes: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.p_second)

    def on(self, variants: Sequence[str], example_ids: Sequence[str]) -> JudgmentTable:
        """The rows that are of these variants and examples, on these axes."""
        to_variant = _places(self.variants, variants)
        to_example = _places(self.example_ids, example_ids)
        first, second = to_variant[self.first], to_variant[self.second]
        example = to_example[self.example]
        kept = np.flatnonzero((first >= 0) & (second >= 0) & (example >= 0))
        row_of = {int(old): new for new, old in enumerate(kept)}
        columns = {name: getattr(self, name)[kept] for name in self.COLUMNS}
        return JudgmentTable(
            judges=self.judges,
            variants=tuple(variants),
            example_ids=tuple(example_ids),
            **columns | {"first": first[kept], "second": second[kept], "example": example[kept]},
            reasons={row_of[row]: text for row, text in self.reasons.items() if row in row_of},
            quotes={row_of[row]: text for row, text in self.quotes.items() if row in row_of},
        )

    def followed_by(self, more: JudgmentTable) -> JudgmentTable:
        """These rows and those of a table on the same axes, whose judges begin with these."""
        n = len(self)
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(more, name)])
            for name in self.COLUMNS
        }
        return JudgmentTable(
            judges=more.judges,
            variants=self.variants,
            example_ids=self.example_ids,
            **columns,
            reasons={**self.reasons, **{n + row: text for row, text in more.reasons.items()}},
            quotes={**self.quotes, **{n + row: text for row, text in more.quotes.items()}},
        )


def _places(names: Sequence[str], others: Sequence[str]) -> IntArray:
    """The place of each name among others; -1 where it is none of them."""
    place = {name: index for index, name in enumerate(others)}
    return np.array([place.get(name, -1) for name in names], dtype=np.int32)


@dataclass(slots=True)
class TableBuilder:
    """Gathers verdicts into columns; names get their places as they come."""

    judges: dict[str, int] = field(default_factory=dict)
    variants: dict[str, int] = field(default_factory=dict)
    examples: dict[str, int] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    quotes: dict[int, str] = field(default_factory=dict)
    _codes: array[int] = field(default_factory=lambda: array("q"))
    _numbers: array[float] = field(default_factory=lambda: array("d"))

    @classmethod
    def of(cls, variants: Iterable[str], example_ids: Iterable[str]) -> TableBuilder:
        """One whose axes begin with these names, in this order."""
        builder = cls()
        builder.variants.update((name, place) for place, name in enumerate(variants))
        builder.examples.update((name, place) for place, name in enumerate(example_ids))
        return builder

    def __len__(self) -> int:
        return len(self._codes) // _N_CODES

    def add(  # noqa: PLR0913  a row's columns
        self,
        example: str,
        judge: str,
        pair: tuple[str, str],
        p_second: float | None,
        *,
        flipped: bool = False,
        swapped: int = UNKNOWN_ORDER,
        repeat: int = 0,
        turn: int = 0,
        chars: tuple[float | None, float | None] = (None, None),
        cost_usd: float | None = None,
        latency_s: float | None = None,
        reason: str = "",
        quote: str = "",
    ) -> None:
        """Add one verdict; `reason` says why there is none, or why nobody was asked."""
        number = len(self)
        if reason or p_second is None:
            self.reasons[number] = reason or _NO_VERDICT
        if quote:
            self.quotes[number] = quote
        self._codes.extend(
            (
                self.judges.setdefault(judge, len(self.judges)),
                self.examples.setdefault(example, len(self.examples)),
                self.variants.setdefault(pair[0], len(self.variants)),
                self.variants.setdefault(pair[1], len(self.variants)),
                swapped,
                flipped,
                repeat,
                turn,
            )
        )
        numbers = (p_second, *chars, cost_usd, latency_s)
        self._numbers.extend(np.nan if number is None else number for number in numbers)

    def table(self) -> JudgmentTable:
        """The columns."""
        codes = np.array(self._codes, dtype=np.int32).reshape(-1, _N_CODES)
        numbers = np.array(self._numbers, dtype=np.float64).reshape(-1, _N_NUMBERS)
        return JudgmentTable(
            judges=tuple(self.judges),
            variants=tuple(self.variants),
            example_ids=tuple(self.examples),
            judge=codes[:, 0].copy(),
            example=codes[:, 1].copy(),
            first=codes[:, 2].copy(),
            second=codes[:, 3].copy(),
            p_second=numbers[:, 0].copy(),
            swapped=codes[:, 4].astype(np.int8),
            flipped=codes[:, 5].astype(np.bool_),
            repeat=codes[:, 6].copy(),
            turn=codes[:, 7].copy(),
            first_chars=numbers[:, 1].copy(),
            second_chars=numbers[:, 2].copy(),
            cost_usd=numbers[:, 3].copy(),
            latency_s=numbers[:, 4].copy(),
            reasons=self.reasons,
            quotes=self.quotes,
        )


@dataclass(frozen=True, slots=True)
class Panel:
    """Judges whose verdicts count as one: their mean on every example.

    `human` tells reviewers from models: their figures are never mixed.
    """

    id: str
    judges: tuple[str, ...]
    human: bool = False
    min_agreement: float | None = None
    """The least share of right verdicts by which a panel of models may block a gate."""


@dataclass(frozen=True, slots=True)
class LengthControl:
    """How a win rate is held at equal lengths: `difficulty` is of shape (examples,).

    `x`, `rows_difficulty`, `sum_xy` and `sum_dy` are of rows of a pure length change that hold
    the coefficients (see `harness.statistics.length_control`); None without any.
    """

    difficulty: FloatArray | None = None
    x: FloatArray | None = None
    rows_difficulty: FloatArray | None = None
    sum_xy: float = 0.0
    sum_dy: float = 0.0
    weight: float = 0.1


@dataclass(frozen=True, slots=True)
class Judged:
    """All verdicts on a set of examples, and how they are to be read.

    `baseline` is one of the variants, or None: every pair is then turned as the table lists it.
    `labels`, of shape (examples,), are right answers that hold whatever the pair: the place of the
    better of the two variants, -1 where there is none. `clusters` are codes of dependent examples.
    """

    table: JudgmentTable
    panels: tuple[Panel, ...]
    slices: Mapping[str, IntArray]
    clusters: IntArray | None = None
    baseline: str | None = None
    labels: IntArray | None = None
    length_control: LengthControl | None = None

    def human_panels(self) -> Iterator[Panel]:
        """Those of people."""
        return (panel for panel in self.panels if panel.human)
