"""`extends`: what a variant takes from another one, and where every value is said to be written."""

from pathlib import Path
from textwrap import dedent

import pytest
from variant_files import live, read, write

from harness.config.extends import MAX_CHAIN
from harness.core.variant import LiveVariant

BASE = """\
    id: base
    label: The base
    model: http/tiny
    base_url: http://127.0.0.1:1/v1
    params: {temperature: 0, seed: 7, stop: [a, b]}
    user: user.j2
    retrieval: {corpus: ../docs, top_k: 20, chunk: {max_tokens: 100}}
    """


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    write("variants/base/variant.yaml", BASE)
    write("variants/base/user.j2", "{{ question }} {{ passages }}")
    write("variants/docs/a.md", "# A\n")


def test_given_keys_replace_maps_merge_null_takes_away() -> None:
    write(
        "variants/child/variant.yaml",
        """\
        id: child
        extends: ../base
        params: {temperature: 1, seed: null, stop: [c]}
        retrieval: {top_k: 3, chunk: {by: fixed}}
        base_url: null
        """,
    )
    base, child = live("variants/base", "variants/child")
    assert (base.label, child.label) == ("The base", "")
    assert dict(child.model.params) == {"temperature": 1.0, "stop": ["c"]}
    assert child.model.provider.options == {}
    assert base.model.provider.options == {"base_url": "http://127.0.0.1:1/v1"}
    assert child.prompt.user.text == "{{ question }} {{ passages }}"
    assert child.retrieval is not None
    assert child.retrieval.top_k == 3
    assert child.retrieval.corpus is not None
    assert child.retrieval.corpus.chunk == {"by": "fixed", "max_tokens": 100, "overlap_tokens": 0}


def test_a_part_can_be_taken_away_and_come_back() -> None:
    write("variants/plain/variant.yaml", "id: plain\nextends: ../base\nretrieval: null\n")
    inline = "{id: again, extends: variants/plain, retrieval: {corpus: variants/docs}}"
    plain, again = live("variants/plain", inline)
    assert plain.retrieval is None
    assert again.retrieval is not None
    assert again.retrieval.top_k == 20


def test_paths_start_from_the_file_that_they_are_written_in() -> None:
    write("elsewhere/own.j2", "own {{ question }} {{ passages }}")
    write("elsewhere/variant.yaml", "id: far\nextends: ../variants/base\nsystem: own.j2\n")
    (far,) = live("elsewhere")
    assert far.prompt.user.name == "user.j2"
    assert far.prompt.system is not None
    assert far.prompt.system.text.startswith("own")
    (base,) = live("variants/base")
    assert far.model.provider.key == base.model.provider.key


def test_options_of_a_plugin_that_name_files_keep_naming_them() -> None:
    write("variants/base/rules.yaml", "x")
    write("variants/base/variant.yaml", dedent(BASE) + "provider: {rules: rules.yaml, n: 1}\n")
    write(
        "far/variant.yaml",
        "id: far\nextends: ../variants/base\nmodel: scripted/x\nprovider: {n: 2}\n",
    )
    (far,) = live("far")
    provider = far.model.provider
    assert provider.folder == str(Path("far").resolve())
    assert provider.options["n"] == 2
    assert provider.options["rules"] == "../variants/base/rules.yaml"
    assert far.definition["provider.rules"] == live("variants/base")[0].definition["provider.rules"]
    assert provider.where("rules") == "variants/base/variant.yaml:8:19"
    assert provider.where("n") == "far/variant.yaml:4:15"
    assert provider.where() == "far/variant.yaml:3:8"


def test_problems_are_told_where_the_value_is_written() -> None:
    write("variants/base/variant.yaml", dedent(BASE).replace("seed: 7", "seed: x"))
    write(
        "variants/child/variant.yaml",
        """\
        id: child
        extends: ../base
        params: {temperature: hot}
        lable: x
        output: {repair: 99}
        """,
    )
    _, found = read("variants/child")
    assert sorted(found) == [
        "variants/base/variant.yaml:5:32: params.seed must be a whole number, not 'x'",
        "variants/child/variant.yaml:3:23: params.temperature must be a number, not 'hot'",
        "variants/child/variant.yaml:4:1: unknown key 'lable' | did you mean 'label'?",
        "variants/child/variant.yaml:5:18: output.repair must be at most 10, not 99",
    ]


def test_the_id_is_not_inherited() -> None:
    write("variants/child/variant.yaml", "extends: ../base\nlabel: x\n")
    _, found = read("variants/child")
    assert found == [
        "variants/child/variant.yaml:1:1: missing key 'id' | every variant has an id of its own; it"
        " is not inherited"
    ]


def test_null_must_take_something_away() -> None:
    write("variants/child/variant.yaml", "id: c\nextends: ../base\nretrievl: null\n")
    _, found = read("variants/child")
    assert found == [
        "variants/child/variant.yaml:3:1: null takes 'retrievl' away, which variants/base does not"
        " have | did you mean 'retrieval'?"
    ]


def test_a_circle_is_shown() -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "b")):
        write(f"variants/{name}/variant.yaml", f"id: {name}\nextends: ../{other}\n")
    entries, found = read("variants/a", "{id: i, extends: variants/b}")
    assert found == [
        "variants/c/variant.yaml:2:10: variants extend one another in a circle: variants/b ->"
        " variants/c -> variants/b"
    ]
    assert [entry.variant for entry in entries] == [None, None]
    assert [entry.id for entry in entries] == [None, "i"]


def test_a_variant_cannot_extend_itself_by_another_name() -> None:
    Path("variants/alias").symlink_to("base")
    write("variants/base/variant.yaml", dedent(BASE) + "extends: ../alias\n")
    _, found = read("variants/base")
    assert len(found) == 1
    assert "in a circle" in found[0]


def test_a_chain_has_an_end() -> None:
    for number in range(MAX_CHAIN + 5):
        write(f"variants/v{number}/variant.yaml", f"id: v{number}\nextends: ../v{number + 1}\n")
    write(f"variants/v{MAX_CHAIN + 5}/variant.yaml", "id: last\nextends: ../base\n")
    _, found = read("variants/v0")
    assert [problem.partition(": ")[2] for problem in found] == [
        f"more than {MAX_CHAIN} variants extend one another"
    ]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("../nowhere", "the variant folder ../nowhere does not exist"),
        ("../base/user.j2", "the variant folder ../base/user.j2 is a file, not a folder"),
        ("../docs", "does not exist"),
    ],
)
def test_what_is_extended_must_be_there(given: str, what: str) -> None:
    write("variants/child/variant.yaml", f"id: child\nextends: {given}\n")
    _, (found,) = read("variants/child")
    assert what in found


def test_extends_must_be_a_path() -> None:
    _, found = read("{id: i, extends: [variants/base], model: http/x, user: variants/base/user.j2}")
    assert found == ["x.yaml:2:22: variants[0].extends must be text"]


def test_a_recorded_variant_extends_another() -> None:
    write("variants/old/variant.yaml", "id: old\nrecorded: old.jsonl\nfacts: {model: m, k: 5}\n")
    write("variants/old/old.jsonl", "")
    entries, problems = read("{id: new, extends: variants/old, facts: {k: 6}}")
    assert problems == []
    variant = entries[0].variant
    assert not isinstance(variant, LiveVariant)
    assert variant is not None
    assert variant.facts == {"model": "m", "k": 6}
    assert variant.file == Path("variants/old/old.jsonl")
    assert entries[0].where_factor("k") == "x.yaml:2:49"
    assert entries[0].where_factor("model") == "variants/old/variant.yaml:3:16"


def test_a_live_variant_that_takes_a_recording_away() -> None:
    write("variants/old/variant.yaml", "id: old\nrecorded: old.jsonl\nfacts: {model: m, k: 5}\n")
    write("variants/old/old.jsonl", "")
    inline = (
        "{id: n, extends: variants/old, recorded: null, facts: null, model: http/m,"
        " user: variants/base/user.j2}"
    )
    (variant,) = live(inline)
    assert variant.model.id == "http/m"
