"""The page in a real Chromium: what it shows, what it lets a reader do, what it never does."""

# ruff: noqa: E501 (expressions that run in the page read better whole)

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from compared_runs import compared_run
from reporting_fixtures import HOSTILE, Shape, hostile_run, make_run, verdict

from harness.core.record import Answer
from harness.core.run import RunData
from harness.reporting import html
from harness.reporting.formats import MINUS
from harness.reporting.glossary import TERMS

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("HARNESS_CHROMIUM") or shutil.which("chromium")
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on the path and no HARNESS_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS.split(" "))
        yield started
        started.close()


@dataclass
class Opened:
    """A page with everything it said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def until(self, expression: str) -> None:
        """Wait for a condition; `wait_for_function` needs eval, which the page forbids."""
        for _ in range(400):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(f"never came true: {expression}")

    def shown(self) -> int:
        return int(self.page.text_content("#shown").split(" ")[0].replace(",", ""))

    def choose(self, select: str, label: str) -> None:
        self.page.select_option(select, label=label)


Open = Callable[..., Opened]


@pytest.fixture
def open_run(browser: Any, tmp_path: Path) -> Iterator[Open]:
    contexts = []

    def open_(run: RunData, *, width: int = 1280, scheme: str = "light", hash_: str = "") -> Opened:
        path = tmp_path / "report.html"
        with path.open("w", encoding="utf-8") as handle:
            html.write(run, handle)
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.said.append(message.text))
        opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(path.as_uri() + hash_)
        opened.until("document.documentElement.dataset.ready === 'yes'")
        return opened

    yield open_
    for context in contexts:
        context.close()


FIVE = Shape(
    n=120,
    variants=("prompt_only", "prompt_rag", "tools", "tuned", "tuned_rag"),
    rates=(0.6, 0.35, 0.5, 0.62, 0.8),
    repeats=2,
    n_metrics=3,
)
RUNS = {
    "two": make_run(Shape(n=80)),
    "five": make_run(FIVE),
    "ten": make_run(
        Shape(
            n=40,
            variants=tuple(f"variant_{i}" for i in range(10)),
            rates=tuple(0.3 + i / 20 for i in range(10)),
        )
    ),
    "one": make_run(Shape(n=30, variants=("a",), rates=(0.4,))),
    "bare": make_run(Shape(n=30, costs=False, latencies=False, failures=False)),
    "hostile": hostile_run(),
}


@pytest.mark.parametrize("width", [1280, 900, 390])
@pytest.mark.parametrize("name", RUNS)
def test_opens_in_silence_and_fits_the_screen(open_run: Open, name: str, width: int) -> None:
    opened = open_run(RUNS[name], width=width)
    assert opened.said == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in opened.requests if url.startswith("file:")]) == 1
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", ["two", "five"])
def test_the_scoreboard_needs_no_sideways_scroll(open_run: Open, name: str) -> None:
    opened = open_run(RUNS[name])
    assert opened.page.evaluate(
        "document.querySelector('.board').scrollWidth <= document.querySelector('main').clientWidth"
    )


@pytest.mark.parametrize("width", [1280, 1000, 390])
def test_names_of_usual_length_are_not_broken(open_run: Open, width: int) -> None:
    names = ("keyword_rule_a", "section_lookup_b", "bm25_reranked_c")
    opened = open_run(make_run(replace(FIVE, variants=names, rates=(0.5, 0.6, 0.7))), width=width)
    opened.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    broken = opened.page.evaluate(
        """[...document.querySelectorAll('.pairs bdi')].filter((e) => {
             const range = document.createRange();
             range.selectNodeContents(e);
             return new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1;
           }).map((e) => e.textContent)"""
    )
    assert broken == []


def test_on_a_phone_every_figure_of_the_scoreboard_is_in_sight(open_run: Open) -> None:
    opened = open_run(RUNS["five"], width=390)
    outside = opened.page.evaluate(
        """[...document.querySelectorAll('.board td, .board data')].filter((e) => {
             const box = e.getBoundingClientRect();
             return box.width === 0 || box.left < 0 || box.right > innerWidth;
           }).length"""
    )
    assert outside == 0


def test_the_verdict_comes_first(open_run: Open) -> None:
    opened = open_run(RUNS["two"])
    assert opened.page.text_content("h1").startswith("Ship b. It is ")
    run = replace(RUNS["two"], verdict=verdict(RUNS["two"], "fail"))
    assert (
        open_run(run).page.text_content("h1") == "The gate blocks b: 1 of 4 rules broken against a."
    )


def _number(text: str) -> float:
    return float(re.sub(r"[^0-9.\-]", "", text.replace(MINUS, "-")))


@pytest.mark.parametrize("name", ["two", "five"])
def test_figures_on_the_page_are_those_of_the_comparison(open_run: Open, name: str) -> None:
    run = RUNS[name]
    page = open_run(run).page
    rows = page.evaluate(
        """[...document.querySelectorAll('.board tbody tr')].map((row) =>
             [row.dataset.variant, ...[...row.querySelectorAll('data')].map((d) => [d.value, d.textContent])])"""
    )
    comparison = run.comparison
    score = {s.variant: s for s in comparison.scores if s.metric == "correct" and s.slice == "all"}
    pair = {
        p.candidate: p
        for p in comparison.pairs
        if p.metric == "correct" and p.slice == "all" and p.baseline == comparison.baseline
    }
    latency = {entry.variant: entry for entry in comparison.latency}
    cost = {entry.variant: entry for entry in comparison.cost}
    assert len(rows) == len(comparison.variants)
    for variant, *figures in rows:
        expected = [score[variant].mean]
        expected += [pair[variant].diff] if variant in pair else []
        expected += [latency[variant].p50_s, latency[variant].p95_s]
        expected += [cost[variant].mean_usd, cost[variant].per_correct_usd]
        assert [float(value) for value, _ in figures] == expected
        assert _number(figures[0][1]) == pytest.approx(100 * (expected[0] or 0), abs=0.051)


def test_slice_and_pair_tables_hold_the_comparison(open_run: Open) -> None:
    run = RUNS["five"]
    page = open_run(run).page
    shown = page.evaluate(
        "[...document.querySelectorAll('#slices-table data')].map((d) => Number(d.value))"
    )
    wanted = [s.mean or 0.0 for s in run.comparison.scores if s.metric == "correct"]
    assert sorted(shown) == sorted(wanted)
    pairs = page.evaluate(
        "[...document.querySelectorAll('.pairs data')].map((d) => Number(d.value))"
    )
    assert sorted(pairs) == sorted(p.diff or 0.0 for p in run.comparison.pairs if p.slice == "all")
    page.select_option("#slices-metric", label="overlap.2")
    other = page.evaluate(
        "[...document.querySelectorAll('#slices-table data')].map((d) => Number(d.value))"
    )
    assert sorted(other) == sorted(
        s.mean or 0.0 for s in run.comparison.scores if s.metric == "overlap.2"
    )


def test_a_count_opens_the_examples_behind_it(open_run: Open) -> None:
    run = RUNS["two"]
    opened = open_run(run)
    pair = next(p for p in run.comparison.pairs if p.metric == "correct" and p.slice == "all")
    opened.page.click(".pairs a[title='show these wins']")
    opened.until(f"document.querySelector('#shown').textContent.startsWith('{pair.wins} of')")
    assert opened.page.input_value("#f-find") == "win"
    assert (
        opened.page.evaluate("document.querySelector('#f-find').selectedOptions[0].textContent")
        == "b right, a wrong"
    )
    marks = opened.page.evaluate(
        "[...document.querySelectorAll('.item')].map((r) => [...r.querySelectorAll('.score')].map((s) => s.textContent))"
    )
    assert marks
    assert all(b == "✓" and a in ("✗", "!") for a, b in marks)


def test_filters_narrow_and_the_address_keeps_them(open_run: Open) -> None:
    run = RUNS["two"]
    opened = open_run(run)
    assert opened.shown() == 80
    opened.choose("#f-slice", "risk=high")
    assert opened.shown() == 20
    opened.choose("#f-status", "some system failure")
    failed = opened.shown()
    assert 0 < failed < 20
    address = opened.page.evaluate("location.hash")
    again = open_run(run, hash_=address)
    assert again.shown() == failed
    again.page.click("#f-clear")
    assert again.shown() == 80
    again.page.fill("#f-text", "EX-00007")
    assert again.shown() == 1
    again.page.fill("#f-text", "no such text")
    assert again.shown() == 0
    assert "No example fits" in again.page.text_content("#list")


def test_findings_add_up(open_run: Open) -> None:
    opened = open_run(RUNS["five"])
    counts = opened.page.evaluate(
        "[...document.querySelectorAll('#counts button')].map((b) => Number(b.textContent.split(': ').pop()))"
    )
    pair = next(
        p
        for p in RUNS["five"].comparison.pairs
        if (p.candidate, p.baseline, p.metric, p.slice)
        == ("prompt_rag", "prompt_only", "correct", "all")
    )
    assert counts == [pair.wins, pair.losses, pair.ties, pair.n_missing]


@pytest.mark.parametrize("repeats", [1, 3])
def test_every_pairs_counts_are_those_of_its_examples(open_run: Open, repeats: int) -> None:
    run = compared_run(repeats=repeats)
    opened = open_run(run)
    variants = [v.id for v in run.comparison.variants]
    metrics = [m.id for m in run.comparison.metrics]
    slices = ["all", *(s.id for s in run.comparison.slices if s.id != "all")]
    for pair in run.comparison.pairs:
        a, b = variants.index(pair.candidate), variants.index(pair.baseline)
        m, s = metrics.index(pair.metric), slices.index(pair.slice)
        for find, n in (("win", pair.wins), ("tie", pair.ties), ("loss", pair.losses)):
            opened.page.evaluate(f"location.hash = '#?a={a}&b={b}&m={m}&s={s}&f={find}'")
            opened.until(
                f"document.querySelector('#f-find').value === '{find}' && document.querySelector('#f-metric').value === '{m}'"
                f" && document.querySelector('#f-slice').value === '{s}' && document.querySelector('#f-a').value === '{a}' && document.querySelector('#f-b').value === '{b}'"
            )
            assert opened.shown() == n, (pair, find)


def test_search_reads_what_the_index_does_not_hold(open_run: Open) -> None:
    run = RUNS["two"]
    opened = open_run(run)
    opened.page.fill("#f-text", "a: 17")
    assert opened.shown() == 0
    opened.page.click("#f-deep")
    opened.until("document.querySelector('#shown').textContent.includes('everywhere')")
    wanted = {r.example_id for r in run.records if "A: 17" in str(getattr(r.outcome, "output", ""))}
    assert opened.shown() == len(wanted) > 0


def test_an_example_opens_with_every_variant_side_by_side(open_run: Open) -> None:
    run = RUNS["five"]
    opened = open_run(run)
    opened.page.click("[data-example='3'] button")
    opened.until("document.querySelectorAll('.side').length === 5")
    page = opened.page
    names = page.evaluate(
        "[...document.querySelectorAll('.side h3 bdi')].map((e) => e.textContent)"
    )
    assert sorted(names) == sorted(FIVE.variants)
    tops = page.evaluate(
        "[...document.querySelectorAll('.side')].slice(0, 3).map((e) => e.getBoundingClientRect().top)"
    )
    assert len(set(tops)) == 1
    text = page.text_content("#detail")
    for record in run.records:
        if record.example_id == "ex-00003" and record.variant == "prompt_only":
            match record.outcome:
                case Answer(output):
                    assert output in text
                case failure:
                    assert failure.error_kind in text
    assert text.count("repeat 2") == 5
    assert page.evaluate("document.querySelectorAll('#detail ins').length") > 0
    assert "doc-3  ✓ wanted" in text
    page.keyboard.press("ArrowRight")
    opened.until("document.querySelector('#d-title').textContent === 'ex-00004'")
    page.keyboard.press("ArrowLeft")
    opened.until("document.querySelector('#d-title').textContent === 'ex-00003'")
    assert "x=3" in page.evaluate("location.hash")
    page.keyboard.press("Escape")
    opened.until("!document.querySelector('#detail').open")
    assert "x=3" not in page.evaluate("location.hash")


def test_all_variants_stand_side_by_side_in_every_chunk(open_run: Open) -> None:
    run = make_run(replace(FIVE, n=260, repeats=1))
    opened = open_run(run)
    page = opened.page
    assert len(page.query_selector_all("[id^=chunk-]")) == 3
    for number in (0, 99, 100, 199, 200, 259):
        page.evaluate(f"location.hash = '#?x={number}'")
        opened.until(f"document.querySelector('#d-title').textContent === 'ex-{number:05d}'")
        sides = page.evaluate(
            "[...document.querySelectorAll('.side')].map((e) => [e.getAttribute('aria-label'), e.querySelectorAll('.took').length, e.getBoundingClientRect().height > 0])"
        )
        assert sorted(sides) == [[name, 1, True] for name in sorted(FIVE.variants)]
    assert opened.said == []


TEXTS = (
    ("the same", "the same"),
    ("one two three", "one 2 three four"),
    ("a  b c", "a b"),
    ("x\n\ny", "xy"),
    ("trailing  ", "trailing"),
    ("", "something"),
    ("something", ""),
    ("all other words", "nothing alike here"),
    ("日本語 テスト", "日本語 試験 ñandú 👍🏽"),
)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_marked_words_rebuild_both_texts(open_run: Open, number: int) -> None:
    run = make_run(Shape(n=len(TEXTS), failures=False))
    rows = {example.id: i for i, example in enumerate(run.examples)}
    said = tuple(
        replace(r, outcome=Answer(TEXTS[rows[r.example_id]][r.variant == "b"])) for r in run.records
    )
    opened = open_run(replace(run, records=said), hash_=f"#?x={number}")
    opened.until("document.querySelectorAll('.side').length === 2")
    parts = opened.page.evaluate(
        "[...document.querySelectorAll('.side')[1].querySelector('pre').childNodes].map((n) => [n.nodeName, n.textContent])"
    )
    before, after = TEXTS[number]
    assert "".join(text for kind, text in parts if kind != "INS") == before
    assert "".join(text for kind, text in parts if kind != "DEL") == after
    assert (before == after) == all(kind == "#text" for kind, _ in parts)


def test_hostile_texts_run_nothing_and_are_shown_as_they_are(open_run: Open) -> None:
    run = RUNS["hostile"]
    opened = open_run(run)
    page = opened.page
    for number, text in enumerate(HOSTILE):
        page.evaluate(f"location.hash = '#?x={number}'")
        opened.until(
            f"document.querySelector('#d-title').textContent.startsWith('{number}-') && document.querySelector('#detail').open"
        )
        opened.until("document.querySelectorAll('.side').length === 2")
        if len(text) < 1000 and "\ud800" not in text:
            assert text in page.evaluate(
                "[...document.querySelectorAll('#detail pre')].map((e) => e.textContent).join('\\n')"
            )
        assert page.evaluate(
            "document.querySelector('#detail').scrollWidth <= document.querySelector('#detail').clientWidth"
        )
    assert "show all 1,000,000 characters" in page.text_content("#detail")
    assert page.evaluate("window.pwned") is None
    assert (
        page.evaluate(
            "document.querySelectorAll('main img, dialog img, a[href^=javascript], [onerror]').length"
        )
        == 0
    )
    assert page.evaluate("document.scripts.length") == 3 + len(
        page.query_selector_all("[id^=chunk-]")
    )
    assert opened.said == []


def test_only_the_rows_in_sight_exist(open_run: Open) -> None:
    opened = open_run(make_run(Shape(n=3000, output_words=3)))
    page = opened.page
    assert page.evaluate("document.querySelectorAll('.item').length") < 60
    page.evaluate("document.querySelector('.list .body').scrollTop = 1e9")
    opened.until(
        "[...document.querySelectorAll('.item')].some((r) => r.dataset.example === '2999')"
    )
    assert page.evaluate("document.querySelectorAll('.item').length") < 60


def test_every_term_leads_to_its_sentence(open_run: Open) -> None:
    run = replace(RUNS["five"], verdict=verdict(RUNS["five"], "fail"))
    page = open_run(run).page
    dangling = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.getAttribute('href').slice(1))"
        ".filter((id) => !id.startsWith('?') && !document.getElementById(id))"
    )
    assert dangling == []
    guide = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    for term in TERMS:
        assert f"**{term.title}.** {term.text}" in guide
        assert term.text in page.text_content(f"#g-{term.id}")


def test_the_policy_allows_nothing_but_the_pages_own_script(open_run: Open) -> None:
    page = open_run(RUNS["two"]).page
    policy = page.get_attribute("meta[http-equiv]", "content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert page.evaluate("document.querySelectorAll('[style]:not(.list, .list *)').length") == 0
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every((e) => e.getAttributeNames().every((n) => !n.startsWith('on')))"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(open_run: Open, scheme: str) -> None:
    page = open_run(RUNS["five"], scheme=scheme).page
    weak = page.evaluate(
        """(() => {
          const parse = (c) => c.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
            .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const paper = parse(getComputedStyle(document.body).backgroundColor);
          const over = (top, below) => {
            const a = top[3] ?? 1;
            return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a));
          };
          return [...document.querySelectorAll('main *')].filter((e) =>
            [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && e.offsetParent
          ).filter((e) => {
            let back = paper;
            const chain = [];
            for (let p = e; p; p = p.parentElement) chain.unshift(p);
            for (const p of chain) back = over(parse(getComputedStyle(p).backgroundColor), back);
            const [x, y] = [light(parse(getComputedStyle(e).color)), light(back)].sort((a, b) => b - a);
            return (x + 0.05) / (y + 0.05) < 4.5;
          }).map((e) => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 30)}`);
        })()"""
    )
    assert weak == []
