"""What is done once before the first trial: tools and indexes opened, or all that is wrong told."""

from __future__ import annotations

import sys
from pathlib import Path

import live_desk as desk
import mcp_servers
import pytest
from model_server import ModelServer

from harness.experiment.indexes import CorpusReader, cache_root
from harness.experiment.prepare import Prepared

TOOLS = '''
def look(words: str) -> str:
    """Looks."""
    return words

def broken(words: str) -> str:
    """Cannot be had."""
    return words
'''
RAG = "user: rag.j2\nretrieval: {corpus: ../docs, kind: %s, top_k: 2%s}"


@pytest.fixture(autouse=True)
def _files(here: Path) -> None:
    Path("desk_tools.py").write_text(TOOLS)
    Path("configs").mkdir()
    Path("docs").mkdir()
    Path("configs/rag.j2").write_text(
        "{% for p in passages %}{{ p.text }}{% endfor %}{{ question }}"
    )
    Path("docs/a.md").write_text("# A\n\nThe number 1.\n\n## B\n\nThe number 2.\n")


def tool(name: str, at: str = "desk_tools") -> str:
    return f"{{kind: python, function: '{at}:{name}'}}"


def test_every_tool_that_cannot_be_opened_is_told_and_no_model_asked(server: ModelServer) -> None:
    Path("desk_tools.py").write_text(TOOLS + "import no_such_library\n")
    mcp = f"{{kind: mcp, command: ['{sys.executable}', -m, no_such_server]}}"
    desk.config(
        f"id: a\ntools: {{use: [{tool('look')}]}}",
        f"id: b\ntools: {{use: [{mcp}]}}",
        f"id: c\ntools: {{use: [{mcp}], before: [{{tool: lok, arguments: {{}}}}]}}",
        more="factors: [tools]\n",
        url=server.openai_url,
    )
    desk.ready()
    python, mcp_told = desk.refused()
    assert python.startswith(
        "configs/desk.yaml:6:26: a: the tool python cannot be opened: cannot import desk_tools:look"
    )
    assert python.endswith(" | put right what it says, or change its options")
    assert mcp_told.startswith(
        "configs/desk.yaml:11:26: b, c: the tool mcp cannot be opened: MCPError: Connection closed"
    )
    assert "; it said: " in mcp_told
    assert "No module named " in mcp_told
    assert mcp_told.endswith(" | check that it runs, and that its command or address is right")
    assert server.requests == []
    assert list(Path("reports/desk").iterdir()) == []


def test_tools_that_only_their_server_knows_are_told_when_it_is_open(server: ModelServer) -> None:
    mcp = f"{{kind: mcp, command: ['{sys.executable}', '{mcp_servers.__file__}', stdio]"
    before = "before: [{tool: statsu, arguments: {order: 1}}]"
    desk.config(
        f"id: a\ntools: {{use: [{mcp}, only: [status]}}], {before}}}",
        more="factors: [tools]\n",
        url=server.openai_url,
    )
    (told,) = desk.refused()
    assert told.endswith("a: no tool is called 'statsu' | its tools are: status")
    assert not Path("reports").exists()


def test_only_what_the_chosen_variants_use_is_opened(server: ModelServer) -> None:
    desk.config(
        "id: a",
        "id: b\ntools: {use: [{kind: mcp, command: [/no/such/server]}]}",
        more="factors: [tools]\n",
        url=server.openai_url,
    )
    run = desk.run(variants=("a",), limit=2)
    assert [row["status"] for row in desk.trials(run)] == ["ok", "ok"]
    assert "there is no program '/no/such/server'" in desk.refused()[0]


def test_a_corpus_that_cannot_be_read_is_told_once(server: ModelServer) -> None:
    Path("docs/b.jsonl").write_text('{"id": "x", "text": "good"}\n{"id": "y", "text": 7}\n')
    desk.config(
        f"id: a\n{RAG % ('bm25', '')}",
        f"id: b\n{RAG % ('bm25', ', chunk: {by: fixed}')}",
        more="factors: [retrieval]\n",
        url=server.openai_url,
    )
    (told,) = desk.refused()
    assert told.startswith("docs/b.jsonl:2")
    assert server.requests == []


def test_two_retrievals_over_one_corpus_read_it_once(server: ModelServer) -> None:
    desk.config(
        f"id: a\n{RAG % ('bm25', '')}",
        f"id: b\n{RAG % ('bm25', ', chunk: {by: fixed}')}",
        f"id: c\n{RAG.replace('top_k: 2', 'top_k: 1') % ('bm25', '')}",
        more="factors: [retrieval]\n",
        url=server.openai_url,
    )
    ready = desk.ready()
    corpora = [variant.retrieval.corpus for variant in ready.experiment.live if variant.retrieval]
    assert len(ready.setup.components.retrievers) == 2
    reader = CorpusReader([])
    a, b, c = (reader.chunks(corpus) for corpus in corpora if corpus)
    assert a is c
    assert a != b
    assert len({id(reader.documents(corpus)) for corpus in corpora if corpus}) == 1


def test_an_index_is_kept_under_its_key_and_used_again(server: ModelServer) -> None:
    desk.config(f"id: a\n{RAG % ('bm25', '')}", more="factors: []\n", url=server.openai_url)
    first = desk.trials(desk.run(limit=3))
    kept = sorted(path for path in Path("cache/index").rglob("*") if path.is_file())
    before = [path.stat().st_mtime_ns for path in kept]
    assert kept
    (key,) = keys(desk.ready())
    assert all(path.is_relative_to(Path("cache/index") / key) for path in kept)
    second = desk.trials(desk.run(limit=3))
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert [row["evidence_ids"] for row in second] == [row["evidence_ids"] for row in first]
    Path("docs/a.md").write_text("# A\n\nThe number 3.\n")
    assert keys(desk.ready()) != [key]


def keys(ready: Prepared) -> list[str]:
    return list(ready.setup.components.retrievers)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_root() == Path.cwd() / "cache"
    monkeypatch.delenv("HARNESS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_root() == Path("/x/harness")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert cache_root() == Path("/h/.cache/harness")


SLOW = """
from pydantic import BaseModel, ConfigDict
from harness.core.chat import Completion, ServiceError
from harness.core.record import Usage

DONE = []

class Slow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str

    @property
    def identity(self):
        return {"sdk": "slow"}

    def problems(self, request):
        return []

    async def open(self):
        DONE.append(f"opened {self.name}")
        if self.name == "broken":
            raise ServiceError("bad_request", "it is not installed")

    async def complete(self, request):
        DONE.append("asked")
        return Completion("x", (), "stop", Usage(), 0.0)

    async def close(self):
        DONE.append(f"closed {self.name}")
"""


def test_all_is_opened_before_the_first_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("slow_of_a_test.py").write_text(SLOW)
    folder = Path("slow_of_a_test-1.0.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-of-a-test\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[harness.providers]\nslow = slow_of_a_test:Slow\n")
    monkeypatch.syspath_prepend(str(Path.cwd()))
    desk.config("id: a\nmodel: slow/m\nprovider: {name: fine}", more="factors: []\n")
    desk.run(limit=2)
    import slow_of_a_test  # type: ignore[import-not-found]

    assert slow_of_a_test.DONE == ["opened fine", "asked", "asked", "closed fine"]
    slow_of_a_test.DONE.clear()
    desk.config("id: a\nmodel: slow/m\nprovider: {name: broken}", more="factors: []\n")
    assert desk.refused() == [
        "configs/desk.yaml:6:12: a: the provider slow cannot be opened: it is not installed | "
        "put right what it says, or change its options"
    ]
    assert slow_of_a_test.DONE == ["opened broken", "closed broken"]
