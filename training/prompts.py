"""Random system prompts: what to answer with, in which words, with how many examples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from training.products import company
from training.wordings import Wordings

_ORDER = ("answer", "category", "citation", "escalate")
_SHOT_FORMS = (
    "Question: {q}\n{a}",
    "Question: {q}\nAnswer: {a}",
    "Q: {q}\nA: {a}",
    "Customer: {q}\n{a}",
    "User: {q}\nAssistant: {a}",
    "{q}\n{a}",
    "{q} -> {a}",
)
_SHOT_HEADS = (
    "Examples:",
    "Example answers:",
    "For example:",
    "Here is how to answer:",
    "Samples:",
)

N_SHOTS = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 5, 5)
"""How many examples a prompt shows, each number as often as it stands here."""


@dataclass(frozen=True)
class Reply:
    """What is right: `category` by its own name, `citation` an id or "none"."""

    answer: str
    category: str
    citation: str = "none"
    escalate: bool = False


@dataclass
class Prompt:
    """One company's way to be answered, and the instructions that say it.

    `keys` maps a part of the reply to its name in the JSON object, in order; empty where the
    answer alone is wanted. `triggers` are what must go to a person, empty where nothing must.
    """

    abstain: str
    handover: str
    keys: Mapping[str, str]
    labels: Mapping[str, str]
    triggers: Sequence[str]
    text: str = ""
    greets: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def written(self, reply: Reply) -> str:
        """A reply in the form that is asked for."""
        if not self.keys:
            return reply.answer
        parts = {
            "answer": reply.answer,
            "category": self.labels[reply.category],
            "citation": reply.citation,
            "escalate": reply.escalate,
        }
        return json.dumps({name: parts[key] for key, name in self.keys.items()})


Shot = Callable[[Prompt], tuple[str, Reply, str]]
"""Draws an example's question, its reply and, maybe, the passage that it was answered from."""


def prompt(
    r: Random,
    words: Wordings,
    shot: Shot,
    *,
    plain: float = 0.12,
    tools: bool = False,
    n_shots: Sequence[int] = N_SHOTS,
) -> Prompt:
    """A random prompt; `plain` is the share that want no JSON."""
    desk = words.desk
    made = Prompt(
        abstain=r.choice(desk["abstain_phrases"]),
        handover=r.choice(desk["handover_phrases"]),
        keys=_keys(r, words) if r.random() >= plain else {},
        labels=_labels(r, words),
        triggers=(),
    )
    escalates = "escalate" in made.keys or r.random() < 0.1
    if escalates:
        made.triggers = r.sample(list(desk["escalations"]), r.randint(3, 7))
    n = r.choice(n_shots)
    told = n < 2 or r.random() < 0.85  # else the examples alone show the form
    parts = _instructions(r, words, made, tools=tools) if told else []
    if r.random() < 0.5:
        r.shuffle(parts)
    parts.insert(0, r.choice(desk["roles"]).format(c=company(r, words)))
    joint = r.choice((" ", " ", "\n"))
    made.text = joint.join(parts)
    if n:
        made.text += "\n" + _shots(r, made, shot, n)
    return made


def _instructions(r: Random, words: Wordings, made: Prompt, *, tools: bool) -> list[str]:
    desk, keys = words.desk, made.keys
    parts = []
    if keys:
        parts.append(r.choice(desk["json_instructions"]).format(f=_listed(r, list(keys.values()))))
    elif r.random() < 0.8:
        parts.append(r.choice(desk["plain_instructions"]))
    if "category" in keys and r.random() < 0.95:
        labels = list(made.labels.values())
        r.shuffle(labels)
        line = r.choice(desk["category_instructions"])
        parts.append(line.format(l=", ".join(labels), k=keys["category"]))
    if "citation" in keys and r.random() < 0.7:
        parts.append(r.choice(desk["cite_instructions"]).format(k=keys["citation"]))
    parts.append(r.choice(desk["abstain_instructions"]).format(p=made.abstain))
    if made.triggers:
        names = [r.choice(desk["escalation_names"][trigger]) for trigger in made.triggers]
        line = r.choice(desk["escalate_instructions"])
        listed = _listed(r, names)
        parts.append(line.format(t=listed, p=made.handover, k=keys.get("escalate", "escalate")))
    if r.random() < 0.3:
        parts.append(r.choice(desk["version_instructions"]))
    if tools and r.random() < 0.7:
        parts.append(r.choice(desk["tool_instructions"]))
    return parts


def _shots(r: Random, made: Prompt, shot: Shot, n: int) -> str:
    form = r.choice(_SHOT_FORMS)
    shown = []
    for _ in range(n):
        question, reply, passage = shot(made)
        lead = f"{passage}\n" if passage else ""
        shown.append(lead + form.format(q=question, a=made.written(reply)))
    return r.choice(_SHOT_HEADS) + "\n" + r.choice(("\n", "\n\n")).join(shown)


def _keys(r: Random, words: Wordings) -> dict[str, str]:
    kept = ["answer"]
    kept += [
        k for k, p in (("category", 0.85), ("citation", 0.85), ("escalate", 0.6)) if r.random() < p
    ]
    kept.sort(key=_ORDER.index)
    if r.random() < 0.3:
        r.shuffle(kept)
    names = words.desk["key_names"]
    return {key: key if r.random() < 0.5 else r.choice(names[key]) for key in kept}


def _labels(r: Random, words: Wordings) -> dict[str, str]:
    own = r.random() < 0.5
    synonyms = words.desk["category_synonyms"]
    made = {
        category: category if own or r.random() < 0.4 else str(r.choice(names))
        for category, names in synonyms.items()
    }
    if len(set(made.values())) < len(made):
        return {category: category for category in made}
    return made


def _listed(r: Random, names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    last = r.choice((", ", " and ", " and "))
    return ", ".join(names[:-1]) + last + names[-1]
