"""When bytes really came and went, stamped as they do.

With hundreds of calls in flight, the event loop gets round to an answer long after it arrived, and
a clock that is read then measures our own queue. So the socket's callback reads the clock; and what
is done with an answer is done in turns, one for each pass of the loop, so that no callback waits
for more than one of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp


@dataclass(slots=True)
class Times:
    """Of one request, on the clock `time.perf_counter`.

    `sent_s` is when a connection was there and the request went out on it; `received_s` when the
    last bytes so far arrived, None before the first.
    """

    began_s: float
    sent_s: float | None = None
    received_s: float | None = None

    @property
    def connect_s(self) -> float:
        """What it took to get a connection: next to nothing for one that was open."""
        return 0.0 if self.sent_s is None else self.sent_s - self.began_s

    @property
    def latency_s(self) -> float:
        """From the request's first byte to the last one that has come of its answer."""
        began_s = self.began_s if self.sent_s is None else self.sent_s
        return (perf_counter() if self.received_s is None else self.received_s) - began_s


under_way: ContextVar[Times | None] = ContextVar("under_way", default=None)
"""The request that the current task makes."""


def stamping_connector(**options: Any) -> aiohttp.TCPConnector:
    """A connector whose connections stamp the `Times` of the request that they are used for."""
    import aiohttp
    from aiohttp.client_proto import ResponseHandler

    class Handler(ResponseHandler):
        times: Times | None = None

        def data_received(self, data: bytes) -> None:
            if self.times is not None and data:  # none: the client itself goes on reading
                self.times.received_s = perf_counter()
            super().data_received(data)

    class Connector(aiohttp.TCPConnector):
        def __init__(self) -> None:
            super().__init__(**options)
            self._factory: Any = partial(Handler, loop=self._loop)

        async def connect(self, *arguments: Any, **named: Any) -> Any:
            connection = await super().connect(*arguments, **named)
            times = under_way.get()
            if isinstance(connection.protocol, Handler):
                connection.protocol.times = times
            if times is not None:
                times.sent_s = perf_counter()
            return connection

    return Connector()


class Turns:
    """Lets tasks go on one by one, in the order in which they come, one for each pass of the loop.

    Between two of them the loop looks after its sockets.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._busy = False

    async def turn(self) -> None:
        """Wait for one's turn; it lasts until the task waits for something else."""
        loop = asyncio.get_running_loop()
        if self._busy:
            mine = loop.create_future()
            self._waiting.append(mine)
            await mine
        self._busy = True
        loop.call_soon(self._next)

    def _next(self) -> None:
        self._busy = False
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                self._busy = True
                following.set_result(None)
                return
