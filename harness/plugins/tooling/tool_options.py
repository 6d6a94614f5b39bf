"""What the sources of tools share: options, checked arguments, bounded results."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from harness.core.chat import ToolSpec
from harness.core.options import Number
from harness.core.tools import ToolResult
from harness.core.values import JsonValue, encodable, parse_json

MAX_RESULT_CHARS = 1_000_000
MAX_SCHEMA_CHARS = 200_000
MAX_PROBLEMS = 3
NAME_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
"""What providers take as a tool's name."""


class ArgumentCheck:
    """Holds arguments against a JSON Schema. Nothing that a schema refers to is fetched.

    Raises:
        ValueError: if the schema is no JSON Schema of an object.
    """

    def __init__(self, schema: Mapping[str, JsonValue]) -> None:
        import jsonschema_rs

        if schema.get("type") != "object":
            raise ValueError("a tool's parameters are a JSON Schema with `type: object`")
        if len(json.dumps(schema)) > MAX_SCHEMA_CHARS:
            raise ValueError(f"the schema is longer than {MAX_SCHEMA_CHARS:,} characters")
        try:
            self._validator: Any = jsonschema_rs.validator_for(dict(schema), offline=True)
        except ValueError as error:
            raise ValueError(f"not a usable JSON Schema: {str(error).splitlines()[0]}") from None

    def problem(self, arguments: Mapping[str, JsonValue]) -> str | None:
        """What is wrong with the arguments, the first few things of it; None if nothing is."""
        try:
            errors = self._validator.iter_errors(dict(arguments))
            found = [
                ".".join(["arguments", *map(str, error.instance_path)]) + f": {error.message}"
                for error, _ in zip(errors, range(MAX_PROBLEMS), strict=False)
            ]
        except (ValueError, RecursionError) as error:  # unpaired surrogates, deep nesting
            return f"the arguments cannot be checked: {error}"
        return encodable("; ".join(found))[:2000] or None


def _load(schema: Any, info: ValidationInfo) -> Any:
    """A path becomes the schema in that file."""
    if not isinstance(schema, str):
        return schema
    context = info.context or {}
    find_file = context.get("find_file", Path(context.get("folder", "")).joinpath)
    try:
        path: Path = find_file(schema)
        if not path.is_file():  # reading a pipe or a device may never end
            raise ValueError("it is not a file")
        return parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read the schema {schema!r}: {error}") from None


def _usable(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    ArgumentCheck(schema)
    return schema


Parameters: TypeAlias = Annotated[
    dict[str, JsonValue],
    BeforeValidator(_load, json_schema_input_type=dict[str, JsonValue] | str),
    AfterValidator(_usable),
]
"""An option that holds a JSON Schema of arguments, or the path of a file that does."""


class ToolsModel(BaseModel):
    """Base of the built-in sources of tools; its fields are options."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    timeout_s: Annotated[Number, Field(gt=0, le=3600)] = Field(
        default=10.0, description="Of one call; a call that takes longer is given up."
    )
    usd_per_call: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="What a call costs, whether it succeeds or not."
    )

    def problems(self) -> Sequence[str]:
        """Nothing is known to be in the way before it is opened."""
        return ()

    def result(self, text: str, error: str | None = None) -> ToolResult:
        """The result of a call that was made; a text that is too long is an error."""
        if len(text) > MAX_RESULT_CHARS:
            text, error = f"the result is longer than {MAX_RESULT_CHARS:,} characters", "raised"
        return ToolResult(encodable(text), error, self.usd_per_call)


ToolName: TypeAlias = Annotated[str, Field(pattern=NAME_PATTERN)]


class OneToolModel(ToolsModel, ABC):
    """Base of a source of one tool."""

    @property
    @abstractmethod
    def spec(self) -> ToolSpec:
        """The tool as a model sees it."""

    @property
    def names(self) -> Sequence[str] | None:
        """The tool's name."""
        return (self.spec.name,)

    def refusal(self, name: str, arguments: Mapping[str, JsonValue]) -> ToolResult | None:
        """The result of a call that is not made, as the name or the arguments are wrong."""
        if name != self.spec.name:
            return unknown_tool(name, [self.spec.name])
        problem = self._check.problem(arguments)
        return ToolResult(problem, "arguments") if problem else None

    @cached_property
    def _check(self) -> ArgumentCheck:
        return ArgumentCheck(self.spec.parameters)


def unknown_tool(name: str, known: list[str]) -> ToolResult:
    """The result of a call of a tool that there is not."""
    names = ", ".join(known)[:1000]
    return ToolResult(encodable(f"there is no tool '{name[:100]}'; there is: {names}"), "unknown")
