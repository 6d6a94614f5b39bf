"""What models take: which parameters they refuse, so that it is told before anything is sent.

As of 2026-11-20. A model that is not in the tables is trusted to take what its vendor's API
documents; what it then refuses is an error of the run, told in the vendor's words. Sources:

- OpenAI: platform.openai.com/docs/guides/reasoning and /docs/api-reference/chat; the model map of
  litellm 1.106.2 (endpoints, default reasoning effort, structured output); openai-openapi#541 and
  litellm#34569 (tools with reasoning, in chat completions).
- Anthropic: the `anthropic` package 2.11 (its request's fields); platform.claude.com/docs on
  effort and structured outputs; the same map (`supports_sampling_params`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.chat import ModelRequest
from harness.plugins.wire.anthropic_messages import messages_body
from harness.plugins.wire.openai_chat import chat_body

SAMPLING = ("top_p", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty")
"""What a model that reasons refuses; temperature too, but for its default of 1."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""What Anthropic's API takes as effort."""

_RESERVED = ("model", "messages", "stream", "stream_options", "n")


@dataclass(frozen=True, slots=True)
class _Family:
    """Models of OpenAI that take the same parameters.

    `default_effort` is None for models that do not reason; `sampling` says whether top_p and the
    like are taken: `yes`, `no`, or `at effort none`.
    """

    names: str
    default_effort: str | None
    sampling: str = "yes"
    refused: tuple[str, ...] = ()
    tools: str = "yes"
    schema: bool = True
    endpoint: bool = True


_REASONS = "at effort none"
_OPENAI = (
    _Family(r"(o1|o3)-pro|o\d.*deep-research|gpt-5(\.\d+)?-(pro|codex)|codex-|computer-use-",
            "high", endpoint=False),
    _Family(r"o1-(mini|preview)", "medium", "no", ("reasoning_effort",), tools="no", schema=False),
    _Family(r"o3-mini", "medium", "no"),
    _Family(r"o3|o4", "medium", "no", ("stop",)),
    _Family(r"o1", "medium", "no"),
    _Family(r"gpt-5-chat", None),
    _Family(r"gpt-(5|4o|4o-mini)-search", None, "no", ("stop", "seed"), tools="no"),
    _Family(r"gpt-5\.\d+-chat", "medium", "no", ("stop",)),
    _Family(r"gpt-5\.[1-3](?!\d)", "none", _REASONS, ("stop",)),
    _Family(r"gpt-5\.4(?!\d)", "none", _REASONS, ("stop",), tools=_REASONS),
    _Family(r"gpt-5\.\d+", "medium", _REASONS, ("stop",), tools=_REASONS),
    _Family(r"gpt-5", "medium", "no", ("stop",)),
    _Family(r"gpt-4o-2024-05-13|gpt-3\.5|gpt-4(-turbo|-\d|$)|gpt-audio|gpt-4o.*-audio", None,
            schema=False),
    _Family(r"gpt-4|chatgpt-4o", None),
)  # fmt: skip
"""The first family whose pattern a name begins with is the model's."""


_OLD = r"2|3|instant|(opus|sonnet)-4(-0)?(-2025\d{4}|@|$)"
_NO_SCHEMA = rf"claude-({_OLD})"
_NO_EFFORT = rf"claude-({_OLD}|opus-4-1|(sonnet|haiku)-4-5)"
_NO_SAMPLING = r"claude-(?!2|3|instant|(opus|sonnet|haiku)-4(-[0-6])?(-\d{8}|@|$))"
"""Models of Anthropic that take no temperature whatever the API's version: Claude after 4.6."""


def openai_problems(request: ModelRequest) -> list[str]:
    """What OpenAI's chat completions, or the model, do not take of a request; a sentence each."""
    told = [
        *_refused(request, "OpenAI's chat completions", ["top_k"]),
        *extra_problems(request, chat_body(request)),
    ]
    if request.params.get("top_logprobs") is not None and not request.params.get("logprobs"):
        told.append("top_logprobs needs logprobs: true")
    family = _family(request.model)
    return told + (_family_problems(request, family) if family else [])


def anthropic_problems(request: ModelRequest) -> list[str]:
    """What Anthropic's messages, or the model, do not take of a request; a sentence each."""
    params = request.params
    names = ["seed", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty"]
    told = _refused(request, "Anthropic's API", names)
    told += [
        f"Anthropic's API takes no {name} since the version 2026-10-21; older models take it as "
        f'params: {{extra: {{{name}: ...}}}} with provider: {{api_version: "2023-06-01"}}'
        for name in ("temperature", "top_p", "top_k")
        if params.get(name) is not None
    ]
    if params.get("max_output_tokens") is None:
        told.append("Anthropic's API has no default for max_output_tokens: set it")
    effort, tier = params.get("reasoning_effort"), params.get("service_tier")
    if effort is not None and effort not in EFFORTS:
        told.append(f"reasoning_effort is one of {', '.join(EFFORTS)} at Anthropic, not {effort}")
    if tier is not None and tier not in {"auto", "standard_only"}:
        told.append(f"service_tier is auto or standard_only at Anthropic, not {tier}")
    told += extra_problems(request, messages_body(request))
    return told + _claude_problems(request)


def extra_problems(request: ModelRequest, own: Iterable[str] = ()) -> list[str]:
    """Keys of `extra` that harness itself sets; `own`: further ones."""
    extra = request.params.get("extra") or {}
    taken = {*_RESERVED, *own}
    return [f"extra: '{key}' is set by harness; take it out" for key in extra if key in taken]


def _family(model: str) -> _Family | None:
    """The family of a model; of a fine-tuned one (`ft:base:org:name:id`) its base's."""
    name = model.removeprefix("ft:").partition(":")[0]
    return next((family for family in _OPENAI if re.match(family.names, name)), None)


def _family_problems(request: ModelRequest, family: _Family) -> list[str]:
    model = request.model
    if not family.endpoint:
        return [f"{model} is not served by chat completions, only by OpenAI's Responses API"]
    effort = request.params.get("reasoning_effort") or family.default_effort
    told = _refused(request, model, family.refused)
    told += _sampling_problems(request, family, effort)
    if family.default_effort is None:
        told += _refused(request, f"{model} does not reason: it", ["reasoning_effort"])
    elif family.sampling == "no" and effort == "none":
        told.append(f"{model} takes no reasoning_effort none: it always reasons")
    if request.tools and family.tools == "no":
        told.append(f"{model} takes no tools")
    if request.tools and family.tools == _REASONS and effort != "none":
        told.append(f"{model} takes tools in chat completions only with reasoning_effort: none")
    if request.schema is not None and not family.schema:
        told.append(f"{model} takes no schema (structured output)")
    return told


def _sampling_problems(request: ModelRequest, family: _Family, effort: Any) -> list[str]:
    if family.sampling == "yes" or (family.sampling == _REASONS and effort == "none"):
        return []
    refused = [name for name in SAMPLING if request.params.get(name) is not None]
    if request.params.get("temperature") not in {None, 1}:
        refused.insert(0, "temperature")
    why = "" if family.sampling == "no" else " unless reasoning_effort is none"
    return [f"{request.model} takes no {name}{why}" for name in refused]


def _claude_problems(request: ModelRequest) -> list[str]:
    model, extra = request.model, request.params.get("extra") or {}
    told = [
        f"{model} takes no {name}, by no version of the API"
        for name in ("temperature", "top_p", "top_k")
        if name in extra and re.match(_NO_SAMPLING, model)
    ]
    if request.params.get("reasoning_effort") is not None and re.match(_NO_EFFORT, model):
        told.append(f"{model} takes no reasoning_effort")
    if request.schema is not None and re.match(_NO_SCHEMA, model):
        told.append(f"{model} takes no schema (structured output)")
    return told


def _refused(request: ModelRequest, who: str, names: Sequence[str]) -> list[str]:
    params: Mapping[str, Any] = request.params
    return [f"{who} takes no {name}" for name in names if params.get(name) is not None]
