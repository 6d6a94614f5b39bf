"""The embedded models behind HTTP answer as they do in the process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import LOOK_UP, SCHEMA, ask, failure, request
from chat_server import Served
from tiny_models import write_models

from harness.core.chat import Completion, Message, ModelRequest
from harness.plugins.providers.http import Http
from harness.plugins.providers.litellm import LiteLLM
from harness.plugins.providers.local import Local
from harness.plugins.providers.openai import OpenAI
from harness.ports import Provider

SHORT: dict[str, Any] = {"max_output_tokens": 12}
REQUESTS = [
    request("desk-base", params=SHORT),
    request("desk-tuned", params=SHORT | {"stop": ["e"], "logprobs": True}),
    request("desk-base", params=SHORT | {"temperature": 1.0, "top_p": 0.9, "seed": 5}),
    request("desk-tuned", params=SHORT | {"temperature": 0.0}, tools=(LOOK_UP,)),
]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any-key-will-do")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))


def local(folder: Path) -> Local:
    return Local.model_validate({"folder": folder.name}, context={"folder": folder.parent})


async def _opened(provider: Provider, asked: ModelRequest) -> Completion:
    await provider.open()
    try:
        return await provider.complete(asked)
    finally:
        await provider.close()


def known(completion: Completion) -> tuple[Any, ...]:
    """What goes over the wire."""
    calls = [(call.name, call.arguments) for call in completion.calls]
    usage = completion.usage
    return completion.text, calls, usage.prompt_tokens, usage.completion_tokens


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_answers_by_every_route(folder: Path, stream: bool) -> None:
    asked = [replace(one, stream=stream) for one in REQUESTS]
    direct = [asyncio.run(_opened(local(folder), one)) for one in asked]
    with Served(local(folder), opens=True) as server:
        for one, expected in zip(asked, direct, strict=True):
            for provider in (Http(base_url=server.url), OpenAI(base_url=server.url)):
                got = ask(provider, one)
                assert known(got) == known(expected)
                assert got.finish_reason == expected.finish_reason
                assert got.confidence == (
                    expected.confidence and pytest.approx(expected.confidence)
                )
            by_litellm = LiteLLM.model_validate({"base_url": server.url})
            got = ask(by_litellm, replace(one, model=f"openai/{one.model}"))
            assert known(got) == known(expected)


def test_what_the_models_do_not_take(folder: Path) -> None:
    with Served(local(folder), opens=True) as server:
        client = Http(base_url=server.url)
        told = failure(client, request("desk-base", schema=SCHEMA))
        assert (told.kind, "no structured output" in told.message) == ("bad_request", True)
        told = failure(client, request("desk-base", params={"presence_penalty": 1}))
        assert "take no presence_penalty" in told.message
        told = failure(client, request("gpt-5"))
        assert told.kind == "not_found"
        long = request("desk-base", messages=(Message("user", "word " * 3000),))
        for provider in (client, OpenAI(base_url=server.url)):
            assert failure(provider, long).kind == "context_too_long"
