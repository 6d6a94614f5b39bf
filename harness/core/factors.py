"""Values of factors that stand for a file or a long text: a name and a hash of the content."""

from __future__ import annotations

import re

from harness.core.values import JsonValue

_NAMED_HASH = re.compile(r".*\b(sha256:[0-9a-f]{12})", re.DOTALL)
_HASH_DIGITS = 12


def named_hash(name: str, sha256: str) -> str:
    """`user.j2 sha256:ab12cd34ef56`."""
    return f"{name} sha256:{sha256[:_HASH_DIGITS]}"


def content_of(value: JsonValue) -> JsonValue:
    """What a factor's value is compared by: of a named hash the hash, whatever the file's name."""
    match = _NAMED_HASH.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else value
