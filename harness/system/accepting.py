"""Validates what was written, and has it repaired while it may be."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.record import Stage
from harness.core.values import JsonValue
from harness.core.variant import LiveVariant
from harness.system.functions import FunctionRules
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.preparing import Scene
from harness.system.rejection import Reason, RejectedError
from harness.system.validation import Validator
from harness.system.writing import Writer, Written


@dataclass(frozen=True, slots=True)
class Accepted:
    """An output that was not rejected; `scene` is what it was written from."""

    output: JsonValue
    confidence: float | None
    scene: Scene


class Acceptance:
    """What a variant's output must be, and how often it may be repaired."""

    def __init__(self, variant: LiveVariant, parts: Parts) -> None:
        self._validator = Validator(variant.output, f"{variant.id}: output")
        self._functions = FunctionRules(variant.output, parts.functions)
        self._repair = variant.output.repair

    async def accepted(
        self, log: TrialLog, writer: Writer, written: Written, scene: Scene
    ) -> Accepted:
        """The output, repaired where needed.

        Raises:
            RejectedError: with what is wrong with the last text, if no repair is left; or as
                `Writer.repair` does.
            GaveUpError: if the model that repairs failed.
        """
        output, reasons = await self._checked(log, written, scene)
        for _ in range(self._repair):
            if not reasons:
                break
            log.reject(reasons)
            written = await writer.repair(log, written, reasons)
            output, reasons = await self._checked(log, written, scene)
        if reasons:
            raise RejectedError(reasons)
        return Accepted(output, written.completion.confidence, scene)

    async def _checked(
        self, log: TrialLog, written: Written, scene: Scene
    ) -> tuple[JsonValue, list[Reason]]:
        """The output that a text is, and all that is wrong with it."""
        start_s = log.now_s()
        output: JsonValue = None
        try:
            output = self._validator.read(written.text)
            reasons = await self._reasons(output, written, scene)
        except RejectedError as unreadable:
            reasons = list(unreadable.reasons)
        if self._validator.validates:
            log.validation = "failed" if reasons else "passed"
            told = {"reasons": [str(reason) for reason in reasons]} if reasons else {}
            log.note(Stage.VALIDATE, start_s, {"result": log.validation, **told})
        return output, reasons

    async def _reasons(self, output: JsonValue, written: Written, scene: Scene) -> list[Reason]:
        confidence = written.completion.confidence
        variables = {**scene.variables, "output": output, "confidence": confidence}
        reasons = self._validator.reasons(written.text, output, variables, scene.shown)
        return reasons + await self._functions.reasons(output, scene.variables["input"])
