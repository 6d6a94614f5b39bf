"""The file itself, without a browser: its policy, its blocks, and what never stands in it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from reporting_fixtures import HOSTILE, Shape, golden_run, hostile_run, make_run, verdict

from harness.core.record import Answer
from harness.reporting import html

RUN = make_run(Shape(n=300))
PAGE = html.render(RUN)


def block(page: str, name: str) -> str:
    found = re.search(
        rf'<script type="application/octet-stream" id="{name}">([^<]*)</script>', page
    )
    assert found is not None
    return gzip.decompress(base64.b64decode(found[1])).decode("utf-8")


def lines(page: str) -> list[Any]:
    """Every line of every chunk, decoded."""
    starts = json.loads(block(page, "index"))["chunks"]
    return [
        json.loads(line)
        for i in range(len(starts))
        for line in block(page, f"chunk-{i}").split("\n")
    ]


def test_written_in_pieces_or_at_once_it_is_the_same_file() -> None:
    handle = io.StringIO()
    html.write(RUN, handle)
    assert handle.getvalue() == PAGE


def test_three_hundred_examples_stay_small() -> None:
    assert len(PAGE.encode("utf-8")) < 1_500_000


@pytest.mark.parametrize(("directive", "tag"), [("script-src", "script"), ("style-src", "style")])
def test_the_policy_names_the_one_script_and_style_by_hash(directive: str, tag: str) -> None:
    sources = re.findall(rf"<{tag}>(.*?)</{tag}>", PAGE, flags=re.DOTALL)
    assert len(sources) == 1
    digest = base64.b64encode(hashlib.sha256(sources[0].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', PAGE)
    assert policy is not None
    assert f"{directive} &#39;sha256-{digest}&#39;" in policy[1]


def test_no_address_but_its_own() -> None:
    head = PAGE[: PAGE.index('<script type="application/octet-stream"')]
    assert re.findall(r'(?:src|href)="(?!#|data:,)[^"]*"', head) == []
    assert " style=" not in head
    assert re.findall(r"\son\w+=", head) == []


def test_chunks_hold_every_example_and_every_output() -> None:
    read = lines(PAGE)
    texts, facts = read[::2], read[1::2]
    assert [text[0] for text in texts] == [example.id for example in RUN.examples]
    said = [trial for text in texts for trial in text[3]]
    wanted = [
        [
            r.outcome.output,
            [[c.name, dict(c.arguments)] for c in r.outcome.tool_calls or ()],
            list(r.outcome.evidence or ()),
        ]
        if isinstance(r.outcome, Answer)
        else [r.outcome.error_kind, r.outcome.message]
        for r in RUN.records
    ]
    assert said == wanted
    assert all(len(fact[6]) == 2 for fact in facts)


def test_index_values_are_the_scores() -> None:
    index = json.loads(block(PAGE, "index"))
    assert len(index["ids"]) == 300
    for number, scores in enumerate(RUN.scores.metrics):
        for variant in range(2):
            for shown, value, reason in zip(
                index["values"][number][variant],
                scores.value[variant, :, 0],
                scores.reason[variant, :, 0],
                strict=True,
            ):
                assert (shown is None) == (reason > 0)
                assert shown is None or shown == pytest.approx(value, abs=1e-6)


def test_repeats_are_averaged_inside_an_example() -> None:
    run = make_run(Shape(n=40, repeats=4, failures=False))
    index = json.loads(block(html.render(run), "index"))
    means = run.scores.metrics[0].value.mean(axis=2)
    for variant in range(2):
        assert index["values"][0][variant] == pytest.approx(means[variant].tolist(), abs=1e-6)


def test_a_long_output_closes_its_chunk_early() -> None:
    base = make_run(Shape(n=6, failures=False))
    long = tuple(replace(r, outcome=Answer("y" * 1_500_000)) for r in base.records)
    index = json.loads(block(html.render(replace(base, records=long)), "index"))
    assert index["chunks"] == [0, 1, 2, 3, 4, 5]


def test_hostile_texts_never_stand_in_the_markup() -> None:
    page = html.render(hostile_run())
    page.encode("utf-8")
    assert page.count("<script") == page.count("</script>")
    for markup in HOSTILE[:2]:
        assert markup not in page
    assert not re.search(r'(?:href|src)="javascript', page)
    assert "<b>a</b>" not in page
    assert "\x1b" not in page
    assert "\x00" not in page
    assert "\u202e" not in page


def sections(page: str) -> list[str]:
    return re.findall(r'<section id="([a-z]+)"', page)


def test_every_section_has_a_place_only_if_there_is_something_to_show() -> None:
    assert sections(PAGE) == [
        "verdict",
        "variants",
        "pairs",
        "slices",
        "latency",
        "classes",
        "factors",
        "examples",
        "glossary",
        "record",
    ]
    gated = replace(golden_run(), verdict=verdict(golden_run()))
    assert "gate" in sections(html.render(gated))
    bare = make_run(Shape(n=10, variants=("a",), rates=(0.5,), costs=False, latencies=False))
    alone = replace(
        bare,
        comparison=bare.comparison.model_copy(
            update={"classes": (), "confusion": (), "factors": {}}
        ),
    )
    assert sections(html.render(alone)) == [
        "verdict",
        "variants",
        "slices",
        "examples",
        "glossary",
        "record",
    ]
