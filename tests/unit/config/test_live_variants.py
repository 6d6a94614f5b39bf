# ruff: noqa: E501 - whole messages stand on one line
"""Live variants: everything that a `variant.yaml` names is read, and what is wrong with it is told."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from variant_files import live, read, write

from harness.config.live import MAX_CHAIN
from harness.core.variant import (
    Citations,
    Context,
    Corpus,
    FewShot,
    LiveVariant,
    Output,
    Shot,
    Template,
)

PLAIN = "id: {name}\nmodel: http/{name}\nuser: ../plain/user.j2\n"

FULL = """\
id: full
label: All keys at once
model: openai/gpt-x
base_url: https://models.example/v1
provider: {api_key_env: MY_KEY, api_version: v9}
params: {temperature: 0, max_output_tokens: 64, stop: [END], extra: {a: {b: 1}}}
stream: true
timeout_s: 5
normalise: [nfkc, strip]
system: system.j2
user: user.j2
few_shot: {from: shots.jsonl, count: 1, select: fixed}
retrieval:
  kind: hybrid
  corpus: ../docs
  chunk: {by: fixed, max_tokens: 64, overlap_tokens: 8}
  top_k: 10
  query: query.j2
  rewrite: {model: http/small, user: rewrite.j2, params: {temperature: 1}}
  where: {team: "{{ team }}", year: {at_least: 2020}}
  weights: [0.5, 0.5]
rerank: {kind: http, base_url: "https://ranker.example/rerank", top_k: 3}
context: {max_tokens: 500, order: reverse, dedupe: false, compress: {model: http/small, user: compress.j2}}
tools:
  use:
    - {kind: python, functions: [m:f]}
    - {kind: http, url: "https://tools.example", when: team == 'a'}
  policy: {when: passages | length == 0, then: required, else: auto}
  max_calls: 3
  before: [{tool: lookup, arguments: {id: "{{ question }}"}, when: team is defined}]
output:
  schema: answer.schema.json
  structured: true
  rules: [{name: short, that: output.answer | length < 9, message: too long}, {name: py, python: m:f}]
  citations: {field: cites, required: true}
  repair: 2
fallback: {to: ../plain, when: confidence < 0.5}
route:
  router: {model: http/small, user: route.j2}
  rules:
    - {when: "'law' in question", answer: {hand_over: human}}
    - {label: hard, to: ../plain}
    - {label: easy, to: self, name: stays}
draft: {model: http/writer, user: draft.j2, system: system.j2}
training: {base_model: small, method: lora, data: train.jsonl, date: 2026-11-01, n_examples: 2}
operations: {hours_to_change: 4}
"""


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    write("v/plain/user.j2", "{{ question }}")
    write("v/plain/variant.yaml", PLAIN.format(name="plain"))
    write("v/docs/a.md", "# A\ntext\n")
    write("v/full/variant.yaml", FULL)
    write("v/full/system.j2", "Be brief.")
    write(
        "v/full/user.j2",
        "{% for s in shots %}{{ s.output }}{% endfor %}{{ passages }}{{ question }}",
    )
    write(
        "v/full/shots.jsonl",
        '{"input": {"question": "a"}, "output": 1}\n{"input": "b", "output": "2"}\n',
    )
    write("v/full/query.j2", "{{ question }}")
    write("v/full/rewrite.j2", "{{ query }}")
    write("v/full/compress.j2", "{{ passage.text }}")
    write("v/full/route.j2", "{{ input.question }}")
    write("v/full/draft.j2", "{{ summary }}{{ passages }}")
    write("v/full/answer.schema.json", '{"type": "object", "required": ["answer"]}')
    write("v/full/train.jsonl", '{"prompt": "p"}\n')


def full(old: str = "", new: str = "") -> list[str]:
    """What is wrong with the full variant after a change."""
    assert old in FULL
    write("v/full/variant.yaml", FULL.replace(old, new) if old else FULL)
    return read("v/full")[1]


def test_everything_is_read() -> None:
    (variant,) = live("v/full")
    assert variant.label == "All keys at once"
    model = variant.model
    assert (model.id, model.name, model.stream, model.timeout_s) == (
        "openai/gpt-x",
        "gpt-x",
        True,
        5.0,
    )
    assert model.params == {
        "temperature": 0.0, "max_output_tokens": 64, "stop": ["END"], "extra": {"a": {"b": 1}},
    }  # fmt: skip
    assert model.provider.use == "openai"
    assert model.provider.options == {
        "api_key_env": "MY_KEY", "api_version": "v9", "base_url": "https://models.example/v1",
    }  # fmt: skip
    assert model.provider.where("base_url") == "v/full/variant.yaml:4:11"
    assert model.provider.where("api_version") == "v/full/variant.yaml:5:46"
    assert model.provider.where() == "v/full/variant.yaml:3:8"
    assert variant.normalise == ("nfkc", "strip")
    assert variant.prompt.system == Template("system.j2", "Be brief.")
    shots = (Shot({"question": "a"}, 1), Shot({"input": "b"}, "2"))
    assert variant.few_shot == FewShot(shots, 1, "fixed")
    assert variant.operations == {"hours_to_change": 4}
    assert [name for name, _ in variant.subtasks()] == [
        "generate", "rewrite", "compress", "route", "draft",
    ]  # fmt: skip


def test_retrieval_reranking_and_context_are_read() -> None:
    (variant,) = live("v/full")
    retrieval = variant.retrieval
    assert retrieval is not None
    assert retrieval.retriever.use == "hybrid"
    assert retrieval.retriever.options == {"weights": [0.5, 0.5]}
    assert retrieval.retriever.where("weights.1") == "v/full/variant.yaml:21:18"
    assert isinstance(retrieval.corpus, Corpus)
    assert Path(retrieval.corpus.folder).resolve() == Path("v/docs").resolve()
    assert retrieval.corpus.chunk == {"by": "fixed", "max_tokens": 64, "overlap_tokens": 8}
    assert retrieval.query == Template("query.j2", "{{ question }}")
    assert retrieval.rewrite is not None
    assert retrieval.rewrite.model.params == {"temperature": 1.0}
    assert retrieval.where == {"team": "{{ team }}", "year": {"at_least": 2020}}
    assert variant.rerank is not None
    assert variant.rerank.reranker.options == {"base_url": "https://ranker.example/rerank"}
    assert (variant.rerank.reranker.use, variant.rerank.top_k) == ("http", 3)
    context = variant.context
    assert (context.max_tokens, context.order, context.dedupe) == (500, "reverse", False)
    assert context.compress is not None


def test_tools_and_output_are_read() -> None:
    (variant,) = live("v/full")
    tools = variant.tools
    assert tools is not None
    assert [use.component.use for use in tools.use] == ["python", "http"]
    assert tools.use[1].when is not None
    assert tools.use[1].when.text == "team == 'a'"
    assert (tools.policy, tools.otherwise, tools.max_calls) == ("required", "auto", 3)
    assert tools.when is not None
    assert tools.before[0].arguments == {"id": "{{ question }}"}
    output = variant.output
    assert (output.parse, output.structured, output.repair) == ("json", True, 2)
    assert output.schema == {"type": "object", "required": ["answer"]}
    assert [(rule.name, rule.function) for rule in output.rules] == [("short", None), ("py", "m:f")]
    assert output.citations == Citations("cites", None, True)


def test_other_variants_are_read_whole() -> None:
    plain, variant = live("v/plain", "v/full")
    assert variant.fallback is not None
    assert variant.fallback.variant == plain
    assert variant.route is not None
    law, hard, easy = variant.route.rules
    assert (law.variant, law.answer) == (None, {"hand_over": "human"})
    assert (hard.label, hard.variant, hard.name) == ("hard", plain, "hard")
    assert (easy.variant, easy.answer, easy.name) == (None, None, "stays")
    assert [inner.id for inner in variant.variants()] == ["full", "plain", "plain"]


def test_the_training_card_pins_its_data() -> None:
    (variant,) = live("v/full")
    stated = hashlib.sha256(b'{"prompt": "p"}\n').hexdigest()
    assert variant.training is not None
    assert variant.training["data_sha256"] == stated
    assert variant.training["date"] == "2026-11-01"
    assert full("data: train.jsonl", f"data: train.jsonl, data_sha256: {stated}") == []
    (found,) = full("data: train.jsonl", f"data: train.jsonl, data_sha256: {'a' * 64}")
    assert f"has the sha256 {stated}, not data_sha256 {'a' * 64}" in found
    assert found.startswith("v/full/variant.yaml:45:77: ")
    assert full("data: train.jsonl", f"data_sha256: {'a' * 64}") == []


def test_what_is_not_given_has_a_default() -> None:
    (variant,) = live("v/plain")
    assert variant.output == Output()
    assert variant.context == Context()
    assert variant.model.params == {}
    assert (variant.few_shot, variant.tools, variant.route, variant.training) == (None,) * 4


def test_a_schema_may_stand_in_the_yaml_and_a_text_be_a_pattern_away() -> None:
    assert full("schema: answer.schema.json", "schema: {type: object}") == []
    assert (
        full("citations: {field: cites, required: true}", r"citations: {pattern: '\[(\w+)\]'}")
        == []
    )
    assert live("v/full")[0].output.citations == Citations(None, r"\[(\w+)\]")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("user: user.j2", "user: usr.j2", "11:7: the template usr.j2 does not exist | did you mean 'user.j2'?"),
        ("user: user.j2", "usr: user.j2", "1:1: missing key 'user' | user: FILE.j2, the template of the prompt"),
        ("user: user.j2", "promt: user.j2", "11:1: unknown key 'promt' | user: FILE.j2, the template of the prompt; system: FILE.j2 for the system prompt"),
        ("stream: true", "temperature: 0", "7:1: unknown key 'temperature' | params: {temperature: ...}"),
        ("stream: true", "temprature: 0", "7:1: unknown key 'temprature' | params: {temperature: ...}"),
        ("{model: http/writer, user: draft.j2,", "{model: http/writer, prompt: draft.j2,", "unknown key 'prompt' | user: FILE.j2, the template of the prompt; system: FILE.j2"),
        ("params: {temperature: 1}", "params: {temprature: 1}", "unknown key 'temprature' | did you mean 'temperature'?"),
        ("model: openai/gpt-x", "model: gpt-x", "3:8: model must be provider/model, such as openai/NAME or http/NAME, not 'gpt-x'"),
        ("temperature: 0", "temprature: 0", "6:10: unknown key 'temprature' | did you mean 'temperature'?"),
        ("temperature: 0", "temperature: '0'", "6:23: params.temperature must be a number, not '0' | write it without quotes"),
        ("normalise: [nfkc", "normalise: [nfck", "9:13: normalise[0] must be 'nfkc', 'whitespace', 'lower' or 'strip', not 'nfck' | did you mean 'nfkc'?"),
        ("from: shots", "file: shots", "12:11: missing key 'from'"),
        ("count: 1", "count: 3", "12:38: few_shot.count is 3, but shots.jsonl holds 2"),
        ("from: shots.jsonl", "from: user.j2", "12:18: the file of examples user.j2 must be a .jsonl file"),
        ("corpus: ../docs", "corpus: ../dcs", "15:11: the corpus ../dcs does not exist | did you mean 'docs'?"),
        ("  corpus: ../docs\n", "", "15:10: chunk is given, but no corpus | corpus: FOLDER"),
        ("overlap_tokens: 8", "overlap_tokens: 64", "16:10: retrieval.chunk: overlap_tokens must be less than max_tokens"),
        ("by: fixed", "by: section", "16:10: retrieval.chunk: overlap_tokens is for pieces by: fixed"),
        ('"{{ team }}"', '"{{ team"', "20:17: retrieval.where.team: "),
        ("user: rewrite.j2", "usr: rewrite.j2", "19:12: missing key 'user'"),
        ("when: team == 'a'", "when: team =", "27:56: tools.use[1].when: "),
        ("then: required", "then: require", "28:48: tools.policy.then must be 'auto', 'required' or 'none', not 'require' | did you mean 'required'?"),
        ("tool: lookup", "tool: look up", "30:19: tools.before[0].tool must be letters, digits"),
        ("that: output.answer | length < 9,", "", "34:11: output.rules[0]: a rule needs one of `that` and `python`"),
        ("python: m:f}]", "python: m}]", "must be module:function, not 'm'"),
        ("{field: cites, required: true}", "{pattern: '('}", "35:24: citations.pattern: \"(\" is no pattern (missing ) at position 1)"),
        ("repair: 2", "parse: text", "36:10: a schema needs parse: json"),
        ("  schema: answer.schema.json\n", "", "32:15: structured needs a schema | schema: FILE.json"),
        ("to: ../plain, when: conf", "when: conf", "37:11: fallback: a fallback needs one of `to` and `answer`"),
        ("to: ../plain, when: conf", "to: ../plian, when: conf", "37:16: the variant folder ../plian does not exist | did you mean 'plain'?"),
        ("  router: {model: http/small, user: route.j2}\n", "", "40:5: a route by label needs a router"),
        ("{label: easy, to: self", "{to: self", "43:7: route.rules[2]: a route needs one of `when` and `label`"),
        ("date: 2026-11-01", "date: tomorrow", "45:70: training.date must be a date, such as 2026-11-01, not 'tomorrow'"),
        ("data: train.jsonl", "data: trian.jsonl", "45:51: the training set trian.jsonl does not exist | did you mean 'train.jsonl'?"),
        ("id: full\n", "id: full\nfacts: {a: 1}\n", "2:1: unknown key 'facts' | facts are for recorded variants; what a live one is, harness reads off it"),
        ("https://models.example/v1", "https://me:secret@models.example/v1", "4:11: base_url holds a password | keys and passwords come from the environment"),
        ("https://tools.example", "https://:secret@tools.example", "27:25: tools.use[1].url holds a password"),
        ("id: full", "id: two words", "1:5: id must be letters, digits and any of"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place(old: str, new: str, expected: str) -> None:
    found = full(old, new)
    assert any(expected in problem for problem in found), found
    assert not any("secret" in problem for problem in found)


def test_all_mistakes_at_once() -> None:
    write("v/full/system.j2", "{% if %}\n{{ x")
    write("v/full/answer.schema.json", '{"type": 7}')
    write("v/full/shots.jsonl", '{"input": {}}\n[]\n{"input": {}, "output": 1, "x": 2}\nnope\n')
    found = full("top_k: 10", "top_k: 0")
    assert found == ["v/full/variant.yaml:17:10: retrieval.top_k must be at least 1, not 0"]
    found = full()
    assert {place.partition(": ")[0] for place in found} == {
        "v/full/answer.schema.json:1:1",
        "v/full/system.j2:1:1",
        "v/full/shots.jsonl:1:1",
        "v/full/shots.jsonl:2:1",
        "v/full/shots.jsonl:3:1",
        "v/full/shots.jsonl:4:1",
    }
    assert read("v/full")[0][0].variant is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Hello\n  {{ a. }}", '2:3: it cannot be read: expected name or number, in "{{ a. }}"'),
        ("{{ a }} {% macro x() %}{% endmacro %}", '1:12: `macro` is not allowed in a template, in "{{ a }} {% macro'),
        ("x\n\n{{ a }}, {{ b | shout }}", "3:17: there is no filter 'shout' here (known: abs,"),
        ("{{ a }} {{ b c }}", "1:14: it cannot be read: expected token 'end of print statement', got 'c', in"),
        ("{{ a }} {{ c c }}", "1:1: it cannot be read: "),
        ("{{ " + "x" * 90 + "(1) }}", '1:1: calls are not allowed in a template (there are filters: `mapping | items`), in "{{ ' + "x" * 77 + '..."'),
    ],
)  # fmt: skip
def test_a_template_is_quoted_and_the_place_told_where_it_is_known(text: str, told: str) -> None:
    write("v/full/system.j2", text)
    found = full()
    assert any(problem.startswith(f"v/full/system.j2:{told}") for problem in found), found


def test_an_expression_is_quoted() -> None:
    found = full("when: team == 'a'", "when: team == (")
    assert any("it cannot be read: " in text and 'in "team == ("' in text for text in found), found
    found = full('"{{ team }}"', '"{{ team"')
    assert any('in "{{ team"' in text for text in found), found


def test_what_could_be_read_of_a_broken_variant_is_kept() -> None:
    write("v/full/system.j2", "{% if %}")
    assert full("corpus: ../docs", "corpus: ../nowhere") != []
    (live_,) = (entry.live for entry in read("v/full")[0])
    assert live_ is not None
    assert live_.variant is None
    assert [name for name, _ in live_.readable.subtasks()] == [
        "generate", "rewrite", "compress", "route", "draft",
    ]  # fmt: skip
    retrieval, tools = live_.readable.retrieval, live_.readable.tools
    assert retrieval is not None
    assert retrieval.retriever.use == "hybrid"
    assert retrieval.corpus is not None
    assert tools is not None
    assert [use.component.use for use in tools.use] == ["python", "http"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{\xff}", "byte 0xff is not UTF-8 text"),
        (b"x" * 1_000_001, "holds 1000001 bytes, more than 1000000"),
    ],
)
def test_templates_are_bounded_utf8(content: bytes, what: str) -> None:
    Path("v/full/system.j2").write_bytes(content)
    found = full()
    assert any(what in problem for problem in found), found


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{", "broken JSON"),
        ("[1]", "it must be an object, not a list"),
        ('{"type": "objct"}', "not a usable JSON Schema"),
        ('{"$ref": "http://127.0.0.1:9/schema.json"}', "not a usable JSON Schema"),
        ("[" * 5000, "broken JSON"),
    ],
)
def test_a_schema_must_be_one_and_fetches_nothing(content: str, what: str) -> None:
    write("v/full/answer.schema.json", content)
    (found,) = full()
    assert found.startswith("v/full/answer.schema.json:1:1: ")
    assert what in found


def test_a_pipe_is_no_template() -> None:
    Path("v/plain/user.j2").unlink()
    os.mkfifo("v/plain/user.j2")
    _, found = read("v/plain")
    assert found == [
        "v/plain/variant.yaml:3:7: the template ../plain/user.j2 is not a regular file"
    ]


def test_windows_line_ends_change_nothing() -> None:
    (before,) = live("v/full")
    Path("v/full/user.j2").write_bytes(Path("v/full/user.j2").read_bytes() + b"\r\nx")
    (windows,) = live("v/full")
    Path("v/full/user.j2").write_bytes(Path("v/full/user.j2").read_bytes().replace(b"\r", b""))
    (unix,) = live("v/full")
    assert before.fingerprint != windows.fingerprint == unix.fingerprint


def test_variants_that_lead_to_one_another_in_a_circle() -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "b")):
        write(f"v/{name}/variant.yaml", PLAIN.format(name=name) + f"fallback: ../{other}\n")
    entries, found = read("v/a", "v/b", "v/plain")
    assert found == [
        "v/c/variant.yaml:4:11: variants lead to one another in a circle: v/b -> v/c -> v/b"
    ]
    assert [entry.variant is None for entry in entries] == [True, True, False]


def test_a_variant_that_leads_to_itself() -> None:
    write("v/a/variant.yaml", PLAIN.format(name="a") + "fallback: {to: ../a}\n")
    _, found = read("v/a")
    assert found == ["v/a/variant.yaml:4:16: variants lead to one another in a circle: v/a -> v/a"]


def test_long_chains_and_wide_trees_have_an_end() -> None:
    for number in range(MAX_CHAIN + 2):
        write(
            f"v/v{number}/variant.yaml",
            PLAIN.format(name=f"v{number}") + f"fallback: ../v{number + 1}\n",
        )
    write(f"v/v{MAX_CHAIN + 2}/variant.yaml", PLAIN.format(name="last"))
    _, (found,) = read("v/v0")
    assert f"more than {MAX_CHAIN} variants lead to one another" in found
    for number in range(6):
        rules = ", ".join(f"{{when: 'true', to: ../w{number + 1}}}" for _ in range(4))
        write(
            f"v/w{number}/variant.yaml",
            PLAIN.format(name=f"w{number}") + f"route: {{rules: [{rules}]}}\n",
        )
    write("v/w6/variant.yaml", PLAIN.format(name="w6"))
    entries, found_wide = read("v/w0")
    assert len(found_wide) == 1
    assert "leads to more than 200 variants" in found_wide[0]
    assert entries[0].variant is None


def test_nothing_leads_to_a_recorded_variant() -> None:
    write("v/rec/variant.yaml", "id: rec\nrecorded: x.jsonl\n")
    write("v/a/variant.yaml", PLAIN.format(name="a") + "fallback: ../rec\n")
    _, found = read("v/a")
    assert found == [
        "v/a/variant.yaml:4:11: ../rec is a recorded variant, which can answer nothing new"
    ]


def test_a_broken_fallback_breaks_who_needs_it() -> None:
    write("v/bad/variant.yaml", "id: bad\nmodel: http/x\nuser: nowhere.j2\n")
    write("v/a/variant.yaml", PLAIN.format(name="a") + "fallback: ../bad\n")
    entries, found = read("v/bad", "v/a")
    assert found == ["v/bad/variant.yaml:3:7: the template nowhere.j2 does not exist"]
    assert [entry.variant for entry in entries] == [None, None]
    assert [entry.id for entry in entries] == ["bad", "a"]


def test_parts_that_would_do_nothing_are_errors() -> None:
    write(
        "v/a/variant.yaml",
        PLAIN.format(name="a") + "rerank: {kind: http}\ncontext: {order: rank}\n",
    )
    _, found = read("v/a")
    assert found == [
        "v/a/variant.yaml:4:9: rerank is given, but no retrieval | add retrieval, or take it away:"
        " rerank: null",
        "v/a/variant.yaml:5:10: context is given, but no retrieval | add retrieval, or take it"
        " away: context: null",
    ]


def test_a_variant_of_neither_kind() -> None:
    entries, found = read(
        "{id: e}", "{id: f, user: v/plain/user.j2}", "7", "{id: g, recorded: x, user: y}"
    )
    assert [entry.id for entry in entries] == ["e", "f", None, "g"]
    assert found[0] == (
        "x.yaml:2:5: missing key 'recorded' | recorded: FILE.jsonl for what a system answered"
        " elsewhere; or model: and user: for a system that harness runs"
    )
    assert found[1] == (
        "x.yaml:3:5: missing key 'model' | model: provider/model, such as http/NAME; for outputs of"
        " a system that ran elsewhere, recorded: FILE.jsonl"
    )
    assert "unknown key 'user' | a variant with `recorded` is not run" in found[2]


def test_an_inline_variant_is_as_good_as_a_folder() -> None:
    inline = "{id: plain, model: http/plain, user: v/plain/user.j2}"
    folder, written = live("v/plain", inline)
    assert isinstance(written, LiveVariant)
    assert written.definition == folder.definition
    assert written.fingerprint == folder.fingerprint


def test_nearest_examples_keep_all_of_them() -> None:
    assert full("select: fixed", "select: nearest") == []
    few_shot = live("v/full")[0].few_shot
    assert few_shot is not None
    assert few_shot.shots == (Shot({"question": "a"}, 1), Shot({"input": "b"}, "2"))


def test_definitions_are_plain_json() -> None:
    (variant,) = live("v/full")
    assert json.loads(json.dumps(variant.definition)) == variant.definition
