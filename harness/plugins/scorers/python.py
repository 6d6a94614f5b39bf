"""A function of the user's own, named explicitly in the config."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from harness.core.example import Example
from harness.core.options import Number
from harness.core.record import Record
from harness.core.score import Metric, Scored, ScoreOutcome, Unscored
from harness.core.values import JsonValue
from harness.files import sha256
from harness.plugins.base import LARGEST, ScorerModel
from harness.plugins.texts.text import quote


class Python(ScorerModel):
    """What a function returns for an example, an output and its record."""

    call: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="`package.module:function`. It is imported, and called for every answer as "
        "`function(example, output, record)`; it returns a number, true or false, a pair "
        "(number, explanation), or with `parts` a mapping from part to one of these.",
    )
    parts: tuple[Annotated[str, Field(pattern=r"^[\w.@-]+$")], ...] = Field(
        default=(), description="Names of the figures that the function returns, if several."
    )
    lower: Number | None = Field(
        default=0.0, description="The least possible value: a failure's score. Null: unbounded."
    )
    upper: Number | None = Field(
        default=1.0,
        description="The greatest possible value: a failure's score where lower is better.",
    )
    higher_is_better: bool = Field(default=True, description="Which way is up.")
    binary: bool = Field(default=False, description="The function returns only 0 and 1.")

    @model_validator(mode="after")
    def _consistent(self) -> Python:
        if len(set(self.parts)) < len(self.parts):
            raise ValueError("a part is listed twice")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError("lower must be less than upper")
        if self.binary and (self.lower, self.upper) != (0.0, 1.0):
            raise ValueError("a binary figure lies between 0 and 1: leave out lower and upper")
        _ = self._function
        return self

    @cached_property
    def sources(self) -> dict[str, str]:
        """The sha256 of source files by module: the one named, and the one that defines it."""
        module_name = self.call.partition(":")[0]
        names = {module_name, getattr(self._function, "__module__", None) or module_name}
        files = {name: getattr(sys.modules.get(name), "__file__", None) for name in names}
        return {name: sha256(Path(file)) for name, file in files.items() if file}

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """One metric, or one for every part."""
        ids = [f"{self.id}.{part}" for part in self.parts] or [self.id]
        return tuple(
            Metric(
                metric_id,
                higher_is_better=self.higher_is_better,
                lower=self.lower,
                upper=self.upper,
                binary=self.binary,
                description=f"Returned by {self.call}",
            )
            for metric_id in ids
        )

    def judge(self, gold: Example, output: JsonValue, record: Record) -> Mapping[str, ScoreOutcome]:
        """What cannot be a score is missing, with the reason; so is all if the function raises."""
        try:
            result = self._function(gold, output, record)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - any error of foreign code is a missing score
            raised = Unscored(f"{self.call} raised {type(error).__name__}: {quote(str(error))}")
            return {metric.id: raised for metric in self.metrics}
        if not self.parts:
            return {self.id: self._outcome(result)}
        if not isinstance(result, Mapping):
            wrong = Unscored(f"{self.call} returned no mapping of parts")
            return {metric.id: wrong for metric in self.metrics}
        return {f"{self.id}.{part}": self._outcome(result.get(part)) for part in self.parts}

    def _outcome(self, result: Any) -> ScoreOutcome:
        value, explanation = result if _is_pair(result) else (result, "")
        try:
            number = math.nan if value is None or isinstance(value, str) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            return Unscored(f"{self.call} returned no finite number")
        if abs(number) > LARGEST:
            return Unscored(f"{self.call} returned a number beyond {LARGEST:g}")
        return Scored(number, explanation=str(explanation))

    @cached_property
    def _function(self) -> Callable[[Example, JsonValue, Record], Any]:
        module_name, _, name = self.call.partition(":")
        try:
            function = getattr(importlib.import_module(module_name), name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - importing runs foreign code
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"cannot import {self.call} ({reason})") from None
        if not callable(function):
            raise ValueError(f"{self.call} is not a function")
        found: Callable[[Example, JsonValue, Record], Any] = function
        return found


def _is_pair(result: Any) -> bool:
    return isinstance(result, tuple | list) and len(result) == 2
