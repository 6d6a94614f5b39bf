"""Whether the output is JSON that a JSON Schema accepts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from harness.core.record import Record
from harness.core.score import ScoreOutcome
from harness.core.values import JsonValue, encodable, parse_json
from harness.plugins.base import ScorerModel, right_or_wrong
from harness.plugins.texts.json_text import parse_output


def _load(schema: Any, info: ValidationInfo) -> Any:
    """A path becomes the schema in that file, so that the scorer holds all it depends on."""
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


class JsonSchema(ScorerModel):
    """The output is JSON that the schema accepts."""

    json_schema: Annotated[
        dict[str, JsonValue],
        BeforeValidator(_load, json_schema_input_type=dict[str, JsonValue] | str),
    ] = Field(
        alias="schema",
        description="A JSON Schema, or the path of a file that holds one. References may only "
        "lead into the schema itself: nothing is fetched.",
    )
    allow_fence: bool = Field(
        default=False, description="Accept a text that is one Markdown code block around JSON."
    )

    @model_validator(mode="after")
    def _schema_is_valid(self) -> JsonSchema:
        _ = self._validator
        return self

    def judge(self, gold: object, output: JsonValue, record: Record) -> Mapping[str, ScoreOutcome]:
        """Wrong outputs are explained by the first thing that the schema refuses."""
        if isinstance(output, str):
            try:
                output = parse_output(output, allow_fence=self.allow_fence)
            except ValueError as error:
                return right_or_wrong(self.id, f"not JSON: {error}")
        return right_or_wrong(self.id, self._refusal(output))

    def _refusal(self, value: JsonValue) -> str | None:
        try:
            error = next(iter(self._validator.iter_errors(value)), None)
        except (ValueError, RecursionError) as problem:  # unpaired surrogates, deep nesting
            return f"cannot be validated: {problem}"
        if error is None:
            return None
        path = ".".join(str(part) for part in error.instance_path)
        return encodable(f"{path or 'the output'}: {error.message}")

    @cached_property
    def _validator(self) -> Any:
        import jsonschema_rs

        try:
            return jsonschema_rs.validator_for(self.json_schema, offline=True)
        except ValueError as error:
            raise ValueError(f"not a usable JSON Schema: {str(error).splitlines()[0]}") from None
