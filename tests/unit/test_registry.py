"""Scorers by name: built-in ones, installed ones, and what is wrong with the rest."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import BaseModel

from harness.config.experiment import ScorerSpec, load_experiment
from harness.errors import InputError
from harness.registry import (
    SCORERS,
    build_scorers,
    find,
    scorer_fingerprint,
    scorer_problems,
)

HEAD = "name: x\nevalset: set\nbaseline: a\nvariants: [{id: a, recorded: a.jsonl}]\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    (tmp_path / "a.jsonl").touch()


def specs(scorers: str) -> tuple[ScorerSpec, ...]:
    Path("x.yaml").write_text(f"{HEAD}primary: [a]\nscorers:\n{dedent(scorers)}")
    return load_experiment(Path("x.yaml")).scorers


def install(name: str, value: str) -> None:
    """A package in the working folder that brings a scorer."""
    folder = Path("brings-1.0.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: brings\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[harness.scorers]\n{name} = {value}\n")


@pytest.mark.parametrize("use", SCORERS)
def test_every_built_in_is_a_model_with_an_id(use: str) -> None:
    found = find("scorer", use)
    assert issubclass(found, BaseModel)
    assert "id" in found.model_fields
    assert found.model_config.get("extra") == "forbid"
    assert found.model_config.get("frozen") is True


def test_scorers_are_built_in_order_with_their_options() -> None:
    built = build_scorers(
        specs("- {id: right, use: numeric_match, marker: 'A:'}\n- {id: kind, use: label}\n")
    )
    assert [scorer.metrics[0].id for scorer in built] == ["right", "kind"]
    assert built[0].marker == "A:"  # type: ignore[attr-defined]


def test_unknown_scorers_and_options_are_told_with_everything_else() -> None:
    Path("x.yaml").write_text(
        f"{HEAD}primary: correct\nscorers:\n"
        "  - {id: a, use: exactmatch}\n"
        "  - {id: b, use: numeric_match, markr: x}\n"
        "  - id: c\n    use: retrieval\n    k: [0]\n"
    )
    with pytest.raises(InputError) as caught:
        load_experiment(Path("x.yaml"), scorer_problems=scorer_problems)
    found = [str(problem).replace("\n  hint:", " |") for problem in caught.value.problems]
    assert found[0] == "x.yaml:5:10: primary must be a list, not 'correct'"
    assert found[1] == (
        "x.yaml:7:18: no scorer is called 'exactmatch' | did you mean 'exact_match'?"
    )
    assert found[2] == "x.yaml:8:33: unknown key 'markr' | did you mean 'marker'?"
    assert found[3].startswith("x.yaml:11:9: scorers[2].k[0] must be")
    assert len(found) == 4


def test_building_raises_what_is_wrong() -> None:
    with pytest.raises(InputError, match="no scorer is called 'nothing'"):
        build_scorers(specs("- {id: a, use: nothing}\n"))
    with pytest.raises(InputError, match="no scorer is called 'labl'") as caught:
        find("scorer", "labl")
    assert caught.value.problems[0].hint == "did you mean 'label'?"


def test_an_installed_package_brings_a_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("brings.py").write_text(
        dedent("""\
        from pydantic import BaseModel, ConfigDict
        from harness.core.score import Metric, Scored

        class Length(BaseModel):
            model_config = ConfigDict(frozen=True, extra="forbid")
            id: str
            limit: int = 5

            @property
            def metrics(self):
                return (Metric(self.id),)

            def score(self, example, record):
                return {self.id: Scored(1.0)}
        """)
    )
    install("length", "brings:Length")
    monkeypatch.syspath_prepend(Path.cwd())
    try:
        (scorer,) = build_scorers(specs("- {id: short, use: length, limit: 3}\n"))
        assert scorer.metrics[0].id == "short"
        (problem,) = scorer_problems(specs("- {id: short, use: length, limt: 3}\n"))
        assert problem.where == "x.yaml:7:28"
        assert problem.hint == "did you mean 'limit'?"
    finally:
        sys.modules.pop("brings", None)


def test_paths_among_options_are_as_in_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("shapes").mkdir()
    Path("shapes/s.json").write_text('{"type": "array"}')
    entry = "- {id: a, use: json_schema, schema: '${HARNESS_SHAPES}/s.json'}\n"
    (problem,) = scorer_problems(specs(entry))
    assert problem.where == "x.yaml:7:37"
    assert "uses ${HARNESS_SHAPES}, which is not set" in problem.what
    monkeypatch.setenv("HARNESS_SHAPES", "shapes")
    (scorer,) = build_scorers(specs(entry))
    assert scorer.json_schema == {"type": "array"}  # type: ignore[attr-defined]
    (problem,) = scorer_problems(specs(entry.replace("${HARNESS_SHAPES}/s", "/dev/zero")))
    assert "/dev/zero" in problem.what
    (problem,) = scorer_problems(specs("- {id: a, use: json_schema, schema: /dev/zero}\n"))
    assert problem.what.endswith("cannot read the schema '/dev/zero': is not a regular file")


def test_numbers_among_options_are_numbers() -> None:
    found = scorer_problems(
        specs("""\
            - {id: a, use: numeric_match, abs_tolerance: "5"}
            - {id: b, use: field, path: x, lower: true}
            - {id: c, use: retrieval, k: [true]}
            - {id: d, use: regex, pattern: x, timeout_s: "1"}
            - {id: e, use: json_fields, fields: {x: {tolerance: true}}}
            - {id: f, use: python, call: "math:sqrt", upper: "2"}
            """)
    )
    assert [problem.what.partition(" must")[0] for problem in found] == [
        "scorers[0].abs_tolerance", "scorers[1].lower", "scorers[2].k[0]", "scorers[3].timeout_s",
        "scorers[4].fields.x.tolerance", "scorers[5].upper",
    ]  # fmt: skip


def prints(scorers: str) -> list[str]:
    return [scorer_fingerprint(scorer) for scorer in build_scorers(specs(scorers))]


def test_a_fingerprint_follows_all_that_the_figures_depend_on() -> None:
    first, *others = prints("""\
        - {id: a, use: exact_match}
        - {id: b, use: exact_match}
        - {id: c, use: exact_match, normalise: [lower]}
        - {id: d, use: token_f1}
        """)
    (same,) = prints("- {use: exact_match, normalise: [], where: {}, id: a}\n")
    assert same == first
    assert len({first, *others}) == 4
    (one,) = prints("- {id: a, use: exact_match, where: {input.x: 1, input.y: 2}}\n")
    (other,) = prints("- {id: a, use: exact_match, where: {input.y: 2, input.x: 1}}\n")
    assert one == other


def test_a_fingerprint_follows_the_content_of_a_schema_not_its_name() -> None:
    entry = "- {id: a, use: json_schema, schema: s.json}\n"
    found = []
    for content in ('{"type": "array"}', '{ "type":"array" }', '{"type": "object"}'):
        Path("s.json").write_text(content)
        found += prints(entry)
    Path("s.json").rename("t.json")
    found += prints(entry.replace("s.json", "t.json"))
    assert found[0] == found[1]
    assert found[2] == found[3] != found[0]


def test_a_fingerprint_follows_the_source_of_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path.cwd())
    Path("shown_of_a_test.py").write_text("from hidden_of_a_test import number\n")
    found = []
    try:
        for body in ("return 1", "return 1", "return 0.5"):
            Path("hidden_of_a_test.py").write_text(f"def number(*_):\n    {body}\n")
            found += prints("- {id: a, use: python, call: 'shown_of_a_test:number'}\n")
    finally:
        for name in ("shown_of_a_test", "hidden_of_a_test"):
            sys.modules.pop(name, None)
    assert found[0] == found[1] != found[2]
    assert prints("- {id: a, use: python, call: 'math:sqrt'}\n")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("no_such_module:Thing", "cannot be loaded: No module named 'no_such_module'"),
        ("pathlib:Nothing", "cannot be loaded"),
        ("pathlib:Path", "is not a pydantic model"),
    ],
)
def test_a_package_that_cannot_be_used_is_a_problem(
    value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("theirs", value)
    monkeypatch.syspath_prepend(Path.cwd())
    (problem,) = scorer_problems(specs("- {id: a, use: theirs}\n"))
    assert problem.where == "x.yaml:7:16"
    assert expected in problem.what
