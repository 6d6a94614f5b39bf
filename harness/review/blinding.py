"""Which answer stands on which side: drawn anew for every reviewer, and the same at every visit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from harness.core.label import Winner

SIDES: tuple[str, ...] = ("left", "right", "tie")
"""What a reviewer can say of two sides."""


def swapped_ids(example_ids: Iterable[str], reviewer: str, seed: int) -> frozenset[str]:
    """The examples whose second answer (`model_b`) stands on the left: half of them.

    It rests on all examples of a run and not on those that are reviewed, so that another queue
    leaves every example as it was.
    """
    ordered = sorted(example_ids, key=lambda id_: drawn(seed, reviewer, id_))
    first = drawn(seed, reviewer, "")[0] % 2  # of an odd number, half of the reviewers get more
    return frozenset(ordered[first::2])


def drawn(seed: int, *names: str) -> bytes:
    """Bytes that look random and depend on nothing but what is given."""
    text = "\0".join((str(seed), *names))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def winner_of(side: str, *, swapped: bool) -> Winner:
    """Whose answer stands on a side; a tie is a tie.

    Raises:
        ValueError: if it is none of `SIDES`.
    """
    place = SIDES.index(side)
    if place == 2:
        return "tie"
    return "model_b" if (place == 1) != swapped else "model_a"


def side_of(winner: Winner, *, swapped: bool) -> str:
    """On which side the winner stands; a tie is a tie."""
    if winner == "tie":
        return "tie"
    return "right" if (winner == "model_b") != swapped else "left"
