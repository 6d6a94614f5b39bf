"""Models, embeddings and a reranker for the shop of `shop`, by simple rules on what they are sent.

A model reads the prompt and nothing else: shown the right passage, it finds the answer in it. Of
the models, `small` writes prose unless it is shown examples or its output is constrained,
`mumbles` never writes what it should, and `liar` names a source that there is not.
"""

from __future__ import annotations

import json
import re
from typing import Any

from embedding_server import embedding_server
from model_server import Asked, Call, Reply, Say

PASSAGE = re.compile(r'<passage id="([^"]+)"[^>]*>\n(.*?)\n</passage>', re.DOTALL)
SUMMARY = re.compile(r"\[([^\]]+)\] (.+)")
FIGURE = re.compile(r"\b\d+ [a-z]+")
QUESTION = re.compile(r"^Question: (.*)$", re.MULTILINE)
NONE = {"answer": "unknown", "source": "none"}
STOP = frozenset(
    {"how", "long", "does", "do", "is", "the", "of", "a", "an", "i", "may", "what", "to", "where",
     "my", "in", "when", "will", "be", "on"}
)  # fmt: skip
SAME = {"stuff": "parcels", "here": "arrive", "guarantee": "warranty"}
"""What customers call things, and the documents do not."""

WORDS = (
    "parcels", "arrive", "warranty", "grinders", "goods", "returned", "opened", "bags", "beans",
    "fresh", "shipping", "cost", "discount", "staff", "days", "weeks", "fit",
)  # fmt: skip
VECTORS = {word: [float(word == other) for other in WORDS] for word in WORDS}
VECTORS |= {ours: VECTORS[theirs] for ours, theirs in SAME.items()}
_embeddings = embedding_server(VECTORS)


def answer(asked: Asked) -> Say | Reply:
    """The reply to any request."""
    if asked.path.endswith("/embeddings"):
        return _embeddings(asked)
    if asked.path.endswith("/rerank"):
        return _reranked(asked.body)
    messages: list[dict[str, Any]] = asked.body["messages"]
    n_words = sum(len((message["content"] or "").split()) for message in messages)
    say = _said(asked.body, messages)
    return Say(say.text, say.calls, prompt_tokens=n_words, logprobs=say.logprobs)


def _said(body: dict[str, Any], messages: list[dict[str, Any]]) -> Say:
    user = next(m["content"] for m in messages if m["role"] == "user")
    question = QUESTION.findall(user)[-1] if "Question: " in user else user
    if user.startswith("Rewrite"):
        return Say(" ".join(SAME.get(word, word) for word in _words(question)))
    if user.startswith("Label"):
        return Say("complex" if " and " in question else "simple")
    if user.startswith("Copy"):
        return Say(_sentence(PASSAGE.findall(user), _words(question))[1])
    if user.startswith("Sum up"):
        name, sentence = _sentence(PASSAGE.findall(user), _words(question))
        return Say(f"[{name}] {sentence}" if sentence else "nothing")
    order = re.search(r"\border\b ?([A-Z]\d)?", question)
    wanted = bool(order) or body.get("tool_choice") == "required"
    if body.get("tools") and messages[-1]["role"] != "tool" and wanted:
        arguments = json.dumps({"id": (order and order[1]) or "none"})
        return Say(calls=(Call("order_status", arguments),))
    return _written(body, messages, user, question)


def _written(body: dict[str, Any], messages: list[dict[str, Any]], user: str, question: str) -> Say:
    """The answer to a customer, in the form that the model can keep."""
    text = "".join(message["content"] or "" for message in messages)
    found = _found(messages, user, question)
    model = body["model"]
    shown = text.count("Customer:") >= 4 or "response_format" in body or "rejected" in text
    if model == "mumbles" or (model == "small" and not shown):
        return Say(f"It is {found['answer']}, I think.")
    if model == "liar":
        found = {**found, "source": "made-up#rule"}
    sure = -0.01 if found != NONE else -2.0
    told = body.get("logprobs") and (("yes", sure),)
    return Say(json.dumps(found), logprobs=told or ())


def _found(messages: list[dict[str, Any]], user: str, question: str) -> dict[str, str]:
    """What the prompt holds: a tool's result, a check's, a summary of evidence, or passages."""
    told = messages[-1]["content"] if messages[-1]["role"] == "tool" else ""
    state = re.search(r'"state": ?"(\w+)"', told or user)
    if state:
        return {"answer": state[1], "source": "orders"}
    words = _words(question)
    if "guarantee = warranty" in "".join(message["content"] or "" for message in messages):
        words = {SAME.get(word, word) for word in words}
    passages = PASSAGE.findall(user) or SUMMARY.findall(user)
    name, sentence = _sentence(passages, words)
    figure = FIGURE.search(sentence)
    return {"answer": figure[0], "source": name} if figure else NONE


def _sentence(passages: list[tuple[str, str]], words: set[str]) -> tuple[str, str]:
    """The sentence with a figure that shares the most words, at least two; the first of equals."""
    best = (1, "none", "")
    for name, text in passages:
        plain = " ".join(line for line in text.splitlines() if not line.startswith("#"))
        for sentence in re.split(r"(?<=\.)\s+", plain):
            shared = len(words & _words(sentence))
            if shared > best[0] and FIGURE.search(sentence):
                best = (shared, name, sentence.strip())
    return best[1:]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower())) - STOP


def _reranked(body: dict[str, Any]) -> Reply:
    """Cohere's form: passages with a figure are worth more than those that repeat the question."""
    words = _words(body["query"])
    scores = [
        len(words & _words(text)) + 10 * bool(FIGURE.search(text)) for text in body["documents"]
    ]
    results = [
        {"index": index, "relevance_score": score / 100} for index, score in enumerate(scores)
    ]
    return Reply([json.dumps({"results": results}).encode()])
