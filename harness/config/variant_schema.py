"""The JSON Schema of a variant: a recorded one, one to run, or one that extends another."""

from __future__ import annotations

from typing import Any

from harness.config.live_models import LiveVariantFile
from harness.config.models import VariantFile
from harness.core.values import JsonValue

_REF = "#/$defs/"
_CHANGED = "Changed"
_NULL = {"type": "null"}


def variant_schema() -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """The schema of a `variant.yaml` or of a variant inside an experiment, and its definitions."""
    recorded, live = VariantFile.model_json_schema(), LiveVariantFile.model_json_schema()
    parts = {**recorded.pop("$defs", {}), **live.pop("$defs", {})}
    properties = {**live["properties"], **recorded["properties"]}
    changed = _changed({"properties": properties})
    definitions = {
        **parts,
        **{f"{name}{_CHANGED}": _changed(part) for name, part in parts.items()},
        "VariantFile": recorded,
        "LiveVariantFile": live,
    }
    schema = {
        "description": "A variant: one to run, or the outputs of one that ran elsewhere.",
        "type": "object",
        "properties": {
            key: {"description": part["description"]} for key, part in properties.items()
        },
        "if": {"required": ["extends"]},
        "then": {**changed, "required": ["id"], "additionalProperties": False},
        "else": {
            "if": {"required": ["recorded"]},
            "then": {"$ref": f"{_REF}VariantFile"},
            "else": {"$ref": f"{_REF}LiveVariantFile"},
        },
    }
    return schema, definitions


def _changed(schema: Any) -> Any:
    """What may be given of a schema's value where the rest is inherited: any part, or null.

    Lists are replaced, so their items have to be whole.
    """
    if isinstance(schema, list):
        return [_changed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for key, part in schema.items():
        if key == "properties":
            found[key] = {name: _or_null(_changed(value)) for name, value in part.items()}
        elif key == "$ref":
            found[key] = f"{part}{_CHANGED}"
        elif key != "required":
            found[key] = part if key in {"items", "prefixItems", "default"} else _changed(part)
    return found


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if _NULL in schema.get("anyOf", ()):
        return schema
    described = {"description": schema.get("description", "")}
    rest = {key: value for key, value in schema.items() if key != "description"}
    return {**described, "anyOf": [rest, _NULL]}
