"""Keeps a run's spending under a limit: a call that could exceed it is not made."""

from __future__ import annotations

import asyncio

from harness.errors import BudgetReachedError


class Budget:
    """US dollars that a run may spend (a `harness.ports.Budget`).

    Before a call, the most that it can cost is reserved; after it, what it did cost is spent. One
    that does not fit waits for those under way, which mostly cost less than was reserved. If there
    are none and it still does not fit, the run ends.

    Of what was spent before, `before_usd` was counted for calls of unknown cost. `n_uncosted` more
    may have cost as much as the dearest that is known, of which the first was `dearest_usd`.
    """

    def __init__(
        self,
        limit_usd: float,
        spent_usd: float = 0.0,
        *,
        before_usd: float = 0.0,
        n_uncosted: int = 0,
        dearest_usd: float = 0.0,
    ) -> None:
        self.limit_usd = limit_usd
        self.spent_usd = spent_usd
        self.n_uncosted = n_uncosted
        self._before_usd = before_usd
        self._dearest_usd = dearest_usd
        self._reserved_usd = 0.0
        self._n_reserved = 0
        self._settled = asyncio.Condition()

    @property
    def counted_usd(self) -> float:
        """What is spent, and what calls of unknown cost may have been."""
        return self.spent_usd + self.n_uncosted * self._dearest_usd

    @property
    def uncosted_usd(self) -> float:
        """How much of that was counted for calls before whose cost is not known."""
        return self._before_usd + self.n_uncosted * self._dearest_usd

    async def reserve(self, most_usd: float) -> None:
        """Wait until a call that costs at most so much fits.

        Raises:
            BudgetReachedError: if it never will.
        """
        async with self._settled:
            self._dearest_usd = max(self._dearest_usd, most_usd)
            while self.counted_usd + self._reserved_usd + most_usd > self.limit_usd:
                if not self._n_reserved:
                    raise BudgetReachedError(
                        self.limit_usd, self.counted_usd, most_usd, self.uncosted_usd
                    )
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
