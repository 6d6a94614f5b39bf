"""Chunks cover their documents, name their sections, and keep to their size."""

import re
import resource
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.corpus.chunks import chunk, chunk_problems
from harness.corpus.document import Document
from harness.corpus.markdown import markdown_headings
from harness.corpus.review import split_evidence, style_documents
from harness.corpus.tokens import count_tokens

POLICY = """Intro to the handbook.

# Handbook

## Refunds

Within 30 days.

Except: opened goods are never refunded.

## Shipping

### Costs

Free above 50.

## Refunds

Twice.
"""


def document(text, identifier="doc", **more):
    return Document(identifier, text, headings=markdown_headings(text), **more)


def test_a_chunk_for_every_section_with_its_path_of_headings():
    found = chunk([document(POLICY, metadata={"audience": "staff"})], {})

    assert [(c.id, c.headings) for c in found] == [
        ("doc", ()),
        ("doc#refunds", ("Handbook", "Refunds")),
        ("doc#costs", ("Handbook", "Shipping", "Costs")),
        ("doc#refunds-2", ("Handbook", "Refunds")),
    ]
    assert found[1].text == (
        "## Refunds\n\nWithin 30 days.\n\nExcept: opened goods are never refunded."
    )
    assert all(c.sections == c.whole == (c.id,) for c in found)
    assert all((c.document, c.metadata) == ("doc", {"audience": "staff"}) for c in found)


def test_title_leads_the_path_unless_the_first_heading_repeats_it():
    titled = chunk([document("# A\nx", title="Book")], {})
    same = chunk([document("# A\nx", title="A")], {})

    assert titled[0].headings == ("Book", "A")
    assert same[0].headings == ("A",)


def test_slugs_never_collide():
    text = "# A\nx\n# A\ny\n# a-2\nz\n# ???\nw\n# Ünï Código_1\nv\n"

    assert [c.id for c in chunk([document(text)], {})] == [
        "doc#a",
        "doc#a-2",
        "doc#a-2-2",
        "doc#section",
        "doc#ünï-código-1",
    ]


def test_long_section_is_cut_at_paragraphs_then_sentences():
    paragraph = "One two three four five six. Seven eight nine ten eleven twelve."
    text = f"# Head\n\n{paragraph}\n\nShort one here.\n\nAnother one, which is longer.\n"

    found = chunk([document(text)], {"max_tokens": 16})

    assert [c.id for c in found] == ["doc#head", "doc#head~2", "doc#head~3"]
    assert [c.text for c in found] == [
        "# Head\n\nOne two three four five six.",
        "Seven eight nine ten eleven twelve.\n\nShort one here.",
        "Another one, which is longer.",
    ]
    assert all(c.headings == ("Head",) and not c.whole for c in found)
    assert all(c.sections == ("doc#head",) for c in found)


def test_fixed_chunks_repeat_the_overlap_and_name_what_they_touch():
    words = " ".join(f"w{i:03d}" for i in range(40))
    text = f"# One\n\n{words}\n\n# Two\n\nshort\n"
    found = chunk([document(text)], {"by": "fixed", "max_tokens": 40, "overlap_tokens": 10})

    assert [c.id for c in found] == [f"doc@{i}" for i in range(len(found))]
    assert found[0].sections == ("doc#one",)
    assert found[0].whole == ()
    assert "doc#two" in found[-1].whole
    for left, right in pairwise(found):
        shared = max(i for i in range(len(right.text)) if left.text.endswith(right.text[:i]))
        assert count_tokens(right.text[:shared]) >= 9


def test_section_chunks_hold_evidence_that_fixed_chunks_cut():
    gold = ["doc#refunds", "doc#costs", "doc", "doc#gone", "other#x"]
    padded = POLICY.replace("Within 30 days.", "Within 30 days. " * 10)

    by_section = split_evidence(chunk([document(padded)], {}), gold)
    fixed = split_evidence(chunk([document(padded)], {"by": "fixed", "max_tokens": 32}), gold)

    assert by_section.split == ()
    assert fixed.split == ("doc#refunds",)
    assert by_section.unknown == fixed.unknown == ("doc#gone", "other#x")


def test_style_documents_are_named():
    documents = [
        Document("policies/refunds", "x"),
        Document("brand/Tone-of-Voice", "x"),
        Document("a", "x", metadata={"kind": "Style guide"}),
        Document("b", "x", metadata={"type": ["faq", "prompt"]}),
        Document("lifestyle", "x"),
    ]

    assert style_documents(documents) == ["brand/Tone-of-Voice", "a", "b"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"by": "fixed", "max_tokens": 20, "overlap_tokens": 11}, "at most half"),
        ({"overlap_tokens": 5}, "by: fixed"),
        ({"max_tokens": 3}, "at least 16"),
        ({"by": "page"}, "section or fixed"),
        ({"size": 3}, "no option 'size'"),
    ],
)
def test_impossible_options_are_refused(options, word):
    assert any(word in problem for problem in chunk_problems(options))
    with pytest.raises(ValueError, match=re.escape(word)):
        chunk([], options)


TEXTS = st.lists(
    st.sampled_from(
        ["# One\n", "## Two\n", "\n\n", "A sentence. ", "word ", "x" * 40, "返品は三十日。",
         "- it\n", "😀", "\t", "```\n", "Another paragraph here!\n\n"]
    ),
    max_size=60,
).map("".join)  # fmt: skip
OPTIONS = st.one_of(
    st.fixed_dictionaries({"max_tokens": st.integers(16, 60)}),
    st.integers(16, 60).flatmap(
        lambda most: st.fixed_dictionaries(
            {
                "by": st.just("fixed"),
                "max_tokens": st.just(most),
                "overlap_tokens": st.integers(0, most // 2),
            }
        )
    ),
)


@given(TEXTS, OPTIONS)
@settings(deadline=None, max_examples=200)
def test_chunks_cover_the_text_and_no_id_comes_twice(text, options):
    options = options | {"overlap_tokens": 0}
    found = chunk([document(text), document(text, "other")], options)

    ids = [c.id for c in found]
    assert len(set(ids)) == len(ids)
    mine = [c for c in found if c.document == "doc"]
    covered = [False] * len(text)
    at = 0
    for piece in mine:
        start = text.index(piece.text, at)
        covered[start : start + len(piece.text)] = [True] * len(piece.text)
        at = start + len(piece.text)
    titles = {title for piece in mine for title in piece.headings}
    missed = "".join(c if not covered[i] else "\n" for i, c in enumerate(text))
    rest = [line.strip("# ") for line in missed.splitlines() if line.strip()]
    assert all(line in titles for line in rest)  # headings that stand in the path of others


@given(TEXTS, OPTIONS)
@settings(deadline=None, max_examples=100)
def test_chunks_keep_to_their_size_and_whole_sections_are_whole(text, options):
    found = chunk([document(text)], options)
    sections = {c.id: c.text for c in chunk([document(text)], {"max_tokens": 100_000})}

    for piece in found:
        # Cut out of its text, a token at either end may become two.
        assert count_tokens(piece.text) <= options["max_tokens"] + 4
        assert set(piece.whole) <= set(piece.sections) <= set(sections)
        assert all(sections[name] in piece.text for name in piece.whole)


HUGE = """
import resource, sys
from pathlib import Path
from harness.corpus.chunks import chunk
from harness.corpus.documents import read_documents
found = chunk(read_documents(Path(sys.argv[1])), {"by": sys.argv[2]})
size = sum(len(piece.text) for piece in found)
print(len(found), size)
"""
SENTENCE = "The customer may return the goods within 30 days of delivery. "
HUGE_DOCUMENTS = [
    ("a.md", "# Head\n\n" + f"{SENTENCE * 5}\n\n- item\n\n" * 20, "section"),
    ("a.html", "<h2>Head</h2>" + f"<p>{SENTENCE * 5}</p>" * 20, "section"),
    ("a.txt", "nospaceatall", "fixed"),
]


@pytest.mark.parametrize(("name", "unit", "by"), HUGE_DOCUMENTS)
def test_document_of_50_mb_is_cut_in_bounded_memory(folder, name, unit, by):
    folder(name, unit * (50_000_000 // len(unit)))
    limit = 4_000_000_000

    result = subprocess.run(
        [sys.executable, "-c", HUGE, str(folder.root), by],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        timeout=500,
    )

    assert result.returncode == 0, result.stderr[-2000:]
    count, size = map(int, result.stdout.split())
    assert count > 1000
    assert size > 5_000_000
