"""What can be told before anything is opened is told at `harness check`."""

from __future__ import annotations

from pathlib import Path

import live_desk as desk
import pytest

from harness.errors import InputError
from harness.experiment.check import check_experiment

URL = "http://127.0.0.1:9/v1"
TOOLS = '''
def look(words: str) -> str:
    """Looks."""
    return words

def other(words: str) -> str:
    """Looks elsewhere."""
    return words
'''
DESCRIBED = "description: d, parameters: {type: object}"


@pytest.fixture(autouse=True)
def _files(here: Path) -> None:
    Path("desk_tools.py").write_text(TOOLS)
    Path("configs").mkdir()
    Path("docs").mkdir()
    Path("configs/rag.j2").write_text("{{ passages }}{{ question }}")
    Path("docs/a.md").write_text("# A\n\nThe number 1.\n")


def told(*variants: str) -> list[str]:
    """What `harness check` says of variants that differ as they like."""
    more = "factors: [tools, retrieval, rerank, user_template]\n"
    path = desk.config(*variants, more=more, url=URL)
    try:
        check_experiment(path)
    except InputError as error:
        return [str(problem).replace("\n  hint:", " |") for problem in error.problems]
    return []


def use(tool: str, more: str = "") -> str:
    return f"tools: {{use: [{tool}]{more}}}"


LOOK = "{kind: python, function: 'desk_tools:look'}"


def test_what_can_be_opened_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_KEY", "x")
    http = f"{{kind: http, url: '{URL}', name: h, {DESCRIBED}, api_key_env: DESK_KEY}}"
    assert told(f"id: a\n{use(f'{LOOK}, {http}', ', before: [{tool: h, arguments: {}}]')}") == []


@pytest.mark.parametrize(
    ("tool", "problem"),
    [
        (
            f"{{kind: python, function: 'json:nofn', {DESCRIBED}}}",
            "configs/desk.yaml:6:26: the module json has no nofn",
        ),
        (
            "{kind: mcp, command: [nonexistentcmd]}",
            "configs/desk.yaml:6:26: a: the tool mcp: there is no program 'nonexistentcmd' that "
            "could be run | correct its options",
        ),
        (
            f"{{kind: http, url: '{URL}', name: h, {DESCRIBED}, api_key_env: NOKEY}}",
            "a: the tool http: the environment variable NOKEY is not set | set it, or name another",
        ),
        (
            "{kind: mcp, command: [python3], env: [PATH, NOKEY]}",
            "a: the tool mcp: the environment variable NOKEY is not set | set it, or name another",
        ),
    ],
)
def test_a_tool_that_cannot_be_opened(tool: str, problem: str) -> None:
    (found,) = told(f"id: a\n{use(tool)}")
    assert found.startswith("configs/desk.yaml:6:")
    assert problem in found


def test_a_variable_is_told_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLANK", " ")
    embedder = f"embedder: {{kind: http, base_url: '{URL}', model: m, api_key_env: VECTOR_KEY}}"
    local = f"embedder: {{kind: http, base_url: '{URL}', model: m}}"
    found = told(
        f"id: a\nuser: rag.j2\nretrieval: {{kind: http, url: '{URL}', api_key_env: SEARCH_KEY}}",
        "id: b\nuser: rag.j2\n"
        f"retrieval: {{kind: hybrid, corpus: ../docs, dense: {{{embedder}}}}}\n"
        f"rerank: {{kind: http, top_k: 1, base_url: '{URL}', api_key_env: BLANK}}",
        f"id: c\nuser: rag.j2\nretrieval: {{kind: pgvector, dsn_env: MY_DSN, table: t, {local}}}",
    )
    named = {
        "SEARCH_KEY": "a: the retriever http",
        "VECTOR_KEY": "b: the retriever hybrid",
        "BLANK": "b: the reranker http",
        "MY_DSN": "c: the retriever pgvector",
    }
    assert [text.partition(": ")[2] for text in found] == [
        f"{who}: the environment variable {name} is not set | set it, or name another"
        for name, who in named.items()
    ]
    lines = Path("configs/desk.yaml").read_text().splitlines()
    for text, name in zip(found, named, strict=True):
        line, column = (int(number) for number in text.split(":")[1:3])
        assert lines[line - 1][column - 1 :].startswith(name)


def test_names_of_tools_are_held_against_each_other_where_they_are_known() -> None:
    unknown = "{kind: mcp, command: [python3]}"
    only = "{kind: mcp, command: [python3], only: [look]}"
    other = "{kind: python, function: 'desk_tools:other', name: look}"
    before = ", before: [{tool: lok, arguments: {}}]"
    found = told(
        f"id: a\n{use(LOOK, before)}",
        f"id: b\n{use(f'{LOOK}, {unknown}', before)}",
        f"id: c\n{use(f'{LOOK}, {only}')}",
        f"id: d\n{use(f'{LOOK}, {other}')}",
    )
    assert [text.partition(": ")[2] for text in found] == [
        "a: no tool is called 'lok' | its tools are: look",
        "c: two tools are called 'look' | give one of them another name, or take it away with only",
        "d: two tools are called 'look' | give one of them another name, or take it away with only",
    ]


def test_one_that_several_variants_use_is_told_once() -> None:
    tool = use("{kind: mcp, command: [nonexistentcmd]}")
    (found,) = told(f"id: a\n{tool}", f"id: b\nuser: rag.j2\n{tool}")
    assert ": a, b: the tool mcp: " in found


def test_a_variable_that_no_chosen_variant_needs_may_be_missing() -> None:
    tool = f"{{kind: http, url: '{URL}', name: h, {DESCRIBED}, api_key_env: NOKEY}}"
    assert told("id: a", f"id: b\n{use(tool)}") != []
    assert desk.ready(variants=("a",)).setup.components.toolboxes
