# ruff: noqa: RUF001, S314 (the marks are what is tested; the XML is our own)

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from harness.reporting.text import markdown, one_line, visible, xml_text

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


def test_what_acts_is_shown() -> None:
    assert one_line("a\x1b[31m\x00b") == "a␛[31m␀b"
    assert one_line("\u202eabc") == "‹U+202E›abc"
    assert one_line("\ud800") == "‹U+D800›"
    assert one_line("a\n\r\tb  c") == "a b c"


def test_long_text_is_cut() -> None:
    assert one_line("x" * 1_000_000, 10) == "x" * 9 + "…"


@given(ANY_TEXT)
def test_one_line_is_one_writable_line(text: str) -> None:
    line = one_line(text)
    line.encode("utf-8")
    assert len(line.splitlines()) <= 1
    assert len(line) <= 120


@given(ANY_TEXT)
def test_encodable_can_be_written(text: str) -> None:
    visible(text).encode("utf-8")


@given(ANY_TEXT)
def test_xml_text_makes_well_formed_xml(text: str) -> None:
    element = ET.Element("x", name=xml_text(text))
    element.text = xml_text(text)
    ET.fromstring(ET.tostring(element, encoding="unicode"))


@given(ANY_TEXT)
def test_markdown_starts_no_html_mention_or_command(text: str) -> None:
    written = markdown(text)
    assert "<" not in written
    assert "::" not in written
    assert "##[" not in written
    assert "://" not in written
    for at, character in enumerate(written):
        if character == "@":
            assert written[at + 1] == "\u2060"
        if character in "|`":
            assert written[at - 1] == "\\"


def test_markdown_of_names_stays_readable() -> None:
    assert markdown("prompt_rag|v2 <b> @team #12 https://x.invalid") == (
        "prompt\\_rag\\|v2 &lt;b&gt; @\u2060team #\u206012 https:\u2060//x.invalid"
    )
