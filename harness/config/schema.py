"""JSON Schemas of the configuration files, from the models that validate them.

Editors complete a file that starts with
`# yaml-language-server: $schema=../docs/schema/experiment.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from harness.config.judging_models import RubricJudgeFile
from harness.config.models import MODELS, FileKind
from harness.config.prices import PriceFile
from harness.config.variant_schema import variant_schema
from harness.core.values import JsonValue

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def file_schemas(scorers: Mapping[str, type[BaseModel]]) -> dict[FileKind, JsonValue]:
    """The JSON Schema of every kind of configuration file.

    Args:
        scorers: the classes of the built-in scorers by name, whose options the experiment's
            schema completes after `use:`.
    """
    schemas: dict[FileKind, JsonValue] = {
        kind: {"$schema": _DIALECT, **model.model_json_schema()} for kind, model in MODELS.items()
    }
    schemas["prices"] = {"$schema": _DIALECT, **PriceFile.model_json_schema()}
    variant, parts = variant_schema()
    schemas["variant"] = {"$schema": _DIALECT, "title": "Variant", **variant, "$defs": parts}
    definitions = schemas["experiment"]["$defs"]
    definitions.update(parts)
    listed = schemas["experiment"]["properties"]["variants"]
    listed["items"] = {"anyOf": [{"type": "string", "minLength": 1}, variant]}
    definitions["ScorerEntry"] = _scorer_entry(definitions["ScorerEntry"], scorers, definitions)
    return schemas


def _scorer_entry(
    entry: dict[str, Any], scorers: Mapping[str, type[BaseModel]], definitions: dict[str, Any]
) -> dict[str, Any]:
    """A scorer's entry whose further keys depend on `use`; plugins of others stay open."""
    rules = []
    for use, model in scorers.items():
        schema = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.pop("$defs", {}))
        schema["properties"]["use"] = {"const": use, "description": schema.get("description", "")}
        schema.pop("title", None)
        if getattr(model, "asks_judge", False):  # the plugin knows no models
            asked = RubricJudgeFile.model_json_schema(ref_template="#/$defs/{model}")
            definitions.update(asked.pop("$defs", {}))
            described = schema["properties"]["judge"]["description"]
            schema["properties"]["judge"] = {**asked, "description": described}
        rules.append(
            {"if": {"properties": {"use": {"const": use}}, "required": ["use"]}, "then": schema}
        )
    use_schema = {
        "description": entry["properties"]["use"]["description"],
        "anyOf": [{"enum": sorted(scorers)}, {"type": "string", "minLength": 1}],
    }
    properties = {**entry["properties"], "use": use_schema}
    return {**entry, "properties": properties, "allOf": rules}
