"""Threads that several engines share, so that no more run at once than there are cores."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol, TypeAlias

Job: TypeAlias = Callable[[], None]

_MOST = 4
"""Beyond, threads wait for Python's lock rather than for a core."""


class Source(Protocol):
    """What has jobs to do. Asked while `Workers.changed` is held; a job that is given is begun."""

    def next_read(self) -> Job | None:
        """The reading of a prompt, if one waits and there is room."""

    def next_write(self) -> Job | None:
        """The next token of all that is being written, if any."""

    @property
    def n_writing(self) -> int:
        """For how many sequences `next_write` would be."""


class Workers:
    """A few threads. They read first, for the more is written at once, the cheaper it is."""

    def __init__(self, n: int | None = None) -> None:
        """Start `n` threads; by default one for each core that may be used, four at most."""
        self.changed = threading.Condition()
        self._sources: list[Source] = []
        self._closed = False
        n = n or min(_n_cores(), _MOST)
        self._threads = [
            threading.Thread(target=self._work, name=f"embedded model {i}", daemon=True)
            for i in range(n)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, source: Source) -> None:
        """Do its jobs from now on."""
        with self.changed:
            self._sources.append(source)

    def remove(self, source: Source) -> None:
        """Begin no more of its jobs."""
        with self.changed:
            self._sources.remove(source)

    def close(self) -> None:
        """End the threads when their jobs are done."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Job | None:
        with self.changed:
            while not self._closed:
                fullest = sorted(self._sources, key=lambda source: -source.n_writing)
                for ask in (
                    *(s.next_read for s in self._sources),
                    *(s.next_write for s in fullest),
                ):
                    if (job := ask()) is not None:
                        return job
                self.changed.wait()
        return None


def _n_cores() -> int:
    """Cores that the process may use; where the system does not tell, those that there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
