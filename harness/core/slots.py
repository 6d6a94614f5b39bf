"""The places of a run's trials, as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slots:
    """Every (variant, example, repeat) of a run: a flat index into an array of that shape.

    `variants` and `examples` map ids to their places.
    """

    variants: Mapping[str, int]
    examples: Mapping[str, int]
    n_repeats: int

    @classmethod
    def of(cls, variants: Sequence[str], examples: Sequence[str], n_repeats: int) -> Slots:
        """Those of the variants and examples with these ids, in this order."""
        first, second = (
            {name: index for index, name in enumerate(names)} for names in (variants, examples)
        )
        return cls(first, second, n_repeats)

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many variants, examples and repeats."""
        return len(self.variants), len(self.examples), self.n_repeats

    def __len__(self) -> int:
        return len(self.variants) * len(self.examples) * self.n_repeats

    def index(self, variant: str, example_id: str, repeat: int) -> int:
        """The number of a trial.

        Raises:
            KeyError: if the variant or the example is none of the run's.
            ValueError: if the repeat is none of the run's.
        """
        if not 0 <= repeat < self.n_repeats:
            raise ValueError(f"{variant} has a repeat {repeat} of {self.n_repeats}")
        row = self.variants[variant] * len(self.examples) + self.examples[example_id]
        return row * self.n_repeats + repeat

    def by_example(self) -> Iterator[int]:
        """All of them, in the order (example, variant, repeat)."""
        step = len(self.examples) * self.n_repeats
        for first in range(0, step, self.n_repeats):
            for start in range(first, len(self), step):
                yield from range(start, start + self.n_repeats)
