"""What a word is, for all that counts words."""

from __future__ import annotations

import re

WORDS = "lower case, \\w+, single CJK signs"
"""The same in short, for an identity."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # written without spaces: each sign is a word
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")

_FUNCTION_WORDS = """
a an the and or but if than about as at by for from in into of on to with
i me my we us our you your he him his she her it its they them their this that these those
who whom whose which what when where why how there here so then
am is are was were be been being do does did have has had
can could will would shall should may might must
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English articles, conjunctions, prepositions, pronouns and auxiliaries; no negations."""


def words(text: str) -> list[str]:
    """The words of a text, in lower case; neither stemmed nor filtered."""
    return _WORD.findall(text.lower())
