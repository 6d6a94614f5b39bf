"""The five techniques and the three patterns of examples/techniques, run against a real server."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import desk_model
import pyarrow.parquet as pq
import pytest
from model_server import ModelServer

from tests.integration.conftest import HARNESS

ROOT = Path(__file__).resolve().parents[2]
TECHNIQUES = ROOT / "examples" / "techniques"
RAG = ("retrieve", "context", "generate", "validate")
STAGES = {
    "prompt_only": ("generate", "validate"),
    "prompt_rag": RAG,
    "prompt_tools": ("generate", "tool", "validate"),
    "tuned_minimal": ("generate", "validate"),
    "tuned_rag": RAG,
    "extract_validate": ("normalise", *RAG),
    "evidence_draft": ("retrieve", "compress", "context", "generate", "draft", "validate"),
    "routed": ("route", "retrieve", "context", "generate", "validate", "fallback"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(respond=desk_model.answer) as running:
        yield running


def run(server: ModelServer, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARNESS, *arguments],
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "HARNESS_BASE_URL": server.openai_url},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


def trials(run_folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(run_folder / "trials.parquet").to_pylist()
    for row in rows:
        row["steps"] = json.loads(row["steps"])
    return rows


@pytest.fixture(scope="module")
def finished(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run folders of both experiments."""
    folders = {}
    for name in ("techniques", "patterns"):
        out = tmp_path_factory.mktemp(name)
        done = run(server, "run", f"examples/techniques/{name}.yaml", "--out", str(out), "--json")
        assert done.returncode == 0, done.stderr
        folders[name] = Path(json.loads(done.stdout)["run"])
    return folders


@pytest.mark.parametrize("variant", STAGES)
def test_its_stages_are_in_the_trials(variant: str, finished: dict[str, Path]) -> None:
    rows = [row for folder in finished.values() for row in trials(folder)]
    own = [row for row in rows if row["variant"] == variant]
    assert own
    seen = {step["stage"] for row in own for step in row["steps"]}
    assert set(STAGES[variant]) <= seen
    assert all(row["status"] == "ok" for row in own), Counter(row["error_message"] for row in own)
    for row in own:
        assert row["latency_s"] > 0
        assert row["served_model"] in {"base", "tuned", None}
        assert [s["start_s"] for s in row["steps"]] == sorted(s["start_s"] for s in row["steps"])


def test_the_record_holds_evidence_tools_and_the_exact_prompt(finished: dict[str, Path]) -> None:
    rows = trials(finished["techniques"])
    rag = next(row for row in rows if row["variant"] == "prompt_rag")
    (retrieve,) = (step for step in rag["steps"] if step["stage"] == "retrieve")
    ranked = retrieve["detail"]["passages"]
    assert [passage["rank"] for passage in ranked] == list(range(1, len(ranked) + 1))
    assert all(passage["score"] > 0 for passage in ranked)
    assert rag["evidence_ids"][0] == ranked[0]["id"]
    (generate,) = (step for step in rag["steps"] if step["stage"] == "generate")
    assert [message["role"] for message in generate["detail"]["messages"]] == ["system", "user"]
    tools = next(row for row in rows if row["variant"] == "prompt_tools")
    (call,) = (step for step in tools["steps"] if step["stage"] == "tool")
    assert call["detail"]["name"] == "find_articles"
    assert json.loads(tools["tool_calls"])[0]["name"] == "find_articles"


def test_the_router_and_the_fallback_say_why(finished: dict[str, Path]) -> None:
    rows = [row for row in trials(finished["patterns"]) if row["variant"] == "routed"]
    routed = [row for row in rows if row["routed_to"]]
    assert routed
    asked, step = (step for step in routed[0]["steps"] if step["stage"] == "route")
    assert asked["detail"]["model"] == "http/tuned"
    assert step["detail"]["to"] == "prompt_rag"
    assert step["detail"]["label"] == "other"
    assert any(step["variant"] == "prompt_rag" for step in routed[0]["steps"] if "variant" in step)


def test_a_fallback_says_what_set_it_off(finished: dict[str, Path]) -> None:
    rows = [row for row in trials(finished["patterns"]) if row["fallback_used"]]
    assert {row["fallback_to"] for row in rows} == {"prompt_rag"}
    (step,) = (step for step in rows[0]["steps"] if step["stage"] == "fallback")
    assert "output.article == 'none'" in json.dumps(step["detail"])


def test_what_differs_is_at_the_top_of_everything(
    finished: dict[str, Path], server: ModelServer
) -> None:
    folder = finished["techniques"]
    comparison = json.loads((folder / "comparison.json").read_text())
    assert comparison["factors"]["model"] == {
        "prompt_only": "http/base",
        "prompt_rag": "http/base",
        "prompt_tools": "http/base",
        "tuned_minimal": "http/tuned",
        "tuned_rag": "http/tuned",
    }
    shown = run(server, "report", str(folder), "--format", "md").stdout
    assert "http/tuned" in shown
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["prices"]["date"]
    assert manifest["execution"]["schedule_seed"] == 0


def test_check_tells_calls_costs_and_the_ladder(server: ModelServer) -> None:
    n_asked = len(server.requests)
    done = run(server, "check", "examples/techniques/techniques.yaml")
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == n_asked
    said = " ".join(done.stdout.split())
    assert "unknown where no price is known, of http/base, http/tuned" in said
    gap = "prompt_only and tuned_minimal differ in model, system_template and few_shot at once"
    assert gap in said
    assert "add: an arm like" in said


CONFOUNDED = """\
name: confounded
evalset: {root}/evalsets/support_mini
baseline: prompt_rag
variants:
  - {root}/examples/techniques/variants/prompt_rag
  - id: tuned_rag
    extends: {root}/examples/techniques/variants/prompt_rag
    model: http/tuned
    user: other.j2
factors: [retrieval]
scorers:
  - {{id: correct, use: exact_match, output_field: article, target_field: article}}
primary: [correct]
"""


def test_a_confounded_pair_is_refused_until_it_is_excused(
    server: ModelServer, tmp_path: Path
) -> None:
    config = tmp_path / "confounded.yaml"
    (tmp_path / "other.j2").write_text(
        "{% for p in passages %}{{ p.text }}{% endfor %} {{ question }}"
    )
    config.write_text(CONFOUNDED.format(root=ROOT))
    for command in ("check", "run"):
        done = run(server, command, str(config), cwd=tmp_path)
        assert done.returncode == 2
        assert (
            "confounded: prompt_rag and tuned_rag differ in model AND user_template" in done.stderr
        )
        assert "http/base / http/tuned" in done.stderr
    assert not (tmp_path / "reports").exists()
    excuse = "confounded_ok:\n  - {pair: [prompt_rag, tuned_rag], reason: bought as one product}\n"
    config.write_text(CONFOUNDED.format(root=ROOT) + excuse)
    done = run(server, "run", str(config), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bought as one product" in done.stdout
    folder = tmp_path / "reports" / "confounded" / "latest"
    for name in ("report.html", "report.md"):
        assert "bought as one product" in (folder / name).read_text(encoding="utf-8")
    (pair,) = json.loads((folder / "comparison.json").read_text())["confounded"]
    assert pair["fields"] == ["model", "user_template"]
