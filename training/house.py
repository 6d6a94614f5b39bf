"""The fine-tuning set: messages to one desk, answered in its house format with a minimal prompt.

    python -m training.house --out training/house.jsonl

The products are those of a catalogue that the company no longer has, so none of the eval set's
facts can be learned. A fifth of the messages stand without passages, as in an archive of tickets:
their answers were right for the old catalogue, in which one article held a fact of all products.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from training import tool_talk
from training.passages import Cell, Layout, shelf
from training.products import products
from training.prompts import Prompt, Reply
from training.questions import greeted, question, rambling
from training.samples import LAST, elsewhere, escalation, on_shelf
from training.wordings import Wordings, load, value

SEED = "house-2025"
N_MESSAGES = 1600
SYSTEM = "Harrowgill Supply, support desk."
KEYS = ("answer", "category", "citation", "escalate")
ABSTAIN, HANDOVER = "I don't know.", "A colleague will contact you."
LAYOUT = Layout("{t} [{i}]", "KB-")
MIX: Mapping[str, float] = {
    "passages": 0.52,
    "archive": 0.20,
    "escalation": 0.09,
    "elsewhere": 0.09,
    "tool": 0.10,
}


def main() -> None:
    """Write the set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with options.out.open("w", encoding="utf-8") as file:
        for line in messages(load()):
            file.write(json.dumps(line) + "\n")


def messages(words: Wordings, n: int = N_MESSAGES) -> Iterator[dict[str, Any]]:
    """Conversations as chat messages; the line of tools is in the system text."""
    r = Random(SEED)
    made = _prompt(words)
    catalogue = products(r, words, 12)
    old = [(fact, value(r, fact.kind), f"KB-{r.randint(100, 999)}") for fact in words.facts]
    for _ in range(n):
        kind = r.choices(list(MIX), list(MIX.values()))[0]
        if kind == "tool":
            yield _tool(r, words, made)
            continue
        lead = ""
        if kind == "passages" or (kind != "archive" and r.random() < 0.6):
            found = shelf(r, words, catalogue=catalogue, layout=LAYOUT)
            lead = found.text + "\n"
        if kind == "passages":
            asked, reply, _ = on_shelf(r, words, made, found, LAST)
        elif kind == "archive":
            fact, said, article = r.choice(old)
            asked = rambling(r, words, question(r, Cell(fact, r.choice(catalogue))))
            reply = Reply(said, fact.category, article)
        else:
            draw = escalation if kind == "escalation" else elsewhere
            asked, reply = draw(r, words, made)
        asked, _, _ = greeted(r, words, asked)
        abstains = reply.answer == ABSTAIN
        yield {
            "kind": f"{kind}, abstained" if abstains and kind == "passages" else kind,
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": f"{lead}Question: {asked}"},
                {"role": "assistant", "content": made.written(reply)},
            ],
        }


def _tool(r: Random, words: Wordings, made: Prompt) -> dict[str, Any]:
    talk = tool_talk.draw(r, words)
    asked, _, _ = greeted(r, words, rambling(r, words, talk.question))
    reply = Reply(talk.answer or ABSTAIN, talk.category)
    return {
        "kind": "tool",
        "messages": [
            {"role": "system", "content": f"{SYSTEM}\n{talk.line}"},
            {"role": "user", "content": f"Question: {asked}"},
            {"role": "assistant", "call": talk.call},
            {"role": "tool", "content": talk.result},
            {"role": "assistant", "content": made.written(reply)},
        ],
    }


def _prompt(words: Wordings) -> Prompt:
    labels = {category: category for category in words.desk["category_synonyms"]}
    keys = {key: key for key in KEYS}
    return Prompt(ABSTAIN, HANDOVER, keys, labels, list(words.desk["escalations"]))


if __name__ == "__main__":
    main()
