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
from live_runs import REASON, VARIANTS, live_run
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
    "live": live_run(repeats=2),
}


@pytest.mark.parametrize("width", [1280, 900, 390])
@pytest.mark.parametrize("name", RUNS)
def test_opens_in_silence_and_fits_the_screen(open_run: Open, name: str, width: int) -> None:
    opened = open_run(RUNS[name], width=width)
    assert opened.said == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in opened.requests if url.startswith("file:")]) == 1
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", ["two", "five", "live"])
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


@pytest.mark.parametrize("name", ["five", "live"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(open_run: Open, scheme: str, name: str) -> None:
    page = open_run(RUNS[name], scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
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


@pytest.mark.parametrize("width", [1280, 390])
def test_a_live_run_shows_what_differs_and_its_operation(open_run: Open, width: int) -> None:
    page = open_run(RUNS["live"], width=width).page
    for section in ("#factors", "#operation"):
        assert page.is_visible(section)
        outside = page.evaluate(
            f"""[...document.querySelectorAll('{section} td, {section} th, {section} data')].filter((e) => {{
                 const box = e.getBoundingClientRect();
                 return box.width > 1 && e.checkVisibility() && box.left >= 0 && box.right > innerWidth;
               }}).length"""
        )
        assert outside == 0
    verdict_end, factors, variants = page.evaluate(
        "[document.querySelector('#verdict').getBoundingClientRect().bottom, ...['#factors', '#variants']"
        ".map((id) => document.querySelector(id).getBoundingClientRect().top)]"
    )
    assert verdict_end <= factors < variants
    assert [
        row.split("|")[0]
        for row in page.evaluate(
            "[...document.querySelectorAll('#factors .fac tbody tr')].map((r) => [...r.cells].map((c) => c.textContent).join('|'))"
        )
    ] == ["model", "prompt.user", "retrieval.use", "tools"]
    held = "#factors > details:not(.fold)"
    assert page.is_hidden(f"{held} table")
    page.click(f"{held} summary")
    assert "params.temperature" in page.inner_text(f"{held} table")


def test_what_differs_is_folded_on_a_narrow_screen_and_open_on_a_wide_one_and_on_paper(
    open_run: Open,
) -> None:
    page = open_run(RUNS["live"], width=390).page
    assert page.is_hidden(".fac")
    said = "4 factors differ: model, prompt.user, retrieval.use, tools"
    assert page.inner_text(".fold > summary") == said
    board = page.evaluate("document.querySelector('#variants').getBoundingClientRect().top")
    assert board < 2 * 844
    page.focus(".fold > summary")
    page.keyboard.press("Enter")
    assert page.is_visible(".fac")
    page.keyboard.press("Enter")
    assert page.is_hidden(".fac")
    page.emulate_media(media="print")
    page.wait_for_selector(".fac", state="visible")
    page.emulate_media(media="screen")
    page.wait_for_selector(".fac", state="hidden")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_selector(".fac", state="visible")


@pytest.mark.parametrize("width", [1280, 390])
def test_names_of_factors_are_not_broken_inside_words(open_run: Open, width: int) -> None:
    run = RUNS["live"]
    factors = {
        name: {v: f"{name} of {v}" for v in VARIANTS}
        for name in ("output.rules.0.name", "retrieval.rewrite.user_template", "system_template")
    }
    changed = run.comparison.model_copy(update={"factors": factors})
    page = open_run(replace(run, comparison=changed), width=width).page
    page.evaluate("document.querySelector('.fold').open = true")
    broken = page.evaluate(
        """[...document.querySelectorAll('.fac tbody th bdi')].flatMap((name) =>
             [...name.childNodes].filter((node) => node.nodeType === 3 && node.textContent.trim()).filter((node) => {
               const range = document.createRange(); range.selectNodeContents(node);
               return range.getClientRects().length > 1;
             }).map((node) => node.textContent))"""
    )
    assert broken == []


def test_live_figures_on_the_page_are_those_of_the_comparison(open_run: Open) -> None:
    run = RUNS["live"]
    page = open_run(run).page

    def values(table: str) -> list[float]:
        found = page.evaluate(f"[...document.querySelectorAll('{table} data')].map((d) => d.value)")
        return [float(value) for value in found if value]

    rates = [entry.rate for entry in run.comparison.operations if entry.slice == "all"]
    assert sorted(values(".operations")) == sorted(rates)
    tools = [(t.n_errors / t.n_calls, t.p50_s, t.p95_s) for t in run.comparison.tools]
    assert tools
    assert values(".tools") == [value for tool in tools for value in tool]
    stages = [v for s in run.comparison.stages for v in (s.p50_s, s.p95_s, s.time_share)]
    assert values(".stages") == stages
    saved = [s.saved for s in run.comparison.token_savings if s.baseline == "prompt_only"]
    warm = [entry for entry in run.comparison.first_token if entry.path == "warm"]
    tokens = [t.mean for t in run.comparison.tokens] + saved
    tokens += [value for entry in warm for value in (entry.p50_s, entry.p95_s)]
    assert sorted(values(".tokens")) == sorted(tokens)


def test_a_confounded_pair_is_marked_at_every_figure_on_the_page(open_run: Open) -> None:
    opened = open_run(RUNS["live"])
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for rows in (".pairs tbody tr", ".board tbody tr", ".tokens tbody tr"):
        for text in page.evaluate(
            f"[...document.querySelectorAll('{rows}')].map((r) => r.textContent)"
        ):
            other = "prompt_only" in text and not text.startswith("prompt_only")
            listed = "tuned_rag" in text and (not other or "tools" not in text)
            listed &= "against tools" not in text and "tools against" not in text
            assert (REASON in text) == listed, text
    for table in ("#slices-table", "#wins-table"):
        marked = page.evaluate(
            f"[...document.querySelectorAll('{table} .delta')].filter((d) => d.textContent.includes('◊')).length"
        )
        assert marked > 0
        assert REASON in page.evaluate(
            f"document.querySelector('{table}').closest('section').textContent"
        )
    assert REASON in page.text_content("h1")
    opened.choose("#f-a", "tuned_rag")
    opened.until(
        "document.querySelector('#counts').textContent.includes('◊ confounded: model, user')"
    )
    opened.choose("#f-b", "tools")
    opened.until("!document.querySelector('#counts').textContent.includes('◊')")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_steps_of_an_example_open_on_what_was_asked_and_given(
    open_run: Open, width: int
) -> None:
    run = RUNS["live"]
    repaired = next(
        r for r in run.records if r.trace.repairs and r.trace.fallback_used and r.repeat == 0
    )
    number = [e.id for e in run.examples].index(repaired.example_id)
    opened = open_run(run, width=width, hash_=f"#?x={number}")
    opened.until("document.querySelectorAll('.side').length === 4")
    page = opened.page
    side = ".side[aria-label=tuned_rag]"
    names = page.evaluate(
        f"[...document.querySelector('{side} .steps').children].map((li) => li.querySelector('b').textContent)"
    )
    wanted = [
        s.stage.value + (f" ({s.variant})" if s.variant else "") for s in repaired.trace.steps
    ]
    assert names == wanted
    assert (
        page.inner_text(f"{side} .rejected >> nth=0") == f"rejected: {repaired.trace.rejections[0]}"
    )
    assert page.evaluate(f"document.querySelectorAll('{side} .steps pre').length") == 0
    for summary in page.query_selector_all(f"{side} .steps summary"):
        summary.focus()
        page.keyboard.press("Enter")
    opened.until(f"document.querySelectorAll('{side} .steps details[open] h5').length > 6")
    text = page.evaluate(f"document.querySelector('{side}').textContent")
    for step in repaired.trace.steps:
        for message in step.detail.get("messages", ()):
            assert message["content"] in text
    assert "1. returns#" in text
    assert "score 12.2" in text
    assert "✓ wanted" in text
    assert page.evaluate(
        "document.querySelector('#detail').scrollWidth <= document.querySelector('#detail').clientWidth"
    )
    tools = page.evaluate("document.querySelector('.side[aria-label=tools]').textContent")
    assert "tool" in tools
    assert sorted(VARIANTS) == sorted(
        page.evaluate(
            "[...document.querySelectorAll('.side')].map((e) => e.getAttribute('aria-label'))"
        )
    )
    assert opened.said == []


def test_headings_and_tables_of_a_live_run_are_named(open_run: Open) -> None:
    page = open_run(RUNS["live"], hash_="#?x=5").page
    page.wait_for_selector(".steps")
    unnamed = page.evaluate(
        """[...document.querySelectorAll('main table, dialog table')].filter((t) =>
             t.querySelector('thead') && ![...t.querySelectorAll('thead th')].every((h) => h.scope && h.textContent.trim())
           ).length + [...document.querySelectorAll('summary, button, a')].filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label'))).length
           + [...document.querySelectorAll('svg[role=img]')].filter((e) => !e.getAttribute('aria-label')).length"""
    )
    assert unnamed == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
