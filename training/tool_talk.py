"""Random tools, questions that need them, calls and results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from training.wordings import Intent, Wordings, argument, value

_MISSING = (
    '{"error": "not found"}',
    "error: not found",
    '{"error": "no such id"}',
    "nothing found",
)


@dataclass(frozen=True)
class Talk:
    """A question, the call that it needs, and what came back. `answer` is None on an error.

    `line` lists the tools as the model is shown them.
    """

    line: str
    question: str
    call: str
    result: str
    answer: str | None
    category: str


def draw(r: Random, words: Wordings) -> Talk:
    """A random tool among others, and a question for it."""
    intent = r.choice(words.intents)
    shown = {intent.names: _shown(r, intent)}
    for other in r.sample(words.intents, r.choice((0, 1, 2, 2, 3))):
        shown.setdefault(other.names, _shown(r, other))
    listed = list(shown.values())
    r.shuffle(listed)
    tool, names = shown[intent.names]
    asked = r.choice(intent.asked)
    given = [argument(r, kind) for kind in intent.arg_kinds]
    letters = dict(zip("abc", given, strict=False))
    arguments = ", ".join(f"{name}={kept}" for name, kept in zip(names, given, strict=True))
    answer = _value(r, asked.kind, asked.words)
    result: str | None = None
    if r.random() < 0.05:
        result = r.choice(_MISSING)
    text = result or _result(
        r, intent, r.choice(asked.fields), answer, dict(zip(names, given, strict=True))
    )
    question = r.choice(asked.questions).format(**letters)
    line = tools_text(listed)
    return Talk(
        line, question, f"{tool}({arguments})", text, None if result else answer, intent.category
    )


def line(r: Random, words: Wordings, intents: Sequence[Intent] = ()) -> str:
    """A list of random tools."""
    chosen = list(intents) or r.sample(words.intents, r.randint(1, 3))
    return tools_text([_shown(r, intent) for intent in chosen])


def tools_text(listed: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The line that the runtime appends to a system prompt (see `harness.embedded.chat`)."""
    tools = (f"{name}({', '.join(args)})" for name, args in listed)
    return f"Tools: {', '.join(tools)}."


def _shown(r: Random, intent: Intent) -> tuple[str, list[str]]:
    args: list[str] = []
    for names in intent.args:
        args.append(r.choice([one for one in names if one not in args]))
    return r.choice(intent.names), args


def _result(r: Random, intent: Intent, field: str, answer: str, given: Mapping[str, str]) -> str:
    fields = {field: answer}
    others = {**intent.other_fields}
    for one in intent.asked:
        if field in one.fields:
            continue
        others.setdefault(
            one.fields[0], one.kind if one.kind != "word" else {"word": list(one.words)}
        )
    for key in r.sample(list(others), min(len(others), r.choice((0, 1, 2, 3)))):
        kind = others[key]
        if key not in fields and not _same(intent, key, field):
            listed = kind["word"] if isinstance(kind, Mapping) else ()
            fields[key] = _value(r, "word" if listed else str(kind), listed)
    kept = list(fields.items())
    r.shuffle(kept)
    if r.random() < 0.5:
        kept = [*list(given.items())[:1], *kept]
    if r.random() < 0.6:
        return json.dumps(dict(kept))
    equals, joint = r.choice((("=", "; "), (": ", ", "), (": ", "\n"), ("=", " ")))
    return joint.join(f"{key}{equals}{kept_value}" for key, kept_value in kept)


def _same(intent: Intent, key: str, field: str) -> bool:
    """Whether two names of a result's fields mean the same."""
    return any({key, field} <= set(one.fields) for one in intent.asked)


def _value(r: Random, kind: str, words: Sequence[str]) -> str:
    return str(r.choice(list(words))) if kind == "word" else value(r, kind)
