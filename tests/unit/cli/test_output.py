"""No text commands the terminal."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from harness.cli.output import safe


@given(st.text(st.characters(exclude_categories=())))
def test_what_acts_is_escaped(text: str) -> None:
    left = set(safe(text)) - set("\n\t")
    assert not [char for char in left if unicodedata.category(char) in {"Cc", "Cs"}]
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not [char for char in left if unicodedata.bidirectional(char) in bidi]


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_what_does_not_act_is_kept(text: str) -> None:
    assert safe(text) == text


def test_escapes_can_be_read() -> None:
    assert safe("\x1b[31m\u202e\ud800") == "\\x1b[31m\\u202e\\ud800"
