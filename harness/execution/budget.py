"""Keeps a run's spending under a limit: a call that could exceed it is not made."""

from __future__ import annotations

import asyncio

from harness.errors import BudgetReachedError


class Budget:
    """US dollars that a run may spend (a `harness.ports.Budget`).

    Before a call, the most that it can cost is reserved; after it, what it did cost is spent. One
    that does not fit waits for those under way, which mostly cost less than was reserved. If there
    are none and it still does not fit, the run ends.
    """

    def __init__(self, limit_usd: float, spent_usd: float = 0.0) -> None:
        self.limit_usd = limit_usd
        self.spent_usd = spent_usd
        self._reserved_usd = 0.0
        self._n_reserved = 0
        self._settled = asyncio.Condition()

    async def reserve(self, most_usd: float) -> None:
        """Wait until a call that costs at most so much fits.

        Raises:
            BudgetReachedError: if it never will.
        """
        async with self._settled:
            while self.spent_usd + self._reserved_usd + most_usd > self.limit_usd:
                if not self._n_reserved:
                    raise BudgetReachedError(self.limit_usd, self.spent_usd, most_usd)
                await self._settled.wait()
            self._reserved_usd += most_usd
            self._n_reserved += 1

    async def settle(self, most_usd: float, cost_usd: float) -> None:
        """Give back what was reserved for a call that did cost so much."""
        self._reserved_usd -= most_usd
        self._n_reserved -= 1
        self.spent_usd += cost_usd
        if not self._n_reserved:
            self._reserved_usd = 0.0  # without what rounding left
        async with self._settled:
            self._settled.notify_all()
