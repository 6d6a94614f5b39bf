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
Keep = Callable[[str, float, float | None, float | None], None]
"""Is told of each request: its service, when it began, its latency and its cost."""


def _nobody(route: str, at_s: float, latency_s: float | None, cost_usd: float | None) -> None:
    """Keep nothing."""


@dataclass(slots=True)
class Sentinel:
    """Latencies of the fixed request by service: `(seconds on the run's clock, latency_s)`.

    `firsts` are the places among them of those that had to connect, one for each process.
    """

    asks: Mapping[str, Ask]
    every_s: float = EVERY_S
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    spending: Spending = field(default_factory=Spending)
    firsts: dict[str, set[int]] = field(default_factory=dict)
    now_s: Callable[[], float] = perf_counter
    keep: Keep = _nobody
    _connected: set[str] = field(default_factory=set)

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
        at_s = round(self.now_s(), 3)
        latency_s, cost_usd = await ask()
        latency_s = None if latency_s is None else round(latency_s, 6)
        self.add(route, at_s, latency_s, cost_usd)
        self.keep(route, at_s, latency_s, cost_usd)

    def add(self, route: str, at_s: float, latency_s: float | None, cost_usd: float | None) -> None:
        """Take a measurement, of this process or of one before."""
        self.spending += Spending(cost_usd or 0.0, n_unknown=cost_usd is None)
        if latency_s is None:
            return
        samples = self.samples.setdefault(route, [])
        if route not in self._connected:
            self._connected.add(route)
            self.firsts.setdefault(route, set()).add(len(samples))
        samples.append((at_s, latency_s))

    def reconnect(self) -> None:
        """Let the next request to each service be one that connects."""
        self._connected.clear()

    def drifts_s(self) -> dict[str, tuple[float, float]]:
        """The median latency of the first and of the last third, by service, in seconds."""
        steady = {
            route: [
                sample
                for place, sample in enumerate(samples)
                if place not in self.firsts.get(route, {0})
            ]
            for route, samples in self.samples.items()
        }
        return {
            route: (_middle(found[: len(found) // 3]), _middle(found[-(len(found) // 3) :]))
            for route, found in steady.items()
            if len(found) >= _FEWEST_SAMPLES
        }


def _middle(samples: list[tuple[float, float]]) -> float:
    return median(latency_s for _, latency_s in samples)
