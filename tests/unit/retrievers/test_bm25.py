"""BM25 by the published formula, with permissions before the ranking and an index that is kept."""

import asyncio
import json
import math
import multiprocessing
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config.lock import corpus_hash
from harness.core.chat import ServiceError
from harness.core.passage import Chunk, Query
from harness.corpus.chunks import chunk
from harness.corpus.documents import read_documents
from harness.plugins.retrievers.bm25 import Bm25
from harness.plugins.search.words import words

CHUNKS = [
    Chunk("a#1", "a", "Refunds within 30 days, refunds only.", metadata={"audience": "staff"}),
    Chunk("a#2", "a", "Shipping is free.", ("Costs",), metadata={"audience": "staff"}),
    Chunk("b", "b", "Refunds for partners after a long talk.", metadata={"audience": "public"}),
    Chunk("c", "c", "Refunds for partners after a long talk."),
]


def lucene(query, texts, k1, b):
    """Scores by Lucene's BM25Similarity (since version 8), straight from the formula."""
    tokens = [text.lower().replace(",", " ").replace(".", " ").split() for text in texts]
    mean = sum(map(len, tokens)) / len(tokens)
    scores = []
    for document in tokens:
        counts, score = Counter(document), 0.0
        for word in query.lower().split():
            n = sum(word in other for other in tokens)
            idf = math.log(1 + (len(tokens) - n + 0.5) / (n + 0.5))
            norm = k1 * (1 - b + b * len(document) / mean)
            score += idf * counts[word] / (counts[word] + norm) if counts[word] else 0.0
        scores.append(score)
    return scores


def search(chunks, text, cache, limit=10, where=None, **options):
    async def run():
        retriever = Bm25(**options)
        await retriever.open(chunks, cache)
        ranking = await retriever.retrieve(Query(text, limit, where or {}))
        await retriever.close()
        return ranking

    return asyncio.run(run())


def ids(ranking):
    return [found.id for found in ranking.passages]


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.0, 0.0), (2.0, 1.0)])
def test_scores_are_lucenes(tmp_path, k1, b):
    texts = ["\n".join([*piece.headings, piece.text]) for piece in CHUNKS]
    expected = dict(
        zip([c.id for c in CHUNKS], lucene("refunds 30 days costs", texts, k1, b), strict=True)
    )

    found = search(CHUNKS, "Refunds: 30 days? COSTS", tmp_path, k1=k1, b=b)

    assert {p.id: p.score for p in found.passages} == pytest.approx(expected, rel=1e-5)
    scores = [p.score for p in found.passages]
    assert scores == sorted(scores, reverse=True)
    assert found.cost_usd == 0.0
    assert found.embed_s is None


def test_ties_are_in_the_order_of_ids_and_passages_are_whole(tmp_path):
    found = search(list(reversed(CHUNKS)), "partners", tmp_path)

    assert ids(found) == ["b", "c"]
    assert search(CHUNKS, "partners", tmp_path, limit=1).passages[0].id == "b"
    first = found.passages[0]
    assert (first.text, first.document, first.metadata) == (
        CHUNKS[2].text,
        "b",
        {"audience": "public"},
    )


def test_headings_are_searched(tmp_path):
    assert ids(search(CHUNKS, "costs", tmp_path)) == ["a#2"]


def test_chunks_without_a_word_of_the_query_are_not_found(tmp_path):
    for query in ("", "  ?! ", "unheard", "\ud800"):
        assert ids(search(CHUNKS, query, tmp_path)) == []
    assert ids(search([], "refunds", tmp_path)) == []
    assert ids(search([Chunk("x", "x", "...")], "refunds", tmp_path)) == []


def test_what_may_not_be_seen_takes_no_place(tmp_path):
    secret = [
        Chunk(f"s{i}", f"s{i}", "Refunds refunds", metadata={"audience": "board"})
        for i in range(50)
    ]

    found = search(secret + CHUNKS, "refunds", tmp_path, limit=2, where={"audience": "staff"})

    assert ids(found) == ["a#1"]
    assert ids(search(CHUNKS, "refunds", tmp_path, where={"audience": {"none_of": ["staff"]}})) == [
        "b",
        "c",
    ]


def test_a_condition_that_is_not_understood_finds_nothing_and_says_so(tmp_path):
    with pytest.raises(ServiceError, match=r"where\.audience"):
        search(CHUNKS, "refunds", tmp_path, where={"audience": {"is": "staff"}})


def test_position_is_the_place_in_the_document(tmp_path):
    chunks = [Chunk(f"d#{name}", "d", "word") for name in ("z", "m", "a")]

    found = search(chunks, "word", tmp_path).passages

    assert sorted(found, key=lambda p: p.position) == [found[2], found[1], found[0]]


def test_signs_without_spaces_are_words():
    assert words("返品は30日, Über_x") == ["返", "品", "は", "30", "日", "über_x"]


def only_entry(cache):
    (entry,) = [path for path in cache.iterdir() if path.name.startswith("bm25-")]
    return entry


def test_index_is_read_from_the_cache(tmp_path):
    search(CHUNKS, "refunds", tmp_path / "one")
    other = [Chunk(c.id, c.document, c.text.replace("Shipping", "Refunds")) for c in CHUNKS]
    search(other, "refunds", tmp_path / "two")
    # Put the other corpus's index where this one's is looked for: only a reader would be fooled.
    shutil.rmtree(only_entry(tmp_path / "one"))
    name = only_entry_name(CHUNKS, tmp_path / "three")
    shutil.copytree(only_entry(tmp_path / "two"), tmp_path / "one" / name)

    assert "a#2" in ids(search(CHUNKS, "refunds", tmp_path / "one"))


def only_entry_name(chunks, cache):
    search(chunks, "x", cache)
    return only_entry(cache).name


@pytest.mark.parametrize("damage", ["cut", "edited", "no seal", "foreign file", "pickle"])
def test_damaged_index_is_built_anew(tmp_path, damage):
    before = search(CHUNKS, "refunds", tmp_path)
    entry = only_entry(tmp_path)
    data = entry / "data.csc.index.npy"
    if damage == "cut":
        data.write_bytes(data.read_bytes()[:-4])
    elif damage == "edited":
        data.write_bytes(data.read_bytes()[:-4] + b"\0\0\0\x7f")
    elif damage == "no seal":
        (entry / "sealed.json").unlink()
    elif damage == "foreign file":
        (entry / "more.npy").write_bytes(b"x")
    else:
        data.write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")

    assert search(CHUNKS, "refunds", tmp_path) == before
    assert json.loads((only_entry(tmp_path) / "sealed.json").read_text())
    assert [path.name for path in tmp_path.iterdir()] == [entry.name]
    assert not Path("hacked").exists()


def test_no_text_of_the_corpus_is_in_the_index(tmp_path):
    search(CHUNKS, "refunds", tmp_path)

    names = {path.name for path in only_entry(tmp_path).iterdir()}
    assert not [name for name in names if "corpus" in name or name.endswith(".pkl")]


def test_cache_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("in the way")

    assert ids(search(CHUNKS, "costs", tmp_path / "file" / "cache")) == ["a#2"]


def open_and_search(cache, barrier, results):
    barrier.wait()
    results.put([ids(search(CHUNKS, "refunds", cache)) for _ in range(5)])


def test_two_processes_open_one_cache_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=open_and_search, args=(tmp_path, barrier, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()

    assert found == [[["a#1", "b", "c"]] * 5] * 2
    assert [path.name for path in tmp_path.iterdir()] == [only_entry(tmp_path).name]


def test_changed_document_changes_hash_and_next_answer(tmp_path):
    folder, cache = tmp_path / "corpus", tmp_path / "cache"
    folder.mkdir()
    source = folder / "refunds.md"

    def answer():
        found = search(chunk(read_documents(folder), {}), "refund days", cache)
        return corpus_hash(folder), found.passages[0].text

    source.write_text("# Refunds\n\nA refund takes 30 days.")
    first = answer()
    source.write_text("# Refunds\n\nA refund takes 14 days.")
    second = answer()

    assert "30 days" in first[1]
    assert "14 days" in second[1]
    assert first[0] != second[0]


WORDS = st.lists(st.sampled_from(["red", "blue", "green", "Red!", "30"]), max_size=8).map(" ".join)


@given(st.lists(WORDS, max_size=8), WORDS, st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_filter_then_rank_is_rank_then_filter(tmp_path_factory, texts, query, limit):
    chunks = [
        Chunk(f"d{i}", f"d{i}", text, metadata={"odd": i % 2}) for i, text in enumerate(texts)
    ]
    cache = tmp_path_factory.mktemp("cache")

    filtered = ids(search(chunks, query, cache, limit, {"odd": 1}))
    everything = ids(search(chunks, query, cache, 100))

    assert filtered == [name for name in everything if int(name[1:]) % 2][:limit]
