"""One system under test, ready to answer."""

from __future__ import annotations

from harness.core.chat import GaveUpError
from harness.core.record import Answer, AnswerPath, Failure, Outcome, Record
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant
from harness.ports import Pacer, Timer
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.redaction import Redactor
from harness.system.rejection import RejectedError
from harness.system.text import bounded
from harness.system.walk import Walk

MESSAGE_CHARS = 4_000
"""How much of what went wrong a failure says."""


class System:
    """A variant with its plugins. One may answer many examples at once."""

    def __init__(self, variant: LiveVariant, parts: Parts, pacer: Pacer, timer: Timer) -> None:
        """Compile all templates, schemas and patterns.

        Args:
            variant: the system, resolved.
            parts: the plugins that it and all variants within it use.
            pacer: limits and repeats the calls of services.
            timer: the clock of all latencies.

        Raises:
            TemplateError: if a template is no good.
            InputError: if a schema or a pattern is no good.
            KeyError: if `parts` lacks one.
        """
        self._variant = variant
        self._walk = Walk(variant, parts, pacer)
        self._timer = timer
        self._redactor = Redactor(parts.secrets)

    async def answer(
        self,
        example_id: str,
        input: JsonValue,
        repeat: int,
        *,
        block: int | None = None,
        began_s: float | None = None,
        cold: bool = False,
    ) -> Record:
        """Run one trial.

        It is given the example's input alone: what is wanted cannot leak into the prompt.

        Args:
            example_id: for the record.
            input: the example's input.
            repeat: from 0; it is added to the seeds of the models.
            block: the trial's place in the schedule, for the record.
            began_s: when it begins on the run's clock, for the record.
            cold: whether it is the first call of a worker, for the record.

        Returns:
            The record; whatever a model, a tool or a service does ends in its outcome.
        """
        log = TrialLog(self._timer, repeat)
        outcome = await self._outcome(log, input)
        record = Record(
            variant=self._variant.id,
            example_id=example_id,
            repeat=repeat,
            outcome=outcome,
            path=_path(log, cold=cold),
            latency_s=log.latency_s(),
            cost_usd=log.cost_usd(),
            usage=log.usage(),
            trace=log.trace(block, began_s),
        )
        return self._redactor.record(record)

    async def _outcome(self, log: TrialLog, given: JsonValue) -> Outcome:
        try:
            output = await self._walk.answer(log, given)
        except RejectedError as rejected:
            return _failure(log, rejected.kind, str(rejected), infrastructure=False)
        except GaveUpError as error:
            return _failure(log, error.kind, error.message, infrastructure=True)
        return Answer(output, tuple(log.tool_calls), log.evidence)


def _path(log: TrialLog, *, cold: bool) -> AnswerPath:
    if log.cached:
        return AnswerPath.CACHED
    return AnswerPath.COLD if cold else AnswerPath.WARM


def _failure(log: TrialLog, kind: str, message: str, *, infrastructure: bool) -> Failure:
    """A failure, with what the system had done before."""
    told = bounded(message, MESSAGE_CHARS)
    return Failure(infrastructure, kind, told, tuple(log.tool_calls), log.evidence)
