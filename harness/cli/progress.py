"""How far a live run is, in plain lines on stderr."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.cli.output import note
from harness.core.record import Record, Status


@dataclass(slots=True)
class ProgressLines:
    """A line at the first record, at every tenth of the run, and at its end."""

    told: int = -1
    failed: dict[Status, int] = field(default_factory=dict)
    cost_usd: float = 0.0
    n_unpriced: int = 0

    def __call__(self, record: Record, done: int, total: int) -> None:
        """Count a record; tell if another tenth is done."""
        if record.status is not Status.OK:
            self.failed[record.status] = self.failed.get(record.status, 0) + 1
        if record.cost_usd is None:
            self.n_unpriced += 1
        else:
            self.cost_usd += record.cost_usd
        tenth = 10 * done // total
        if tenth > self.told:
            self.told = tenth
            note(self._line(done, total))

    def _line(self, done: int, total: int) -> str:
        system = self.failed.get(Status.SYSTEM_FAILURE, 0)
        lost = self.failed.get(Status.INFRASTRUCTURE_FAILURE, 0)
        parts = [f"{done} of {total} trials"]
        parts += [f"{system} failed by the system"] if system else []
        parts += [f"{lost} lost to the infrastructure"] if lost else []
        parts.append(self._spent())
        return f"harness: {', '.join(parts)}"

    def _spent(self) -> str:
        if self.n_unpriced and not self.cost_usd:
            return "cost unknown"
        spent = f"${self.cost_usd:.4f} spent"
        return f"over {spent}, {self.n_unpriced} of unknown cost" if self.n_unpriced else spent
