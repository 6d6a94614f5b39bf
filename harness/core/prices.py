"""What tokens and hours cost, and what a call cost: dated prices, never a guess."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.record import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per token, or per hour of a machine of one's own; None where not known.

    `usd_per_call` is for services that are paid by the call. `origin` says where the price is
    from: the dated map, or a file of the user's.
    """

    input_usd: float | None = None
    cached_input_usd: float | None = None
    cache_write_usd: float | None = None
    output_usd: float | None = None
    usd_per_call: float | None = None
    usd_per_hour: float | None = None
    origin: str = ""


def call_cost_usd(price: Price | None, usage: Usage) -> float | None:
    """What a call with that usage is billed; None if a price or a count that it needs is unknown.

    A model that is paid by the hour has no price per call: its calls share the hours (see
    `harness.execution.hours`).
    """
    raise NotImplementedError(price, usage)
