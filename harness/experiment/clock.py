"""The wall clock."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The time of this machine (a `harness.ports.Clock`)."""

    def now_iso(self) -> str:
        """The time in UTC, ISO 8601, to the second."""
        return datetime.now(UTC).isoformat(timespec="seconds")
