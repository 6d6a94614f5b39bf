"""Headings are found where CommonMark has them, in time that grows with the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.corpus.html_text import html_text
from harness.corpus.markdown import MAX_PARSED, markdown_headings

PIECES = [
    "# One\n", "## Two *x* ##\n", "Set\n===\n", "Text\n", "\n", "```\n# no\n```\n", "    # code\n",
    "> # quoted\n", "- item\n  # nested\n", "- a\n---\n", "<div>\n# no\n</div>\n", "~~~\n", "#\n",
    "#hash\n", "[a]: b\n\n", "1. one\n\n   # in list\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_same_headings_as_a_whole_parse(pieces):
    text = "".join(pieces)
    tokens = MarkdownIt("commonmark").parse(text)
    expected = [
        (int(token.tag[1]), token.map[0])
        for token in tokens
        if token.type == "heading_open" and token.level == 0
    ]

    found = markdown_headings(text)

    assert [(h.level, text.count("\n", 0, h.start)) for h in found] == expected


def test_title_is_without_markup():
    (found,) = markdown_headings("## Refunds *within* `30` [days](http://x) &amp; \\*more\\* ##\n")

    assert found.title == "Refunds within 30 days & *more*"


def test_span_of_a_heading_is_its_lines():
    text = "intro\n\nA title\nof two lines\n---\nbody"
    (found,) = markdown_headings(text)

    assert text[found.start : found.end] == "A title\nof two lines\n---\n"
    assert found.title == "A title of two lines"


def test_longer_text_is_scanned_outside_of_fenced_code():
    filler = "word " * (MAX_PARSED // 5)
    text = (
        f"# One\n{filler}\n```sh\n# no\n```\n- ~~~\n# no\n~~~\n####### no\n## Two ##\n{filler}\n#"
    )

    found = markdown_headings(text)

    assert [(h.level, h.title) for h in found] == [(1, "One"), (2, "Two"), (1, "")]


@pytest.mark.parametrize(
    "unit",
    ["<a", "<!--", "<![CDATA[", "&", "<?", "<a b=\"", "</a", "<script>", "<a a=", "<div>",
     "<a \"'>", "<h1>", "<pre> ", "<title>", "<meta name='a' content='", "<td>", " \n"],
)  # fmt: skip
def test_malformed_html_takes_linear_time(unit):
    # With the standard library's parser, some of these would take hours.
    html_text(unit * (1_000_000 // len(unit)))


@given(st.text(alphabet=st.sampled_from("<>/!-ah1p \"'=&;\n"), max_size=60))
@settings(max_examples=300)
def test_any_html_becomes_text_with_headings_inside_it(source):
    page = html_text(source)

    assert all(0 <= h.start < h.end <= len(page.text) for h in page.headings)
    starts = [h.start for h in page.headings]
    assert starts == sorted(starts)


def test_angle_brackets_that_are_no_tags_stay_text():
    page = html_text("<p>1 < 2 and <b>3 > 2</b> &lt;p&gt; <a title='x > y'>link</a></p>")

    assert page.text == "1 < 2 and 3 > 2 <p> link"
