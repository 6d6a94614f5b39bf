"""One fixed, cheap request to each service at intervals: whether it drifts while a run goes on.

The first one is before the first trial, and warms the route up. Trials run in randomised blocks, so
a drift hurts all variants alike; but where it is larger than what is found, it should be known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from harness.core.spending import Spending

FEWEST_TRIALS = 100
"""A shorter run is over before a service can drift."""
EVERY_S = 30.0
_FEWEST_SAMPLES = 6

WARM_UP_S = 10.0
"""The first request is not waited for longer: a service may be down, or slow."""

Ask = Callable[[], Awaitable[tuple[float | None, float | None]]]
"""Makes the request: its latency in seconds, None if it failed, and its cost in US dollars."""


@dataclass(slots=True)
class Sentinel:
    """Latencies of the fixed request by service: `(seconds since the start, latency_s)`."""

    asks: Mapping[str, Ask]
    every_s: float = EVERY_S
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    spending: Spending = field(default_factory=Spending)
    _began_s: float = field(default_factory=perf_counter)

    async def warm_up(self) -> None:
        """Make the request to each service for the first time, if it answers soon."""
        try:
            async with asyncio.timeout(WARM_UP_S):
                await self.ask_all()
        except TimeoutError:
            return

    async def ask_all(self) -> None:
        """Make the request to each service once, at the same time."""
        await asyncio.gather(*(self._ask(route, ask) for route, ask in self.asks.items()))

    async def watch(self) -> None:
        """Make it at intervals, until cancelled."""
        while self.asks:
            await asyncio.sleep(self.every_s)
            await self.ask_all()

    async def _ask(self, route: str, ask: Ask) -> None:
        at_s = perf_counter() - self._began_s
        latency_s, cost_usd = await ask()
        self.spending += Spending(cost_usd or 0.0, n_unknown=cost_usd is None)
        if latency_s is not None:
            self.samples.setdefault(route, []).append((round(at_s, 3), round(latency_s, 6)))

    def drifts_s(self) -> dict[str, tuple[float, float]]:
        """The median latency of the first and of the last third, by service, in seconds."""
        return {
            route: (_middle(found[: len(found) // 3]), _middle(found[-(len(found) // 3) :]))
            for route, samples in self.samples.items()
            if len(found := samples[1:]) >= _FEWEST_SAMPLES  # the first one connects
        }


def _middle(samples: list[tuple[float, float]]) -> float:
    return median(latency_s for _, latency_s in samples)
