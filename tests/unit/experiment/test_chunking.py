"""What `harness check` says of corpora: cut evidence, ids of nothing, documents of style."""

from __future__ import annotations

from pathlib import Path

import live_desk as desk

from harness.errors import Problem
from harness.experiment.chunking import corpus_warnings

RAG = "user: rag.j2\nretrieval: {corpus: ../docs, top_k: 2, chunk: %s}"


def warnings() -> list[str]:
    ready = desk.ready()
    problems: list[Problem] = []
    found = list(corpus_warnings(ready.experiment.live, ready.evalset, problems))
    assert problems == []
    return found


def files(*chunks: str) -> None:
    Path("configs").mkdir()
    Path("docs").mkdir()
    Path("configs/rag.j2").write_text("{{ passages }}{{ question }}")
    Path("docs/returns.md").write_text(
        f"# Returns\n\n{'Thirty days. ' * 300}\n\n## Sale\n\nNever.\n"
    )
    desk.config(
        *(f"id: v{number}\n{RAG % chunk}" for number, chunk in enumerate(chunks)),
        more="factors: [retrieval]\n",
        url="http://127.0.0.1:9/v1",
    )


def test_cut_and_unknown_evidence_is_told_once_for_all_who_search_it(here: Path) -> None:
    desk.examples(evidence=["returns#returns", "returns#sale", "refunds#all"])
    small = "{by: section, max_tokens: 100}"
    files(small, "{by: section, max_tokens: 5000}", small)
    assert warnings() == [
        "v0, v2: chunking cuts 1 of 3 gold sections, so that no passage holds one whole: "
        "returns#returns",
        "v0, v2: 1 of 3 gold evidence ids name nothing in the corpus, so no retrieval finds them: "
        "refunds#all",
        "v1: 1 of 3 gold evidence ids name nothing in the corpus, so no retrieval finds them: "
        "refunds#all",
    ]


def test_documents_of_style_are_told_once(here: Path) -> None:
    files("{by: section}", "{by: fixed}")
    Path("docs/tone-of-voice.md").write_text("# Tone\n\nWarm.\n")
    (told,) = warnings()
    assert told.startswith("1 document seems to be about style, not facts: tone-of-voice; ")
    Path("docs/brand.md").write_text("# Brand\n\nBlue.\n")
    (told,) = warnings()
    assert told.startswith("2 documents seem to be about style, not facts: brand, tone-of-voice; ")


def test_there_is_nothing_to_say_of_a_sound_corpus(here: Path) -> None:
    desk.examples(evidence=["returns#sale"])
    files("{by: section}")
    assert warnings() == []
