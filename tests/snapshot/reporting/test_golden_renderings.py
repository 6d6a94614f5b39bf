"""Whole texts of the renderings.

After a wanted change run with `HARNESS_UPDATE_GOLDEN=1` and read the diff.
"""

# ruff: noqa: S314 (the XML is our own)

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from live_runs import live_run
from reporting_fixtures import HOSTILE, Shape, golden_run, hostile_run, make_run, verdict

from harness.core.run import RunData
from harness.reporting import junit, markdown, terminal

_FOLDER = Path(__file__).parent / "golden"
LIVE = live_run(n=40)
GATED = replace(golden_run(), verdict=verdict(golden_run(), "fail"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("compared.md", markdown.render(golden_run())),
        ("gated.md", markdown.render(GATED)),
        ("compared.txt", terminal.render(golden_run())),
        ("gate.txt", terminal.render_gate(GATED)),
        ("gated.xml", junit.render(GATED)),
        ("live.md", markdown.render(LIVE)),
        ("live.txt", terminal.render(LIVE)),
        ("live.xml", junit.render(LIVE)),
    ],
)
def test_as_agreed(name: str, text: str) -> None:
    path = _FOLDER / name
    if os.environ.get("HARNESS_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def _crowded() -> RunData:
    names = tuple(f"variant_{i}" for i in range(10))
    run = make_run(Shape(n=80, variants=names, rates=(0.95, *[0.3] * 9), n_metrics=6, n_slices=20))
    found = verdict(run, "fail")
    warnings = tuple(f"warning {i}" for i in range(40))
    return replace(
        run,
        comparison=run.comparison.model_copy(update={"warnings": warnings}),
        verdict=found.model_copy(update={"rules": found.rules * 12}),
    )


@pytest.mark.parametrize(
    "run", [_crowded(), hostile_run(), GATED], ids=["crowded", "hostile", "gated"]
)
def test_the_comment_stays_short_and_keeps_its_marker(run: RunData) -> None:
    lines = markdown.render(run).splitlines()
    assert lines[0] == "<!-- harness-report -->"
    assert len(lines) < 60


def test_the_comment_of_a_hostile_run_is_inert() -> None:
    text = markdown.render(hostile_run())
    body = text.removeprefix("<!-- harness-report -->").replace("<sub>", "").replace("</sub>", "")
    assert "<" not in body
    assert "@team" not in body
    assert not any(line.lstrip().startswith(("::", "##[")) for line in body.splitlines())
    tables = [line for line in body.splitlines() if line.startswith("| ")]
    assert tables
    assert {line.replace("\\|", "").count("|") for line in tables} == {7}


@pytest.mark.parametrize("render", [terminal.render, terminal.render_gate, markdown.render])
def test_no_control_character_reaches_a_terminal(render: object) -> None:
    text = render(hostile_run())  # type: ignore[operator]
    assert not any(ord(c) < 32 and c != "\n" for c in text)
    assert "\x9b" not in text
    assert "\u202e" not in text


def test_junit_of_a_hostile_run_is_well_formed() -> None:
    root = ET.fromstring(junit.render(hostile_run()).encode("utf-8"))
    assert root.tag == "testsuites"


def test_junit_fails_where_a_primary_figure_is_worse() -> None:
    run = make_run(Shape(n=300, rates=(0.8, 0.3)))
    root = ET.fromstring(junit.render(run).encode())
    assert root.find(".//testcase/failure") is not None
    assert root.find("testsuite").get("failures") == "1"  # type: ignore[union-attr]


@pytest.mark.parametrize(("policy", "element"), [("block", "error"), ("warn", "skipped")])
def test_junit_weighs_an_inconclusive_rule_as_the_policy_does(policy: str, element: str) -> None:
    run = golden_run()
    found = verdict(run, "inconclusive").model_copy(update={"on_inconclusive": policy})
    root = ET.fromstring(junit.render(replace(run, verdict=found)).encode())
    assert root.find(f".//testcase[@name='p95']/{element}") is not None


def test_hostile_texts_are_what_they_claim() -> None:
    assert any("\ud800" in text for text in HOSTILE)
    assert max(map(len, HOSTILE)) >= 1_000_000
