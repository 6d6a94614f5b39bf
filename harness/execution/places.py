"""How many calls a service may have at once: fewer than was asked for while it refuses many."""

from __future__ import annotations

import asyncio
from collections import deque

_RECENT = 40
_TOLERATED = 0.25
"""A service may refuse this share of its last calls: they are repeated, and no fewer are made."""
_CUT = 0.7


class Places:
    """The places of one service.

    Additive increase, multiplicative decrease (Chiu and Jain, Analysis of the Increase and Decrease
    Algorithms for Congestion Avoidance, 1989): while it refuses more than a quarter of the last 40
    calls, every round of calls has 0.7 times the places of the one before; each call that is not
    refused adds one place in as many calls as there are places. `least` is how few there once were.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.least = most
        self._allowed = float(most)
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self._n_since_cut = 0

    @property
    def allowed(self) -> int:
        """How many calls may be made at once now."""
        return int(self._allowed)

    async def take(self) -> None:
        """Wait for a place, in the order in which places are asked for."""
        if self._taken < self.allowed and not self._waiting:
            self._taken += 1
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._taken -= 1
                self._let_in()
            raise

    def give_back(self, *, refused: bool) -> None:
        """Leave a place, and tell whether the service refused the call for want of capacity."""
        self._taken -= 1
        self._recent.append(refused)
        self._n_since_cut += 1
        if not refused:
            self._allowed = min(self.most, self._allowed + 1 / self._allowed)
        elif self._refuses_many() and self._n_since_cut >= self.allowed:
            self._allowed = max(1.0, self._allowed * _CUT)
            self.least = min(self.least, self.allowed)
            self._n_since_cut = 0
        self._let_in()

    def _refuses_many(self) -> bool:
        return sum(self._recent) > max(1.0, _TOLERATED * len(self._recent))

    def _let_in(self) -> None:
        while self._waiting and self._taken < self.allowed:
            following = self._waiting.popleft()
            if not following.done():
                self._taken += 1
                following.set_result(None)
