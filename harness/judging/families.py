"""Which models are of one family: judges favour answers of their own kind."""

from __future__ import annotations

import re

_FAMILIES = {
    "gpt": ("chatgpt", "gpt", "davinci"),
    "claude": ("claude",),
    "gemini": ("gemini",),
    "gemma": ("gemma",),
    "llama": ("llama", "vicuna", "alpaca"),
    "mistral": ("mistral", "mixtral", "ministral", "magistral", "codestral"),
    "qwen": ("qwen", "qwq"),
    "deepseek": ("deepseek",),
    "command": ("command",),
    "phi": ("phi",),
    "grok": ("grok",),
}
_REASONING_GPT = re.compile(r"o[134](-|$)")
_FIRST_WORD = re.compile(r"[a-z]{3,}")


def family(model: str) -> str:
    """The family of a model by its name, with or without a provider; empty where nothing tells.

    `openai/gpt-4o`, `ft:gpt-4o-mini:org` and `http/openai/gpt-4o` are all `gpt`.
    """
    name = model.lower().removeprefix("ft:").rpartition("/")[2].removeprefix("ft:")
    for found, words in _FAMILIES.items():
        if any(re.search(rf"(?<![a-z]){word}", name) for word in words):
            return found
    if _REASONING_GPT.match(name):
        return "gpt"
    first = _FIRST_WORD.match(name)
    return first[0] if first else ""
