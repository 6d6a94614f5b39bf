"""All that comes before the model is asked: checks by tools, passages, examples for the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.values import JsonValue
from harness.core.variant import FewShot, LiveVariant
from harness.ports import Pacer
from harness.system.context import Assembler
from harness.system.finding import Finder, Ranked
from harness.system.inputs import input_text
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.toolset import Toolset


@dataclass(frozen=True, slots=True)
class Scene:
    """What the prompt's templates see, and the passages among it."""

    variables: Mapping[str, Any]
    shown: tuple[Ranked, ...] = ()


class Preparation:
    """A variant's way from an input to the prompt's variables."""

    def __init__(
        self, variant: LiveVariant, toolset: Toolset | None, parts: Parts, pacer: Pacer
    ) -> None:
        self._toolset = toolset
        self._finder = None
        if variant.retrieval:
            self._finder = Finder(variant.retrieval, variant.rerank, parts, pacer)
        self._assembler = Assembler(variant.context, parts, pacer)
        self._shots = Shots(variant.few_shot, parts) if variant.few_shot else None

    async def scene(self, log: TrialLog, variables: Mapping[str, Any]) -> Scene:
        """Ask the checks, find the passages, choose the examples.

        Raises:
            TemplateError: if a template does not fit the input.
            RejectedError: if the input cannot be read.
            GaveUpError: if a service failed.
        """
        seen = dict(variables)
        if self._toolset is not None:
            seen["checks"] = await self._toolset.checks(log, seen)
        shown: tuple[Ranked, ...] = ()
        if self._finder is not None:
            found = await self._finder.find(log, seen)
            shown = await self._assembler.assemble(log, found, seen)
            seen["passages"] = [one.shown() for one in shown]
        if self._shots is not None:
            seen["shots"] = self._shots.chosen(seen["input"])
        return Scene(seen, shown)


class Shots:
    """Examples for the prompt: the first ones, or those nearest to the input, nearest first."""

    def __init__(self, few_shot: FewShot, parts: Parts) -> None:
        self._nearest = parts.nearest if few_shot.select == "nearest" else None
        self._count = min(few_shot.count, len(few_shot.shots))
        self._shots: Sequence[dict[str, JsonValue]] = [
            {"input": dict(shot.input), "output": shot.output} for shot in few_shot.shots
        ]
        self._texts = [input_text(shot["input"]) for shot in self._shots]

    def chosen(self, given: JsonValue) -> list[dict[str, JsonValue]]:
        """The examples for an input.

        Raises:
            RejectedError: if the input cannot be read.
        """
        if self._nearest is None:
            return list(self._shots[: self._count])
        places = self._nearest(self._texts, input_text(given), self._count)
        return [self._shots[place] for place in places]
