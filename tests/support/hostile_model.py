"""A model server that misbehaves in the way that the question names, on either wire form.

A prompt holds `Case: NAME`; `reply` decides by it. A name that it does not know is answered well.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable

from model_server import CUT, HANG, OPENAI, Asked, Call, Fail, Reply, Say, broken, error, partial
from model_wire import whole as whole_body

GOOD = '{"answer": "yes"}'
MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b]0;owned\x07\u202e"
_CASE = re.compile(r"Case: ([\w-]+)")
Scripted = Say | Fail | Reply


class HostileModel:
    """Answers requests; counts how often each case of each caller was asked."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, bool, str]] = Counter()
        self._lock = threading.Lock()

    def reply(self, asked: Asked) -> Scripted:
        """What the server sends."""
        messages = asked.body["messages"]
        user = next(m["content"] for m in reversed(messages) if m["role"] == "user")
        case = found[1] if (found := _CASE.search(user)) else "good"
        if case == "slow-down":
            return self._slow_down(asked)
        if case in _TOOL_CASES and asked.body.get("tools"):
            last = messages[-1]
            if last["role"] == "tool":
                return _said(asked, json.dumps({"answer": last["content"]}))
            return Say(calls=(Call(*_TOOL_CASES[case]),))
        return REPLIES.get(case, _good)(asked)

    def _slow_down(self, asked: Asked) -> Scripted:
        """The first request of each prompt is turned away, for a second."""
        key = asked.raw.decode()
        with self._lock:
            self.asked[key] += 1
            first = self.asked[key] == 1
        return error(429, "slow down", retry_after="1") if first else _good(asked)


def _said(asked: Asked, text: str) -> Reply:
    """An answer whose text goes out in one piece, however long it is."""
    if not asked.streams:
        return Reply([whole_body(Say(text), OPENAI, asked.body)])
    return _stream(_event(text), b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n')


def _event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


def _stream(*chunks: bytes) -> Reply:
    return Reply([*chunks, b"data: [DONE]\n\n"], content_type="text/event-stream")


def _raw(asked: Asked, content: bytes) -> Reply:
    """An answer whose text is these bytes inside quotation marks, valid or not."""
    if asked.streams:
        return _stream(b'data: {"choices": [{"delta": {"content": "' + content + b'"}, '
                       b'"finish_reason": "stop"}]}\n\n')  # fmt: skip
    return broken(b'{"choices": [{"message": {"content": "' + content + b'"}, '
                  b'"finish_reason": "stop"}]}')  # fmt: skip


def _body(asked: Asked, body: bytes) -> Reply:
    """A body, or an event of a stream, that is just this."""
    return _stream(b"data: " + body + b"\n\n") if asked.streams else broken(body)


def _forever(asked: Asked) -> Reply:
    token = _event("the ") if asked.streams else b"the " * 1000
    start = b"" if asked.streams else b'{"choices": [{"message": {"content": "'
    kind = "text/event-stream" if asked.streams else "application/json"
    return Reply([start, token], then="repeat", content_type=kind)


def _cut(asked: Asked) -> Reply:
    if asked.streams:
        return partial(Say("a long answer that breaks off"), OPENAI, 3, "cut")
    return Reply([b'{"choices": [{"mess'], then="cut")


def _good(asked: Asked) -> Scripted:
    return _said(asked, GOOD)


def _always(scripted: Scripted) -> Callable[[Asked], Scripted]:
    return lambda asked: scripted


def _saying(text: str) -> Callable[[Asked], Scripted]:
    return lambda asked: _said(asked, text)


_TOOL_CASES = {
    "tool-raises": ("misbehave", '{"how": "raise"}'),
    "tool-hangs": ("hang", "{}"),
    "tool-eats": ("misbehave", '{"how": "eat"}'),
    "tool-dies": ("misbehave", '{"how": "die"}'),
    "tool-floods": ("misbehave", '{"how": "flood"}'),
    "tool-unknown": ("rm", '{"path": "/"}'),
    "tool-arguments": ("misbehave", '{"how": ["'),
    "tool-bomb": ("misbehave", '{"how": ' + "[" * 50_000 + "]" * 50_000 + "}"),
}
"""A case to the one call that the model asks for, where it is offered tools."""

REPLIES: dict[str, Callable[[Asked], Scripted]] = {
    "nothing": _always(Say("")),
    "blank": _always(Say(" \n\t ")),
    "refuses": _always(Say(refusal="I will not.")),
    "cut-at-limit": _always(Say("yes, bec", finish="length")),
    "same-token": _forever,
    "forty-calls": _always(Say(calls=[Call("fine", "{}", f"c{i}") for i in range(40)])),
    "many-calls": _always(Say(calls=[Call("fine", "{", f"c{i}") for i in range(10_000)])),
    "calls-for-ever": _always(Say(calls=[Call("fine")])),
    "not-utf8": lambda asked: _raw(asked, b"\xff\xfe"),
    "half-a-pair": lambda asked: _raw(asked, b"a\\ud800b"),
    "deep-answer": _saying("[" * 50_000 + "]" * 50_000),
    "deep-body": lambda asked: _body(asked, b"[" * 1_000_000),
    "wide-answer": _saying("[" + "0," * 400_000 + "0]"),
    "ten-million": _saying("[" + "0," * 10_000_000 + "0]"),
    "wide-body": lambda asked: _body(asked, b'{"choices": [' + b"[]," * 3_000_000 + b"[]]}"),
    "huge-number": _saying('{"answer": 1e999}'),
    "many-digits": lambda asked: _body(asked, b'{"choices": [], "usage": 1' + b"0" * 500 + b"}"),
    "doubled-key": _saying('{"answer": "yes", "answer": "no"}'),
    "markup": _saying(MARKUP),
    "wrong-shape": lambda asked: _body(asked, b'{"choices": "none"}'),
    "breaks-off": _cut,
    "hangs-up": _always(CUT),
    "hangs": _always(HANG),
    "overloaded": _always(error(503, "try later")),
    "broken": _always(error(500, "oops")),
}
