"""What one trial leaves behind, while it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Generic, TypeVar

from harness.core.chat import Completion, GaveUpError
from harness.core.record import Stage, Step, Trace, Usage
from harness.core.values import JsonValue, ToolCall
from harness.ports import Timer
from harness.system.rejection import Reason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """A call of a service that has ended: `value` or `error`, and what it took."""

    steps: tuple[Step, ...]
    value: T | None = None
    error: GaveUpError | None = None

    def result(self) -> T:
        """The value.

        Raises:
            GaveUpError: if the call failed for good.
        """
        if self.error is not None:
            raise self.error
        assert self.value is not None  # noqa: S101 - a call has one or the other
        return self.value


class TrialLog:
    """Collects the steps of a trial and what its record says beside them.

    `evidence` are the ids of the passages that the variant at work was shown, best first;
    `tool_calls` all that its models asked for. `cached` says that an answer was not asked for now.
    """

    def __init__(self, timer: Timer, repeat: int) -> None:
        self.repeat = repeat
        self.evidence: tuple[str, ...] = ()
        self.tool_calls: list[ToolCall] = []
        self.cached = False
        self.validation: str | None = None
        self.repairs = 0
        self.fallback_used: str | None = None
        self.routed_to: str | None = None
        self._ttft_s: float | None = None
        self._served_model: str | None = None
        self._rejections: list[Reason] = []
        self._steps: list[Step] = []
        self._variant = ""
        self._queue_s = self._retry_wait_s = 0.0
        self._calls = self._attempts = 0
        self._timer = timer
        self._started_s = timer.now_s()

    def now_s(self) -> float:
        """Seconds since the trial's start."""
        return self._timer.now_s() - self._started_s

    def enter(self, variant: str) -> None:
        """From here on `variant` (empty: the trial's own) is at work, with no evidence yet."""
        self._variant = variant
        self.evidence = ()

    def note(self, stage: Stage, start_s: float, detail: Mapping[str, JsonValue]) -> None:
        """Add a step of our own work, which began at `start_s`, costs nothing and ends now."""
        self.add(Step(stage, start_s, self.now_s() - start_s, detail=detail))

    def routed(self, to: str | None) -> None:
        """Note where the trial's own router sends it; those of other variants are in the steps."""
        if not self._variant:
            self.routed_to = to

    def add(self, step: Step) -> None:
        """Add a step of the variant that is at work, which nothing else was done beside."""
        self._keep(step)
        self._queue_s += step.queue_s
        self._retry_wait_s += step.retry_wait_s

    def take(self, ended: Ended[T]) -> T:
        """Add a call that was waited for, and give its value.

        Raises:
            GaveUpError: if the call failed for good.
        """
        self._count_call(ended)
        for step in ended.steps:
            self.add(step)
        return ended.result()

    def take_together(self, calls: Sequence[Ended[T]], wall_s: float) -> list[T]:
        """Add calls that were made at once and took `wall_s` together; give their values.

        Without any waiting they would have taken as long as the longest of them. What is beyond
        that was waited for: in the queue as far as the longest queue goes, else for retries. So
        `latency_s`, `queue_s` and `retry_wait_s` of a trial still add up to its wall time.

        Raises:
            GaveUpError: the first call's that failed for good.
        """
        for ended in calls:
            self._count_call(ended)
        steps = [step for ended in calls for step in ended.steps]
        for step in steps:
            self._keep(step)
        waited_s = max(0.0, wall_s - max((step.latency_s for step in steps), default=0.0))
        queued_s = min(waited_s, max((step.queue_s for step in steps), default=0.0))
        self._queue_s += queued_s
        self._retry_wait_s += waited_s - queued_s
        return [ended.result() for ended in calls]

    def wrote(self, completion: Completion | None) -> None:
        """Note which call wrote the output; None: it is a fixed one."""
        self._ttft_s = completion.ttft_s if completion else None
        self._served_model = completion.served_model if completion else self._served_model

    def reject(self, reasons: Iterable[Reason]) -> None:
        """Note why an output was rejected."""
        self._rejections += reasons

    def latency_s(self) -> float:
        """The trial's wall time so far without what it waited for (design: one request's)."""
        return max(0.0, self.now_s() - self._queue_s - self._retry_wait_s)

    def cost_usd(self) -> float | None:
        """What all steps cost; None if one of them is unknown."""
        return _total(step.cost_usd for step in self._steps)

    def usage(self) -> Usage:
        """The tokens of all calls of models; None where one of them is unknown."""
        known = [step.usage for step in self._steps if step.usage is not None]
        totals = {
            field.name: _total(getattr(usage, field.name) for usage in known)
            for field in fields(Usage)
        }
        return Usage(**totals)

    def trace(self, block: int | None, began_s: float | None) -> Trace:
        """The trial's trace as it stands."""
        return Trace(
            steps=tuple(self._steps),
            queue_s=self._queue_s,
            retry_wait_s=self._retry_wait_s,
            ttft_s=self._ttft_s,
            calls=self._calls,
            attempts=self._attempts,
            validation=self.validation,
            rejections=tuple(str(reason) for reason in self._rejections),
            repairs=self.repairs,
            fallback_used=self.fallback_used,
            routed_to=self.routed_to,
            served_model=self._served_model,
            block=block,
            began_s=began_s,
        )

    def _keep(self, step: Step) -> None:
        own = step.variant == self._variant  # copying takes time
        self._steps.append(step if own else replace(step, variant=self._variant))

    def _count_call(self, ended: Ended[T]) -> None:
        self._calls += 1
        self._attempts += ended.steps[-1].attempts


N = TypeVar("N", int, float)


def _total(values: Iterable[N | None]) -> N | None:
    total: N = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total
