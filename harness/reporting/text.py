"""Making text from outside safe to stand in a line, a page or an XML file.

Ids, slices, labels and messages come from files that anybody may have written. What could
command a terminal, turn the reading direction or break a line is shown, not obeyed.
"""

from __future__ import annotations

import re

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_OR_BIDI = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_BIDI}]")
_SPACE = re.compile(r"\s+")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def one_line(value: object, limit: int = 120) -> str:
    """`value` as one line of at most `limit` characters, with nothing invisible that acts.

    Control characters become their pictures (`␛`), marks that turn the reading direction and
    lone surrogates their numbers (`‹U+202E›`), and any run of white space one space.
    """
    text = str(value)
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    text = _CONTROL_OR_BIDI.sub(_shown, _SPACE.sub(" ", text).strip())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def visible(text: str) -> str:
    """`text` without what no UTF-8 page can hold: controls and lone surrogates are shown."""
    return _CONTROL.sub(_shown, text)


def xml_text(text: str) -> str:
    """`text` without the characters that XML 1.0 does not allow."""
    return _NOT_XML.sub("", text)


def markdown(value: object, limit: int = 120) -> str:
    """`value` as inert inline text for GitHub's Markdown, table cells included.

    Escapes Markdown and HTML; a word joiner keeps mentions, issue numbers, links and workflow
    commands (`::`, `##[`) from being recognised.
    """
    text = one_line(value, limit)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_{}\[\]()!|~$])", r"\\\1", text)
    text = re.sub(r"([@#])", "\\1\u2060", text)
    text = text.replace("::", ":\u2060:").replace("://", ":\u2060//")
    return re.sub(r"(?i)\bwww\.", "www\u2060.", text)


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"‹U+{code:04X}›"  # noqa: RUF001
