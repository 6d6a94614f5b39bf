"""Plugins of live variants: built once each, checked before anything is sent, closed at the end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from textwrap import dedent

import live_desk as desk
import pytest
from variant_files import live

from harness.config.experiment import draft_experiment
from harness.errors import Problem
from harness.experiment.components import build_components

URL = "http://127.0.0.1:9/v1"
PLUGIN = """
from pydantic import BaseModel, ConfigDict

CLOSED = []

class Brittle(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str

    @property
    def identity(self):
        return {"sdk": "brittle"}

    def problems(self, request):
        return []

    async def close(self):
        CLOSED.append(self.name)
        if self.name == "b":
            raise ZeroDivisionError("on the way out")
"""


def install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """A package in the working folder that brings the provider `brittle`."""
    Path(f"{module}.py").write_text(PLUGIN)
    folder = Path(f"{module}-1.0.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[harness.providers]\nbrittle = {module}:Brittle\n")
    monkeypatch.syspath_prepend(str(Path.cwd()))


def test_one_instance_serves_all_that_ask_for_the_same(here: Path) -> None:
    Path("docs").mkdir()
    Path("docs/a.md").write_text("# A\n\nAll of it.\n")
    Path("ask.j2").write_text("{{ passages }} {{ question }}")
    rag = "user: ask.j2, retrieval: {corpus: docs, top_k: %d}"
    variants = live(
        f"{{id: a, model: http/m, base_url: {URL}, {rag % 3}}}",
        f"{{id: b, model: http/n, base_url: {URL}, params: {{seed: 1}}, {rag % 5}}}",
        f"{{id: c, model: http/m, base_url: 'http://127.0.0.1:8/v1', {rag % 3}}}",
    )
    problems: list[Problem] = []
    found = build_components(variants, None, problems)
    assert problems == []
    assert len(found.providers) == 2
    assert len(found.retrievers) == len(found.retrievals) == 1
    (a, _, c) = variants
    assert found.identity(a)["base_url"] == URL
    assert list(found.of([c]).providers) == [c.model.provider.key]
    assert found.of([a]).retrievers == found.retrievers


def test_what_is_unknown_is_told_once_and_with_its_place(here: Path) -> None:
    both = "\nprovider: {timeout_s: 3}\n"
    desk.config(
        "id: a\nmodel: opnai/m",
        f"id: b\nmodel: http/m\nbase_url: {URL}{both}",
        f"id: c\nmodel: http/n\nbase_url: {URL}{both}",
        "id: d\nmodel: http/m\ntools: {use: [{kind: pyton, function: 'a:b'}]}",
        "id: e\nmodel: http/m\ntools: {use: [{kind: python, function: 7}]}",
        more="factors: [model, tools, provider]\n",
        url=URL,
    )
    told = desk.refused()
    assert told[0] == (
        "configs/desk.yaml:6:12: no provider is called 'opnai' | did you mean 'openai'?"
    )
    assert told[1].startswith("configs/desk.yaml:11:27: unknown key 'timeout_s'")
    assert told[2].startswith("configs/desk.yaml:20:26: no tool is called 'pyton'")
    assert told[3].startswith("configs/desk.yaml:25:44: function: must be text")
    assert len(told) == 4
    assert not Path("reports").exists()


@pytest.mark.parametrize(
    ("variant", "host"),
    [
        ("model: openai/gpt-5", "api.openai.com"),
        ("model: anthropic/claude-x", "api.anthropic.com"),
        ("model: http/m\nbase_url: https://EU.example.com/v1", "eu.example.com"),
        ("model: http/m\nbase_url: 'http://[::1]:80/v1'", "::1"),
        (
            f"model: http/m\nbase_url: {URL}\n"
            "tools: {use: [{kind: http, name: look, description: Looks, "
            "url: 'https://tools.example.com/look', parameters: {type: object}}]}",
            "tools.example.com",
        ),
        (
            f"model: http/m\nbase_url: {URL}\nuser: rag.j2\n"
            "retrieval: {corpus: ../docs, kind: hybrid, dense: "
            "{embedder: {kind: http, model: e, base_url: 'https://vectors.example.com/v1'}}}",
            "vectors.example.com",
        ),
    ],
)
def test_data_goes_to_allowed_hosts_only(here: Path, variant: str, host: str) -> None:
    Path("docs").mkdir()
    Path("docs/a.md").write_text("# A\n\nAll of it.\n")
    Path("configs").mkdir()
    Path("configs/rag.j2").write_text("{{ passages }} {{ question }}")
    desk.config(f"id: a\n{variant}", more="allowed_hosts: [127.0.0.1]\n")
    (told,) = [text for text in desk.refused() if "allowed_hosts" in text]
    assert told.startswith("configs/desk.yaml:")
    assert f"would send data to {host}, which is not among allowed_hosts" in told
    assert told.endswith("| allowed are: 127.0.0.1")
    problems: list[Problem] = []
    variants = [entry.variant for entry in draft_experiment(desk.CONFIG).entries]
    build_components(variants, ["127.0.0.1", f"{host[:-2]}*"], problems)  # type: ignore[arg-type]
    assert problems == []


def test_a_client_that_chooses_its_host_itself_must_name_one(here: Path) -> None:
    desk.config("id: a\nmodel: litellm/mistral/x", more="allowed_hosts: [127.0.0.1]\n")
    found = [text for text in desk.refused() if "chooses the host" in text]
    assert len(found) == 1
    assert found[0].startswith("configs/desk.yaml:6:12: litellm chooses the host")
    assert "base_url" in found[0]


def test_a_rule_in_python_is_found_or_told_with_its_place(here: Path) -> None:
    Path("rules_of_a_test.py").write_text("def good(output, given):\n    return None\n")
    rules = "output: {rules: [{name: one, python: 'rules_of_a_test:%s'}]}"
    desk.config(
        f"id: a\n{rules % 'good'}", f"id: b\n{rules % 'god'}", more="factors: [output]\n", url=URL
    )
    (told,) = desk.refused()
    assert told.startswith("configs/desk.yaml:11:42: ")
    assert "the rule 'one': cannot import rules_of_a_test:god" in told


def test_a_fingerprint_follows_the_source_of_a_rule(here: Path) -> None:
    rules = "output: {rules: [{name: one, python: 'more_rules_of_a_test:good'}]}"
    desk.config(f"id: a\n{rules}", url=URL)
    found = []
    for body in ("return None", "return None", "return 'never'"):
        Path("more_rules_of_a_test.py").write_text(f"def good(output, given):\n    {body}\n")
        found.append(desk.ready().variants[0].fingerprint)
    assert found[0] == found[1] != found[2]


def test_all_are_closed_even_if_one_fails_to(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "brittle_of_a_test")
    Path("ask.j2").write_text("{{ question }}")
    variants = live(
        *(
            f"{{id: {name}, model: brittle/m, user: ask.j2, provider: {{name: {name}}}}}"
            for name in "abc"
        )
    )
    problems: list[Problem] = []
    found = build_components(variants, None, problems)
    assert problems == []
    with pytest.raises(ZeroDivisionError):
        asyncio.run(found.close())
    import brittle_of_a_test  # type: ignore[import-not-found]

    assert sorted(brittle_of_a_test.CLOSED) == ["a", "b", "c"]


def test_a_local_model_that_is_not_there_is_told(here: Path) -> None:
    Path("docs").mkdir()
    Path("docs/a.md").write_text("# A\n\nAll of it.\n")
    desk.config(
        dedent("""\
        id: a
        user: rag.j2
        retrieval: {corpus: ../docs}
        rerank: {kind: cross_encoder, model: nowhere, top_k: 2}
        """),
        url=URL,
    )
    Path("configs/rag.j2").write_text("{{ passages }} {{ question }}")
    (told,) = desk.refused()
    assert told.startswith("configs/desk.yaml:8:")
    assert "'nowhere' is no folder of an ONNX model" in told
