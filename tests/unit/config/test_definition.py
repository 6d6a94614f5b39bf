"""A live variant's definition: what counts as the same system, and what does not."""

import shutil
from pathlib import Path

import pytest
from variant_files import live, write

from harness.config.definition import TOP_LEVEL, flattened, key_of
from harness.core.variant import LiveVariant

HEAD = "id: v\nmodel: http/tiny\nuser: user.j2\n"
TRAINING = "training: {base_model: b, method: lora, date: 2026-11-01}\n"


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    write("v/user.j2", "{{ question }}{{ passages }}{{ shots }}")
    write("v/other.j2", "other {{ question }}{{ passages }}{{ shots }}")
    write("v/shots.jsonl", '{"input": "a", "output": 1}\n{"input": "b", "output": 2}\n')
    write("docs/a.md", "# A\n")


def of(more: str = "", head: str = HEAD, folder: str = "v") -> LiveVariant:
    write(f"{folder}/variant.yaml", head + more)
    return live(folder)[0]


def test_the_least_variant() -> None:
    definition = dict(of().definition)
    user = definition.pop("user_template")
    assert user.startswith("user.j2 sha256:")
    assert len(user.removeprefix("user.j2 sha256:")) == 12
    assert definition == {"model": "http/tiny", "stream": False, "output.parse": "text"}


def test_every_part_has_factors() -> None:
    write("schema.json", "{}")
    definition = of(
        """\
system: other.j2
base_url: http://127.0.0.1:9/v1
provider: {api_key_env: SECRET_NAME, api_version: v9, rules: ../schema.json}
params: {temperature: 0.5, stop: [a, b], extra: {a: {b: 1}}}
timeout_s: 7
normalise: [nfkc]
few_shot: {from: shots.jsonl, count: 1}
retrieval: {corpus: ../docs, top_k: 5, k1: 1.2, where: {team: a}}
rerank: {kind: http, base_url: "http://127.0.0.1:9", top_k: 2}
context: {max_tokens: 100, compress: {model: http/small, user: user.j2}}
tools: {use: [{kind: python, functions: [m:f]}], policy: {when: passages, then: none}}
output: {schema: ../schema.json, repair: 1, rules: [{name: r, that: output}], citations: {field: a}}
draft: {model: http/writer, user: other.j2, params: {seed: 1}}
fallback: {answer: {hand_over: human}, when: confidence < 0.5}
route: {rules: [{when: question == 'x', to: self}]}
training: {base_model: b, method: lora, date: 2026-11-01}
operations: {hours_to_change: 3}
"""
    ).definition
    shown = {
        name: value.partition(" sha256:")[0] + " #" if " sha256:" in str(value) else value
        for name, value in definition.items()
    }
    assert shown == {
        "model": "http/tiny",
        "base_url": "http://127.0.0.1:9/v1",
        "provider.api_version": "v9",
        "provider.rules": "schema.json #",
        "params.temperature": 0.5,
        "params.stop": ["a", "b"],
        "params.extra.a.b": 1,
        "stream": False,
        "system_template": "other.j2 #",
        "user_template": "user.j2 #",
        "normalise": ["nfkc"],
        "few_shot.from": "shots.jsonl #",
        "few_shot.count": 1,
        "few_shot.select": "fixed",
        "retrieval.kind": "bm25",
        "retrieval.top_k": 5,
        "retrieval.corpus": "docs #",
        "retrieval.chunk.by": "section",
        "retrieval.chunk.max_tokens": 512,
        "retrieval.chunk.overlap_tokens": 0,
        "retrieval.where.team": "a",
        "retrieval.k1": 1.2,
        "rerank.kind": "http",
        "rerank.top_k": 2,
        "rerank.base_url": "http://127.0.0.1:9",
        "context.max_tokens": 100,
        "context.order": "rank",
        "context.dedupe": True,
        "context.compress.model": "http/small",
        "context.compress.stream": False,
        "context.compress.user_template": "user.j2 #",
        "tools.policy.when": "passages",
        "tools.policy.then": "none",
        "tools.policy.else": "none",
        "tools.max_calls": 8,
        "tools.use.0.kind": "python",
        "tools.use.0.functions": ["m:f"],
        "output.parse": "json",
        "output.schema": "schema.json #",
        "output.rules.0.name": "r",
        "output.rules.0.that": "output",
        "output.citations.field": "a",
        "output.citations.required": False,
        "output.repair": 1,
        "draft.model": "http/writer",
        "draft.params.seed": 1,
        "draft.stream": False,
        "draft.user_template": "other.j2 #",
        "fallback.answer.hand_over": "human",
        "fallback.when": "confidence < 0.5",
        "route.rules.0.when": "question == 'x'",
        "route.rules.0.to": "self",
        "training.base_model": "b",
        "training.method": "lora",
        "training.date": "2026-11-01",
    }
    assert {name.partition(".")[0] for name in definition} | {"sdk"} == set(TOP_LEVEL)


@pytest.mark.parametrize(
    "more",
    [
        "label: another\n",
        "timeout_s: 9\n",
        "operations: {a: 1}\n",
        "provider: {api_key_env: OTHER}\n",
        "stream: false\n",
        "output: {parse: text, repair: 0}\n",
        "params: {}\n",
    ],
)
def test_what_makes_no_difference(more: str) -> None:
    assert of(more).fingerprint == of().fingerprint


@pytest.mark.parametrize(
    "more",
    [
        "stream: true\n",
        "params: {temperature: 0}\n",
        "normalise: [lower]\n",
        "system: user.j2\n",
        "few_shot: {from: shots.jsonl, count: 1}\n",
        "retrieval: {corpus: ../docs}\n",
        "output: {parse: json}\n",
        "fallback: {answer: x}\n",
        "base_url: http://127.0.0.1:9\n",
        TRAINING,
    ],
)
def test_what_makes_a_difference(more: str) -> None:
    assert of(more).fingerprint != of().fingerprint


def test_identical_content_elsewhere_is_the_same() -> None:
    more = "few_shot: {from: shots.jsonl, count: 2}\nretrieval: {corpus: ../docs}\n"
    here = of(more)
    shutil.copytree("v", "deep/er/w")
    shutil.copytree("docs", "deep/er/texts")
    Path("deep/er/w/user.j2").rename("deep/er/w/prompt.j2")
    there = of(
        more.replace("../docs", "../texts"),
        HEAD.replace("user.j2", "prompt.j2").replace("id: v", "id: w"),
        "deep/er/w",
    )
    assert there.definition["user_template"] != here.definition["user_template"]
    assert there.fingerprint == here.fingerprint


@pytest.mark.parametrize("file", ["v/user.j2", "v/shots.jsonl", "docs/a.md"])
def test_content_counts(file: str) -> None:
    more = "few_shot: {from: shots.jsonl, count: 2}\nretrieval: {corpus: ../docs}\n"
    before = of(more).fingerprint
    Path(file).write_text(
        Path(file).read_text().replace("A", "B").replace("question", "q").replace('"a"', '"x"')
    )
    assert of(more).fingerprint != before


def test_a_file_of_examples_counts_whole_so_that_their_number_can_be_the_only_difference() -> None:
    write("v/shots.jsonl", '{"input": "a", "output": 1}\n{"input": "b", "output": 2}\n')
    one, two = (of(f"few_shot: {{from: shots.jsonl, count: {n}}}\n").definition for n in (1, 2))
    assert {name for name in one if one[name] != two[name]} == {"few_shot.count"}


def test_a_fallback_counts_by_all_that_defines_it() -> None:
    write("w/variant.yaml", "id: w\nmodel: http/w\nuser: ../v/user.j2\n")
    before = of("fallback: ../w\n")
    assert before.definition["fallback.to"].startswith("w sha256:")
    write("w/variant.yaml", "id: renamed\nmodel: http/w\nuser: ../v/user.j2\n")
    assert of("fallback: ../w\n").fingerprint == before.fingerprint
    write("w/variant.yaml", "id: w\nmodel: http/w2\nuser: ../v/user.j2\n")
    assert of("fallback: ../w\n").fingerprint != before.fingerprint


def test_a_training_set_counts_by_its_hash_however_it_is_told() -> None:
    import hashlib

    write("v/train.jsonl", "{}\n")
    stated = hashlib.sha256(b"{}\n").hexdigest()
    named = of(TRAINING.replace("method", "data: train.jsonl, method"))
    hashed = of(TRAINING.replace("method", f"data_sha256: {stated}, method"))
    assert named.definition["training.data"] == f"train.jsonl sha256:{stated[:12]}"
    assert named.fingerprint == hashed.fingerprint


def test_long_texts_are_named_by_their_hash() -> None:
    flat = flattened({"a": {"b": "x" * 300}, "c": "two\nlines", "d": None, "e": [{"f": 1}, []]})
    assert flat["a.b"].startswith("x" * 40 + "... sha256:")
    assert flat["c"].startswith("two lines... sha256:")
    assert flat["e.0.f"] == 1
    assert "d" not in flat


def test_where_a_factor_is_written() -> None:
    assert key_of("draft.user_template") == ("draft", "user")
    assert key_of("tools.use.0.kind") == ("tools", "use", 0, "kind")


def test_the_newline_at_the_end_of_a_template_is_not_sent_and_does_not_count() -> None:
    before = of().fingerprint
    text = Path("v/user.j2").read_text()
    for same in (text + "\n", text + "\r\n"):
        Path("v/user.j2").write_bytes(same.encode())
        assert of().fingerprint == before
    for other in (text + "\n\n", text + " ", "\n" + text):
        Path("v/user.j2").write_text(other)
        assert of().fingerprint != before
