"""A trial that is to be run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trial:
    """One variant on one example, one repeat; `example` is an index. `block` counts from 0."""

    variant: str
    example: int
    repeat: int
    block: int
