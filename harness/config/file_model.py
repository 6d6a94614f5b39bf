"""What the shapes of configuration files are made of: names, patterns, and their base."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field


def _shape(value: Any) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<mapping>" if isinstance(value, dict | BaseModel) else None


PathOrMapping = Discriminator(
    _shape,
    custom_error_type="path_or_mapping",
    custom_error_message="must be a path or a mapping (key: value)",
)
NameOrMapping = Discriminator(
    _shape,
    custom_error_type="name_or_mapping",
    custom_error_message="must be a name or a mapping (key: value)",
)

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_VARIANT = r"^[A-Za-z0-9][A-Za-z0-9._:@+/-]*$"
_SCORER = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
_MODEL = r"^[a-z][a-z0-9_-]*/.+$"
_TOOL = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
_FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
_SHA256 = r"^[0-9a-f]{64}$"
_HOST = r"^[A-Za-z0-9*][A-Za-z0-9*.:_-]*$"
_EXAMPLE_FIELD = r"^(id|cluster|abstain|evidence|tool_calls|(input|target|slices|metadata)(\..+)?)$"
_RECORD_FIELD = (
    r"^(id|output|repeat|latency_s|cost_usd|error|status|tool_calls|evidence"
    r"|usage(\.(prompt|cached_prompt|completion)_tokens)?|metadata(\..+)?)$"
)

PATTERN_WORDS = {
    _NAME: "must be letters, digits, '.', '_' and '-', the first a letter or digit",
    _VARIANT: "must be letters, digits and any of . _ : @ + / -, the first a letter or digit",
    _SCORER: "must be letters, digits, '_' and '-', the first a letter or digit",
    _MODEL: "must be provider/model, such as openai/NAME or http/NAME",
    _TOOL: "must be letters, digits, '_' and '-', the first a letter or digit",
    _FUNCTION: "must be module:function",
    _SHA256: "must be a sha256, 64 hexadecimal digits",
    _HOST: "must be a host or a pattern of hosts, such as 127.0.0.1 or *.internal",
    _EXAMPLE_FIELD: "must be a field of an example",
    _RECORD_FIELD: "must be a field of a recording",
}
"""What each pattern asks for, in words."""

KNOWN_NAMES = {
    _EXAMPLE_FIELD: (
        "id", "input", "target", "slices", "cluster", "evidence", "tool_calls", "abstain",
        "metadata", "input.NAME", "target.NAME", "slices.NAME", "metadata.NAME",
    ),
    _RECORD_FIELD: (
        "id", "output", "repeat", "latency_s", "cost_usd", "error", "status", "usage",
        "usage.prompt_tokens", "usage.cached_prompt_tokens", "usage.completion_tokens",
        "tool_calls", "evidence", "metadata", "metadata.NAME",
    ),
}  # fmt: skip
"""The names that a pattern stands for, to suggest one from."""

Text: TypeAlias = Annotated[str, Field(min_length=1)]
Name: TypeAlias = Annotated[str, Field(pattern=_NAME, max_length=100)]
VariantId: TypeAlias = Annotated[str, Field(pattern=_VARIANT, max_length=100)]
ScorerId: TypeAlias = Annotated[str, Field(pattern=_SCORER, max_length=100)]
ModelId: TypeAlias = Annotated[str, Field(pattern=_MODEL, max_length=300)]
ToolName: TypeAlias = Annotated[str, Field(pattern=_TOOL, max_length=100)]
FunctionName: TypeAlias = Annotated[str, Field(pattern=_FUNCTION, max_length=300)]
Sha256: TypeAlias = Annotated[str, Field(pattern=_SHA256)]
HostPattern: TypeAlias = Annotated[str, Field(pattern=_HOST, max_length=253)]
ExampleField: TypeAlias = Annotated[str, Field(pattern=_EXAMPLE_FIELD)]
RecordField: TypeAlias = Annotated[str, Field(pattern=_RECORD_FIELD)]


class FileModel(BaseModel):
    """Base of the files' parts: immutable, and closed to keys that nobody reads."""

    model_config = ConfigDict(
        frozen=True, defer_build=True, extra="forbid", use_attribute_docstrings=True
    )
    key_hints: ClassVar[dict[str, str]] = {}
    """What to say when a key of that name is missing or unknown."""
