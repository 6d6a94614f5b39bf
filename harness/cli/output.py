"""Where a command's words go: results to stdout, everything else to stderr.

Texts can come from models and data sets, so nothing in them commands the terminal. A reader that
closes the pipe early (`| head`) ends the output, not the command: its exit code stays true.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import IO, Any

_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def safe(text: str) -> str:
    """`text` with what could act on a terminal (controls, turned reading direction) escaped.

    Line feeds and tabs stay.
    """
    return _ACTS.sub(_escape, text)


def say(text: str) -> None:
    """A result, to stdout."""
    _write(sys.stdout, safe(text) + "\n")


def say_raw(text: str) -> None:
    """A result that its renderer has already made safe, to stdout."""
    _write(sys.stdout, text if text.endswith("\n") else text + "\n")


def say_json(value: Any) -> None:
    """One JSON object, to stdout."""
    _write(sys.stdout, json.dumps(value, ensure_ascii=True, allow_nan=False, indent=2) + "\n")


def note(text: str) -> None:
    """Progress, a warning or an error, to stderr."""
    _write(sys.stderr, safe(text) + "\n")


def warn(text: str) -> None:
    """A warning, to stderr."""
    note(f"warning: {text}")


def _write(stream: IO[str], text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # Whatever is still buffered goes nowhere; otherwise the interpreter complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
