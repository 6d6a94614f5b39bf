"""A review in a real Chromium, by keyboard alone."""

# ruff: noqa: E501 (expressions that run in the page read better whole)

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from reporting_fixtures import HOSTILE
from reviewed import PAIR, KeptLabels, Reviewed, review_of, reviewed_run

from harness.storage.labels import LabelFile, read_labels

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
    url: str
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def until(self, expression: str) -> None:
        """Wait for a condition; `wait_for_function` needs eval, which the page forbids."""
        for _ in range(800):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(f"never came true: {expression}: {self.page.inner_text('main')}")

    def at(self, number: int) -> None:
        self.until(
            f"document.querySelector('#place').textContent.startsWith('Example {number} of')"
            " && !document.body.hasAttribute('aria-busy')"
        )

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.until("!document.body.hasAttribute('aria-busy')")

    def fits(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))


Open = Callable[..., Opened]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    contexts = []

    def open_(server: Reviewed, *, width: int = 1280, scheme: str = "light") -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        opened = Opened(context.new_page(), server.url)
        opened.page.on("console", lambda message: opened.said.append(message.text))
        opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(server.url)
        opened.until("document.documentElement.dataset.ready === 'yes'")
        return opened

    yield open_
    for context in contexts:
        context.close()


def begin(opened: Opened, name: str = "Ada") -> None:
    opened.until("document.activeElement.id === 'name'")
    opened.page.keyboard.type(name)
    opened.press("Enter")


@pytest.mark.parametrize("width", [1280, 390])
def test_three_labels_by_keyboard_and_a_reload(open_page: Open, tmp_path: Path, width: int) -> None:
    path = tmp_path / "labels.jsonl"
    with Reviewed(review_of(reviewed_run(), LabelFile(path))) as server:
        opened = open_page(server, width=width)
        begin(opened)
        opened.at(1)
        assert opened.fits()
        opened.press("1")
        opened.at(2)
        assert "Example 1 kept: left is better" in opened.text("#said")
        opened.press("2")
        opened.at(3)
        opened.press("c")
        opened.page.keyboard.type("1 of 2 is wrong")
        opened.press("Escape", "0")
        opened.at(4)
        assert opened.text("#count") == "3 of 12 labelled"
        opened.page.reload()
        opened.until("document.documentElement.dataset.ready === 'yes'")
        opened.at(4)
        assert opened.text("#count") == "3 of 12 labelled"
        assert "Welcome back" in opened.text("#said")
        opened.press("k")
        opened.at(3)
        assert opened.page.input_value("#comment") == "1 of 2 is wrong"
        assert opened.page.get_attribute("[data-verdict=tie]", "aria-pressed") == "true"
        assert opened.fits()
        assert opened.said == []
        assert {url.startswith((server.url, "data:")) for url in opened.requests} == {True}
    labels = read_labels(path)
    assert [label.reviewer for label in labels] == ["Ada"] * 3
    assert [label.winner for label in labels][2] == "tie"
    first = labels[0]
    assert first.winner == ("model_b" if first.swapped else "model_a")
    second = labels[1]
    assert second.winner == ("model_a" if second.swapped else "model_b")


def test_undo_criteria_and_the_end(open_page: Open) -> None:
    labels = KeptLabels()
    with Reviewed(review_of(reviewed_run(3), labels)) as server:
        opened = open_page(server)
        begin(opened)
        opened.at(1)
        opened.press("x")
        opened.at(2)
        opened.press("u")
        opened.at(1)
        assert labels.read() == []
        assert opened.text("#count") == "0 of 3 labelled"
        opened.page.focus("[name=criterion-0]:checked")
        opened.press("ArrowLeft")
        assert opened.page.evaluate("document.activeElement.value") == "right"
        opened.press("2")
        opened.at(2)
        (label,) = labels.read()
        assert label.criteria == {"correct and grounded": label.winner}
        opened.press("r")
        opened.until("!document.querySelector('#hidden-part').hidden")
        assert "yes-" in opened.text("#wanted")
        opened.press("1")
        opened.at(3)
        assert not opened.page.is_visible("#hidden-part")
        opened.press("0")
        opened.until("!document.querySelector('#end').hidden")
        assert "All 3 examples have your label." in opened.text("#end")
        assert "Nobody else" in opened.text("#end")
        assert [label.revealed for label in labels.read()] == [False, True, False]
        opened.press("?")
        assert opened.page.is_visible("#help")
        opened.press("?")
        opened.press("k")
        opened.at(3)
        assert opened.said == []


def test_two_reviewers_see_how_far_they_agree(open_page: Open) -> None:
    with Reviewed(review_of(reviewed_run(4))) as server:
        for name in ("Ada", "Ben"):
            opened = open_page(server, width=390)
            begin(opened, name)
            for number in range(1, 5):
                opened.at(number)
                opened.press("0" if number % 2 else "1")
            opened.until("!document.querySelector('#end').hidden")
            assert opened.fits()
        assert "Ada and Ben" in opened.text("#agreement")
        for word in PAIR:
            assert word not in opened.page.content()


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_texts_are_shown_and_do_nothing(open_page: Open, width: int) -> None:
    texts = dict(enumerate(HOSTILE))
    with Reviewed(review_of(reviewed_run(len(texts), texts), reviewer="<b>Ada</b>")) as server:
        opened = open_page(server, width=width)
        for number in range(1, len(texts) + 1):
            opened.at(number)
            assert opened.fits()
            if number < len(texts):
                opened.press("j")
        assert "show all 1,000,0" in opened.text("#left")
        assert opened.page.evaluate("window.pwned") is None
        assert (
            opened.page.evaluate(
                "document.querySelectorAll('main img, main a, main b, [onerror]').length"
            )
            == 0
        )
        assert opened.page.evaluate("document.scripts.length") == 1
        assert "<b>Ada</b>" in opened.text("#who")
        assert opened.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_and_everything_has_a_name(open_page: Open, scheme: str) -> None:
    with Reviewed(review_of(reviewed_run(), reviewer="Ada")) as server:
        opened = open_page(server, scheme=scheme)
        opened.press("1", "k", "r")
        opened.until("!document.querySelector('#hidden-part').hidden")
        weak = opened.page.evaluate(
            """(() => {
              const parse = (c) => c.match(/[\\d.]+/g).map(Number);
              const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
                .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
              const ground = (e) => {
                for (let p = e; p; p = p.parentElement) {
                  const c = parse(getComputedStyle(p).backgroundColor);
                  if ((c[3] ?? 1) > 0) return c;
                }
                return parse(getComputedStyle(document.body).backgroundColor);
              };
              return [...document.querySelectorAll('body *')].filter((e) =>
                [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && e.offsetParent && !e.matches('.skip, noscript *')
              ).filter((e) => {
                const [x, y] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => b - a);
                return (x + 0.05) / (y + 0.05) < 4.5;
              }).map((e) => `${e.tagName}: ${e.textContent.slice(0, 30)}`);
            })()"""
        )
        assert weak == []
        unnamed = opened.page.evaluate(
            "[...document.querySelectorAll('button, input, textarea, [role=group], [role=radiogroup], progress, dialog')]"
            ".filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length || e.getAttribute('aria-labelledby'))).length"
        )
        assert unnamed == 0
        ids = opened.page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
        assert len(ids) == len(set(ids))


def test_a_vote_that_is_not_kept_is_told_and_not_counted(open_page: Open) -> None:
    class Full(KeptLabels):
        def append(self, label: Any) -> None:
            raise OSError(28, "No space left on device")

    with Reviewed(review_of(reviewed_run(), Full(), reviewer="Ada")) as server:
        opened = open_page(server)
        opened.at(1)
        opened.press("1")
        assert "Not kept: labels cannot be kept: No space left" in opened.text("#trouble")
        opened.at(1)
        assert opened.text("#count") == "0 of 12 labelled"
        assert opened.page.get_attribute("[data-verdict=left]", "aria-pressed") == "false"
    assert server.reports == ["labels cannot be kept: No space left on device"]
