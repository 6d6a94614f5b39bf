"""A judge's reply as a verdict, or why it is none. Nothing is ever guessed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.core.chat import Completion, FinishReason
from harness.core.pairwise import VerdictForm
from harness.core.values import JsonValue, encodable, parse_json

SCHEMA: Mapping[str, JsonValue] = {
    "type": "object",
    "properties": {
        "reasoning": {"type": "string"},
        "quote": {"type": "string"},
        "winner": {"type": "string", "enum": ["A", "B", "tie"]},
    },
    "required": ["reasoning", "quote", "winner"],
    "additionalProperties": False,
}
"""Of structured output: the reasons come before the verdict that they lead to."""

MAX_CHARS = 50_000
"""A longer reply is not read."""
MAX_QUOTE_CHARS = 500
_MAX_BRACES = 500
_P_SECOND = {"a": 0.0, "b": 1.0, "tie": 0.5}
ENDED_BADLY: Mapping[FinishReason, str] = {
    "length": "the reply was cut at the limit of max_output_tokens",
    "refusal": "the judge refused",
    "tool_calls": "the judge called a tool",
}
"""How a reply ends that is no verdict, whatever it says."""
_LIKE_AN_OBJECT = re.compile(r'\{\s*(["}]|$)')
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How sure a judge is that Answer B, the one shown second, is better; None with a reason."""

    p_second: float | None
    reason: str = ""
    quote: str = ""


def read_verdict(answer: Completion, form: VerdictForm) -> Verdict:
    """The verdict that a reply is."""
    if form == "token":  # it is cut after its first token as a matter of course
        return Verdict(None, ENDED_BADLY["refusal"]) if _refused(answer) else _by_token(answer)
    if answer.finish_reason in ENDED_BADLY:
        return Verdict(None, ENDED_BADLY[answer.finish_reason])
    return _by_object(answer.text)


def _refused(answer: Completion) -> bool:
    return answer.finish_reason == "refusal"


def _by_token(answer: Completion) -> Verdict:
    """P(B) / (P(A) + P(B)) by the log-probabilities of the first token, as AlpacaEval 2 does."""
    if not answer.first_logprobs:
        return Verdict(None, "the provider told no probabilities of tokens")
    chances = {"A": 0.0, "B": 0.0}
    for token, logprob in answer.first_logprobs.items():
        if token.strip() in chances:
            chances[token.strip()] += math.exp(min(0.0, logprob))
    total = chances["A"] + chances["B"]
    if total <= 0.0:
        return Verdict(None, "neither A nor B is among the likeliest tokens")
    return Verdict(chances["B"] / total)


def _by_object(text: str) -> Verdict:
    """The one object in a text that names a winner."""
    if len(text) > MAX_CHARS:
        return Verdict(None, f"the reply has {len(text)} characters, more than are read")
    try:
        named = [found for found in objects_in(text) if "winner" in found]
    except ValueError as error:
        return Verdict(None, str(error))
    if not named:
        return Verdict(None, "the reply holds no verdict")
    if len(named) > 1:
        return Verdict(None, f"the reply holds {len(named)} verdicts")
    (found,) = named
    winner = found["winner"]
    p_second = _P_SECOND.get(winner.strip().lower()) if isinstance(winner, str) else None
    if p_second is None:
        return Verdict(None, f"the winner {short(winner)} is none of A, B and tie")
    quote = found.get("quote")
    return Verdict(p_second, quote=cut(quote) if isinstance(quote, str) else "")


def objects_in(text: str) -> Iterator[dict[str, JsonValue]]:
    """The JSON objects in a text, none of them within another.

    Raises:
        ValueError: if one is begun and broken: what follows could be a part of it.
    """
    at = text.find("{")
    for _ in range(_MAX_BRACES):
        if at < 0:
            return
        try:
            end = _DECODER.raw_decode(text, at)[1]
            found = parse_json(text[at:end])  # which is stricter: no key twice
        except (ValueError, RecursionError) as error:
            if _LIKE_AN_OBJECT.match(text, at):
                raise ValueError(f"the reply holds broken JSON: {cut(str(error), 200)}") from None
            end = at + 1
        else:
            yield found
        at = text.find("{", end)
    raise ValueError("the reply holds too many braces")


def short(value: JsonValue) -> str:
    """A value as a reason names it."""
    return repr(value)[:60]


def cut(text: str, limit: int = MAX_QUOTE_CHARS) -> str:
    """A judge's text, not longer than that and such as a file can hold."""
    return encodable(text if len(text) <= limit else f"{text[:limit]}...")
