"""What `open` is for: afterwards no call has to import anything, and nothing has been sent."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from harness.core.chat import ServiceError
from harness.plugins.providers.anthropic import Anthropic
from harness.plugins.providers.http import Http
from harness.plugins.providers.openai import OpenAI

SUPPORT = Path(__file__).parents[2] / "support"
SCRIPT = dedent("""\
    import asyncio, sys
    from importlib import import_module
    from model_server import ModelServer, Say
    from harness.core.chat import Message, ModelRequest

    _, module, name, path, model, stream = sys.argv
    HEAVY = ("aiohttp", "anthropic", "anyio", "httpx", "httpx2", "openai", "tiktoken", "tokenizers")

    async def run(server):
        provider = getattr(import_module(f"harness.plugins.providers.{module}"), name)(
            base_url=server.url + path, api_key_env="OPEN_TEST_KEY"
        )
        await provider.open()
        assert server.requests == []
        before = set(sys.modules)
        messages = (Message("user", "hi"),)
        params = {"max_output_tokens": 9}
        request = ModelRequest(model, messages, params, stream=stream == "streamed")
        assert (await provider.complete(request)).text == "x"
        await provider.close()
        return sorted(m for m in set(sys.modules) - before if m.partition(".")[0] in HEAVY)

    with ModelServer(respond=lambda asked: Say("x")) as server:
        print(asyncio.run(run(server)))
    """)


@pytest.mark.parametrize("stream", ["whole", "streamed"])
@pytest.mark.parametrize(
    ("module", "name", "path", "model"),
    [
        ("openai", "OpenAI", "/v1", "gpt-5"),
        ("anthropic", "Anthropic", "", "claude-x"),
        ("http", "Http", "/v1", "m"),
        ("litellm", "LiteLLM", "/v1", "openai/gpt-5"),
    ],
)
def test_the_first_call_imports_no_library(
    module: str, name: str, path: str, model: str, stream: str, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), module, name, path, model, stream],
        env={**os.environ, "PYTHONPATH": str(SUPPORT), "OPEN_TEST_KEY": "a-key-of-a-test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


@pytest.mark.parametrize("kind", [OpenAI, Anthropic, Http])
def test_without_a_key_it_cannot_be_opened(kind: type[OpenAI | Anthropic | Http]) -> None:
    provider = kind(base_url="http://127.0.0.1:9/v1", api_key_env="NOT_SET_ANYWHERE")
    with pytest.raises(ServiceError, match="NOT_SET_ANYWHERE is not set") as raised:
        asyncio.run(provider.open())
    assert raised.value.kind == "authentication"
