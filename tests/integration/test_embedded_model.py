"""The world of the embedded model, broken on purpose: harness finds what, and only that.

With the weights that are shipped, so that what is found was really lost.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.core.values import fingerprint
from harness.embedded.weights import read_listing
from tests.integration.conftest import HARNESS

ROOT = Path(__file__).resolve().parents[2]
WORLD = ROOT / "evalsets" / "support_desk"
N_OF_KIND = {"knowledge": 22, "tool": 16, "abstain": 12}
CONFIG = """\
name: broken
evalset: desk
baseline: prompt_rag
variants:
  - {{id: prompt_rag, extends: {root}/variants/prompt_rag}}
  - id: emptied
    extends: {root}/variants/prompt_rag
    retrieval: {{corpus: emptied}}
  - id: altered
    extends: {root}/variants/prompt_rag
    retrieval: {{corpus: altered}}
  - id: cut
    extends: {root}/variants/prompt_rag
    params: {{max_output_tokens: 12}}
  - {{id: prompt_tools, extends: {root}/variants/prompt_tools}}
  - id: broken_tools
    extends: {root}/variants/prompt_tools
    tools:
      use:
        - {{kind: python, function: "broken_tools:order_status"}}
        - {{kind: python, function: "broken_tools:account_lookup"}}
        - {{kind: python, function: "broken_tools:refund_calculation"}}
factors: [retrieval, params, tools]
scorers:
  - {{id: correct, use: exact_match, output_field: answer, target_field: answer}}
  - {{id: format, use: json_schema, schema: {root}/variants/prompt_only/answer.schema.json}}
  - {{id: shown, use: retrieval, k: [5], measures: [recall@k]}}
primary: [correct]
"""
BROKEN_TOOLS = """\
def order_status(order_id: int) -> dict[str, object]:
    \"\"\"The status of an order.\"\"\"
    raise ConnectionError("the database is away")


def account_lookup(account_id: int) -> dict[str, object]:
    \"\"\"An account's plan.\"\"\"
    raise ConnectionError("the database is away")


def refund_calculation(order_id: int, days: int) -> dict[str, object]:
    \"\"\"What comes back.\"\"\"
    raise ConnectionError("the database is away")
"""


def emptied(article: str) -> str:
    """The article with its title and headings, and nothing told under them."""
    front, *sections = re.split(r"^(?=## )", article, flags=re.MULTILINE)
    headings = [section.partition("\n")[0] for section in sections]
    return front + "".join(f"{line}\n\nThis is being written anew.\n\n" for line in headings)


def altered(article: str) -> str:
    """The article with other numbers, of as many digits."""
    front, marks, body = article.rpartition("---\n")
    other = re.sub(r"\d", lambda digit: str(int(digit.group()) % 9 + 1), body)
    return f"{front}{marks}{other}"


def write_corpus(folder: Path, change: Callable[[str], str]) -> None:
    folder.mkdir()
    for path in (WORLD / "corpus").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        (folder / path.name).write_text(change(text), encoding="utf-8")


def write_desk(folder: Path) -> None:
    """A part of the frozen set: plain messages of three kinds, one of each cluster."""
    folder.mkdir()
    kept: dict[str, dict[str, Any]] = {}
    for line in (WORLD / "examples.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        slices = row["slices"]
        plain = slices["greeting"] == "no" and slices["phrasing"] == "plain"
        if plain and slices.get("evidence", "plain") == "plain":
            kept.setdefault(row["cluster"], row | {"slices": {"kind": slices["kind"]}})
    rows = [
        row
        for kind, n in N_OF_KIND.items()
        for row in [row for row in kept.values() if row["slices"]["kind"] == kind][:n]
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "examples.jsonl").write_text(text, encoding="utf-8")


def harness(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*HARNESS, *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(project: Path, out: str, *options: str) -> Path:
    """The folder of a new run of the experiment."""
    arguments = ("run", str(project / "broken.yaml"), "--out", str(project / out), "--json")
    return Path(json.loads(harness(project, *arguments, *options))["run"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the experiment, its corpora, and a frozen part of the world."""
    folder = tmp_path_factory.mktemp("broken")
    write_corpus(folder / "emptied", emptied)
    write_corpus(folder / "altered", altered)
    write_desk(folder / "desk")
    harness(folder, "freeze", str(folder / "desk"))
    (folder / "broken.yaml").write_text(CONFIG.format(root=ROOT), encoding="utf-8")
    (folder / "broken_tools.py").write_text(BROKEN_TOOLS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def found(project: Path) -> Path:
    """The folder of a finished run."""
    return run(project, "reports")


@pytest.fixture(scope="module")
def comparison(found: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((found / "comparison.json").read_text(encoding="utf-8"))
    return loaded


def change(
    comparison: dict[str, Any], before: str, after: str, metric: str, kind: str
) -> tuple[float, str]:
    """The difference in points that harness found on a kind of message, and its finding."""
    turned = {"better": "worse", "worse": "better"}
    for pair in comparison["pairs"]:
        if (pair["metric"], pair["slice"]) != (metric, f"kind={kind}"):
            continue
        points, finding = 100 * pair["diff"], pair["finding"]
        if (pair["baseline"], pair["candidate"]) == (before, after):
            return points, finding
        if (pair["baseline"], pair["candidate"]) == (after, before):
            return -points, turned.get(finding, finding)
    raise AssertionError(f"no pair of {before} and {after} on {metric} in {kind}")


def test_emptied_articles_cost_knowledge_and_recall_and_no_tool(
    comparison: dict[str, Any],
) -> None:
    lost, finding = change(comparison, "prompt_rag", "emptied", "correct", "knowledge")
    assert finding == "worse"
    assert lost < -50
    assert change(comparison, "prompt_rag", "emptied", "shown.recall@5", "knowledge")[1] == "worse"
    gained, finding = change(comparison, "emptied", "prompt_tools", "correct", "tool")
    assert finding == "better"
    assert gained > 25


def test_altered_articles_cost_knowledge_but_no_recall(comparison: dict[str, Any]) -> None:
    lost, finding = change(comparison, "prompt_rag", "altered", "correct", "knowledge")
    assert finding == "worse"
    assert lost < -50
    recall = change(comparison, "prompt_rag", "altered", "shown.recall@5", "knowledge")
    assert recall == (0.0, "no_evidence")


def test_broken_tools_cost_the_tool_slice_and_nothing_else(comparison: dict[str, Any]) -> None:
    lost, finding = change(comparison, "prompt_tools", "broken_tools", "correct", "tool")
    assert finding == "worse"
    assert lost < -25
    for kind in ("knowledge", "abstain"):
        found = change(comparison, "prompt_tools", "broken_tools", "correct", kind)
        assert found[1] != "worse"
    rates = {
        one["variant"]: one["rate"]
        for one in comparison["operations"]
        if one["quantity"] == "tool_error_rate" and one["slice"] == "kind=tool"
    }
    assert rates["broken_tools"] == 1
    assert rates["prompt_tools"] < 0.5  # arguments that the model gets wrong


def test_outputs_cut_short_cost_the_format_and_with_it_the_values(
    comparison: dict[str, Any],
) -> None:
    lost, finding = change(comparison, "prompt_rag", "cut", "format", "knowledge")
    assert finding == "worse"
    assert lost < -50
    assert change(comparison, "prompt_rag", "cut", "correct", "knowledge")[1] == "worse"
    (cut,) = (one for one in comparison["variants"] if one["id"] == "cut")
    assert cut["n_system_failures"] > sum(N_OF_KIND.values()) / 2


def test_another_run_gives_the_same_outputs_whatever_else_is_answered(
    project: Path, found: Path
) -> None:
    names = ("prompt_rag", "prompt_tools")
    options = ("--variants", ",".join(names), "--limit", "20", "--concurrency", "1")
    once, again = texts(found), texts(run(project, "again", *options))
    assert len(again) == 40
    assert again == {key: once[key] for key in again}


def texts(run: Path) -> dict[tuple[str, str], list[str]]:
    """What the model wrote, by variant and example."""
    return {
        (row["variant"], row["example_id"]): [
            step["detail"].get("text", "")
            for step in json.loads(row["steps"])
            if step["stage"] == "generate"
        ]
        for row in pq.read_table(run / "trials.parquet").to_pylist()
    }


def test_the_page_has_the_figures_of_the_weights_that_are_shipped() -> None:
    page = (ROOT / "docs" / "embedded-model.md").read_text(encoding="utf-8")
    assert f"weights `{fingerprint(dict(read_listing().sha256))[:12]}`" in page
