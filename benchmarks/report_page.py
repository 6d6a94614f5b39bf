"""`report.html` of 10,000 examples x 5 variants: its size, and how it behaves in Chromium.

    python benchmarks/report_page.py [--run FOLDER] [--repeats R] [--chromium PATH]

Without --run, a workload is made and run first. Each repeat opens the page from disk in a context
of its own. `usable_s` runs from asking for the page until its list of examples stands there and a
first filter has been answered and painted. Medians. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from measure import HARNESS, conditions, measured, show
from workload import Size, write_workload

TARGET_USABLE_S = 2
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--enable-precise-memory-info"
)
_PAINTED = "await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));"
_CHANGE = (
    """async ([id, value]) => {
  const box = document.getElementById(id);
  const began = performance.now();
  box.value = value;
  box.dispatchEvent(new Event(box.tagName === "INPUT" ? "input" : "change"));
"""
    + _PAINTED
    + """
  return [performance.now() - began, document.getElementById("shown").textContent];
}"""
)
_OPEN = (
    """async (number) => {
  const began = performance.now();
  document.querySelector(`[data-example='${number}'] button`).click();
  const variants = document.querySelectorAll("[data-variant]").length;
  while (document.querySelectorAll(".side").length < variants) {
    if (performance.now() - began > 20000) throw new Error("the example never opened");
    await new Promise((done) => setTimeout(done, 1));
  }
"""
    + _PAINTED
    + """
  return performance.now() - began;
}"""
)
_SEARCH = """async (text) => {
  const shown = document.getElementById("shown");
  document.getElementById("f-text").value = text;
  const began = performance.now();
  document.getElementById("f-deep").click();
  while (!shown.textContent.includes("everywhere")) {
    if (performance.now() - began > 60000) throw new Error("the search never ended");
    await new Promise((done) => setTimeout(done, 5));
  }
  return performance.now() - began;
}"""


def main(run: Path | None, repeats: int, chromium: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = run or _made(Path(scratch) / "work")
        page = Path(scratch) / "report.html"
        build_s = _build(folder, page)
        opened = _in_browser(page, repeats, chromium)
        size_mb = page.stat().st_size / 1e6
    middles = {name: median(values[name] for values in opened) for name in opened[0]}
    result = {"size_mb": size_mb, "build_cpu_s": build_s, **middles}
    rows = [{"what": name, "median": value} for name, value in result.items()]
    show(f"report.html, medians of {repeats}", rows)
    return {
        "conditions": conditions(),
        "repeats": repeats,
        **result,
        "target_usable_s": TARGET_USABLE_S,
    }


def _made(folder: Path) -> Path:
    workload = write_workload(folder, Size(resamples=1000))
    measured([HARNESS, "freeze", workload.evalset.name], folder)
    measured([HARNESS, "run", workload.config.name], folder)
    return folder / "reports" / "made_up" / "latest"


def _build(folder: Path, page: Path) -> float:
    """CPU seconds to write the page of a loaded run."""
    from harness.reporting import html
    from harness.storage.run_folder import load_run

    data = load_run(folder.resolve())
    began = time.process_time()
    with page.open("w", encoding="utf-8") as handle:
        html.write(data, handle)
    return time.process_time() - began


def _in_browser(page: Path, repeats: int, chromium: str) -> list[dict[str, float]]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        found = [_once(browser, page) for _ in range(repeats)]
        browser.close()
    return found


def _once(browser: Any, file: Path) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(file.as_uri(), wait_until="commit")
    ready = "document.documentElement.dataset.ready === 'yes' && !!document.querySelector('.item')"
    while not page.evaluate(ready):
        page.wait_for_timeout(5)
    listed_s = time.perf_counter() - began
    whole = page.text_content("#shown")
    slice_ms, shown = page.evaluate(_CHANGE, ["f-slice", "1"])
    usable_s = time.perf_counter() - began
    assert shown != whole, "the first filter changed nothing"
    page.evaluate(_CHANGE, ["f-slice", "0"])
    heap_mb = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
    orders = page.evaluate("[...document.getElementById('f-sort').options].map((o) => o.value)")
    result = {
        "first_paint_s": page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        / 1e3,
        "listed_s": listed_s,
        "usable_s": usable_s,
        "filter_slice_ms": slice_ms,
        "filter_text_ms": page.evaluate(_CHANGE, ["f-text", "42"])[0],
        "sort_ms": page.evaluate(_CHANGE, ["f-sort", orders[-1]])[0],
        "open_example_ms": page.evaluate(_OPEN, _first_shown(page)),
    }
    page.keyboard.press("Escape")
    result["search_everything_ms"] = page.evaluate(_SEARCH, "Total: $1,2")
    context.close()
    return {**result, "js_heap_mb": heap_mb}


def _first_shown(page: Any) -> str:
    return str(page.evaluate("document.querySelector('[data-example]').dataset.example"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--run", type=Path, help="the folder of a finished run")
    parser.add_argument("--repeats", type=int, default=5)
    found_chromium = os.environ.get("HARNESS_CHROMIUM") or shutil.which("chromium")
    parser.add_argument("--chromium", default=found_chromium)
    given = parser.parse_args()
    if given.chromium is None:
        parser.error("no chromium on the path; name one with --chromium or HARNESS_CHROMIUM")
    print(json.dumps(main(given.run, given.repeats, given.chromium)))
