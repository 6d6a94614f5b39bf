"""What models take: told at `harness check`, never dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from asking import LOOK_UP, SCHEMA, request
from pydantic import ValidationError

from harness.core.chat import PARAMS, ModelRequest
from harness.plugins.providers.anthropic import Anthropic
from harness.plugins.providers.openai import OpenAI
from harness.plugins.wire.anthropic_messages import messages_body
from harness.plugins.wire.model_params import anthropic_problems, openai_problems
from harness.plugins.wire.openai_chat import chat_body

TOOLS, STRUCTURED = {"tools": (LOOK_UP,)}, {"schema": SCHEMA}


def openai(model: str, more: dict[str, Any] | None = None, **params: Any) -> list[str]:
    return openai_problems(request(model, messages=(), params=params, **(more or {})))


def claude(model: str, more: dict[str, Any] | None = None, **params: Any) -> list[str]:
    params = {"max_output_tokens": 9} | params
    return anthropic_problems(request(model, messages=(), params=params, **(more or {})))


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("gpt-4o-mini", {"temperature": 0.0, "top_p": 0.5, "seed": 0, "stop": ["x"]}),
        ("gpt-4.1", {"logprobs": True, "top_logprobs": 3, "presence_penalty": 1.0}),
        ("gpt-5", {"reasoning_effort": "minimal", "temperature": 1, "seed": 1}),
        ("gpt-5.1", {"temperature": 0.0, "top_p": 0.1, "logprobs": True}),
        ("gpt-5.5", {"temperature": 0.0, "reasoning_effort": "none"}),
        ("gpt-5-chat-latest", {"temperature": 0.0}),
        ("o3-mini", {"reasoning_effort": "low", "stop": ["x"]}),
        ("ft:gpt-4o-mini-2024-07-18:team::abc", {"temperature": 0.0}),
        ("a-model-of-tomorrow", {"temperature": 0.0, "reasoning_effort": "low", "logprobs": True}),
        ("gpt-4o", {"max_output_tokens": 9, "service_tier": "flex", "extra": {"verbosity": "low"}}),
    ],
)
def test_what_openais_models_take_is_not_told(model: str, params: dict[str, Any]) -> None:
    assert openai(model, **params) == []


@pytest.mark.parametrize(
    ("model", "params", "told"),
    [
        ("gpt-4o", {"top_k": 4}, ["OpenAI's chat completions takes no top_k"]),
        ("gpt-4o", {"top_logprobs": 4}, ["top_logprobs needs logprobs: true"]),
        ("gpt-4o", {"reasoning_effort": "low"},
         ["gpt-4o does not reason: it takes no reasoning_effort"]),
        ("gpt-4o", {"extra": {"n": 3}}, ["extra: 'n' is set by harness; take it out"]),
        ("gpt-4o", {"temperature": 0.0, "extra": {"temperature": 1.0, "x": 1}},
         ["extra: 'temperature' is set by harness; take it out"]),
        ("gpt-5", {"temperature": 0.0, "stop": ["x"]},
         ["gpt-5 takes no stop", "gpt-5 takes no temperature"]),
        ("gpt-5-mini-2025-08-07", {"reasoning_effort": "none"},
         ["gpt-5-mini-2025-08-07 takes no reasoning_effort none: it always reasons"]),
        ("gpt-5.1", {"temperature": 0.0, "reasoning_effort": "low"},
         ["gpt-5.1 takes no temperature unless reasoning_effort is none"]),
        ("gpt-5.5", {"top_p": 0.0}, ["gpt-5.5 takes no top_p unless reasoning_effort is none"]),
        ("gpt-5.10", {"top_p": 0.5}, ["gpt-5.10 takes no top_p unless reasoning_effort is none"]),
        ("gpt-5.2-chat-latest", {"temperature": 0.5},
         ["gpt-5.2-chat-latest takes no temperature"]),
        ("o3", {"presence_penalty": 0.0, "stop": ["x"]},
         ["o3 takes no stop", "o3 takes no presence_penalty"]),
        ("o4-mini", {"logprobs": True}, ["o4-mini takes no logprobs"]),
        ("gpt-5.5-pro", {},
         ["gpt-5.5-pro is not served by chat completions, only by OpenAI's Responses API"]),
        ("o3-deep-research", {},
         ["o3-deep-research is not served by chat completions, only by OpenAI's Responses API"]),
        ("ft:o4-mini-2025-04-16:team::abc", {"temperature": 0.0},
         ["ft:o4-mini-2025-04-16:team::abc takes no temperature"]),
    ],
)  # fmt: skip
def test_what_openais_models_refuse_is_told(
    model: str, params: dict[str, Any], told: list[str]
) -> None:
    assert openai(model, **params) == told


@pytest.mark.parametrize(
    ("model", "params", "taken"),
    [("gpt-4o", {}, True), ("gpt-5", {}, True), ("gpt-5.2", {"reasoning_effort": "low"}, True),
     ("gpt-5.4", {}, True), ("gpt-5.4", {"reasoning_effort": "low"}, False), ("gpt-5.6", {}, False),
     ("gpt-5.6", {"reasoning_effort": "none"}, True), ("gpt-4o-search-preview", {}, False),
     ("o3", {}, True), ("o1-mini", {}, False)],
)  # fmt: skip
def test_who_takes_tools(model: str, params: dict[str, Any], taken: bool) -> None:
    assert (openai(model, TOOLS, **params) == []) is taken


@pytest.mark.parametrize(
    ("model", "taken"),
    [("gpt-4o-mini", True), ("gpt-4o-2024-08-06", True), ("gpt-4o-2024-05-13", False),
     ("gpt-4-turbo", False), ("gpt-4", False), ("gpt-4-0613", False), ("gpt-4.1-nano", True),
     ("gpt-3.5-turbo", False), ("gpt-5.5", True), ("o3", True)],
)  # fmt: skip
def test_who_takes_a_schema(model: str, taken: bool) -> None:
    assert (openai(model, STRUCTURED) == []) is taken


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("claude-sonnet-5", {"stop": ["x"], "reasoning_effort": "max", "service_tier": "auto"}),
        ("claude-opus-4-5", {"reasoning_effort": "low"}),
        ("claude-sonnet-4-5", {"extra": {"temperature": 0}}),
        ("claude-sonnet-4-20250514", {"extra": {"temperature": 0}}),
        ("claude-3-5-haiku-latest", {"extra": {"top_k": 5}}),
        ("claude-opus-4-6-20260205", {"extra": {"temperature": 0}}),
        ("a-model-of-tomorrow", {"reasoning_effort": "low", "extra": {"temperature": 0}}),
    ],
)
def test_what_anthropics_models_take_is_not_told(model: str, params: dict[str, Any]) -> None:
    assert claude(model, **params) == []


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_anthropics_sampling_is_told_with_the_way_out(name: str) -> None:
    (told,) = claude("claude-sonnet-4-5", **{name: 0})
    assert told.startswith(f"Anthropic's API takes no {name} since the version 2026-10-21")
    assert f"extra: {{{name}: ...}}" in told
    for model in ("claude-opus-4-7", "claude-sonnet-5", "claude-fable-5-1"):
        assert claude(model, extra={name: 0}) == [
            f"{model} takes no {name}, by no version of the API"
        ]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"seed": 0}, "Anthropic's API takes no seed"),
        ({"logprobs": False}, "Anthropic's API takes no logprobs"),
        ({"presence_penalty": 0.0}, "Anthropic's API takes no presence_penalty"),
        ({"max_output_tokens": None},
         "Anthropic's API has no default for max_output_tokens: set it"),
        ({"reasoning_effort": "minimal"},
         "reasoning_effort is one of low, medium, high, xhigh, max at Anthropic, not minimal"),
        ({"service_tier": "flex"}, "service_tier is auto or standard_only at Anthropic, not flex"),
        ({"extra": {"max_tokens": 3}}, "extra: 'max_tokens' is set by harness; take it out"),
        ({"extra": {"stream": True}}, "extra: 'stream' is set by harness; take it out"),
    ],
)  # fmt: skip
def test_what_anthropics_api_does_not_take_is_told(params: dict[str, Any], told: str) -> None:
    assert claude("claude-sonnet-5", **params) == [told]


def test_what_older_claudes_do_not_take() -> None:
    for model in ("claude-3-7-sonnet-latest", "claude-sonnet-4-20250514", "claude-opus-4-0"):
        assert claude(model, STRUCTURED) == [f"{model} takes no schema (structured output)"]
        assert claude(model, reasoning_effort="low") == [f"{model} takes no reasoning_effort"]
        assert claude(model, TOOLS) == []
    assert claude("claude-haiku-4-5", reasoning_effort="low") == [
        "claude-haiku-4-5 takes no reasoning_effort"
    ]
    assert claude("claude-haiku-4-5", STRUCTURED) == []


@pytest.mark.parametrize(
    ("asks", "body"), [(openai_problems, chat_body), (anthropic_problems, messages_body)]
)
@pytest.mark.parametrize("name", [name for name in PARAMS if name != "extra"])
def test_every_parameter_is_sent_or_told(
    asks: Callable[[ModelRequest], list[str]],
    body: Callable[[ModelRequest], dict[str, Any]],
    name: str,
) -> None:
    value = {"stop": ["x"], "reasoning_effort": "low", "service_tier": "auto"}.get(name, 1)
    given = request("some-model", params={name: value})
    sent = body(given) != body(request("some-model"))
    assert sent is not any(
        f"takes no {name}" in told or f"no {name}:" in told for told in asks(given)
    )


def test_a_missing_key_is_a_problem_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "  ")
    assert OpenAI().problems(request("gpt-5", params={"temperature": 0.0})) == [
        "the environment variable OPENAI_API_KEY is not set",
        "gpt-5 takes no temperature",
    ]


@pytest.mark.parametrize("plugin", [OpenAI, Anthropic])
@pytest.mark.parametrize(
    "options",
    [{"api_key": "sk-1"}, {"base_url": "https://user:pass@host/v1"}, {"base_url": "ftp://host"},
     {"api_key_env": "sk-proj-0123456789"}],
)  # fmt: skip
def test_keys_and_strange_addresses_are_no_options(plugin: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        plugin(**options)


def test_the_request_is_read_whole() -> None:
    """A new field of the request must be thought of in every adapter."""
    assert {field.name for field in fields(ModelRequest)} == {
        "model", "messages", "params", "tools", "tool_choice", "schema", "stream", "timeout_s",
    }  # fmt: skip
