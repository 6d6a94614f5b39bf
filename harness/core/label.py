"""A person's verdict on two answers whose makers were hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Winner: TypeAlias = Literal["model_a", "model_b", "tie"]
WINNERS: tuple[Winner, ...] = ("model_a", "model_b", "tie")

_P_SECOND: Mapping[Winner, float] = {"model_a": 0.0, "model_b": 1.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class Label:
    """What one reviewer says of one example's two answers.

    `pair` names `model_a`, the baseline, and `model_b`. `winner` is None where the reviewer
    cannot judge. `swapped` tells that `model_b` was shown first (on the left). `criteria` are
    further verdicts by the rubric's criteria, those that were given. `revealed` tells that target
    and evidence had been looked at. A `withdrawn` label is none any more. `at` is UTC.
    """

    example: str
    reviewer: str
    pair: tuple[str, str]
    winner: Winner | None
    swapped: bool
    repeat: int = 0
    comment: str = ""
    criteria: Mapping[str, Winner] = field(default_factory=dict)
    revealed: bool = False
    withdrawn: bool = False
    at: str = ""
    session: str = ""

    @property
    def key(self) -> tuple[str, str, frozenset[str], int]:
        """What a reviewer has one label of: whichever answer is called `model_a`."""
        return self.reviewer, self.example, frozenset(self.pair), self.repeat

    @property
    def p_second(self) -> float | None:
        """How sure the reviewer is of the pair's second: 0, 0.5, 1; None if there is no verdict."""
        return None if self.winner is None else _P_SECOND[self.winner]
