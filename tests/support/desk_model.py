"""What a language model might answer at the support desk, by simple rules, for tests.

It reads what the prompt holds (instructions, passages, tool results) and nothing else: a system
that shows it the right passage is right, one that does not is mostly wrong.
"""

from __future__ import annotations

import json
import re
from typing import Any

from model_server import Asked, Call, Say

PASSAGE = re.compile(r'^\{"article": "([^"]+)"', re.MULTILINE)
NONE = {"article": "none", "answer": "A colleague will take over."}
SUMMARY = re.compile(r"\[([a-z0-9-]+)\]")


def answer(asked: Asked) -> Say:
    """The reply to a request of examples/techniques."""
    messages: list[dict[str, Any]] = asked.body["messages"]
    user = next(m["content"] for m in reversed(messages) if m["role"] == "user")
    if "word for word" in user:  # compress.j2
        return Say(json.loads(user.split("\n")[2]))
    if "at most three sentences" in user:  # summary_user.j2
        found = PASSAGE.search(user)
        return Say(f"It is said in [{found[1]}]." if found else "nothing")
    if 'else "other"' in user:  # router.j2
        question = user.partition("\n")[0].lower()
        return Say("desk" if "order" in question or "return" in question else "other")
    if asked.body.get("tools") and messages[-1]["role"] != "tool":
        words = user.partition("Question:")[2].strip()
        return Say(calls=(Call("find_articles", json.dumps({"words": words})),))
    if asked.body["model"] == "tuned" and len(user.rpartition("Question:")[2].split()) > 9:
        return Say(json.dumps(NONE))  # what its training did not hold
    return Say(json.dumps(_article(messages, user)))


def _article(messages: list[dict[str, Any]], user: str) -> dict[str, str]:
    found = PASSAGE.search(user) or SUMMARY.search(user)
    name = found[1] if found else "none"
    if messages[-1]["role"] == "tool":
        listed = json.loads(messages[-1]["content"])
        name = listed[0]["article"] if listed else "none"
    if name == "none":
        return NONE
    return {"article": name, "answer": f"Please see {name}."}
