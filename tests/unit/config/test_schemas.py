"""The JSON Schemas that editors complete YAML with: current, valid, and as strict as we are."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from harness.config.source import read_yaml

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "docs" / "schema"


def validator(kind: str) -> Any:
    return jsonschema_rs.validator_for(json.loads((SCHEMAS / f"{kind}.json").read_text()))


def test_the_committed_schemas_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "write_schemas.py", "--check"],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("experiment", "configs/*.yaml"),
        ("experiment", "configs/reference/*.yaml"),
        ("variant", "variants/*/variant.yaml"),
        ("gate", "configs/gates/*.yaml"),
        ("evalset", "evalsets/*/evalset.yaml"),
    ],
)
def test_every_file_of_ours_fits_its_schema(kind: str, pattern: str) -> None:
    files = sorted(ROOT.glob(pattern))
    assert files
    for path in files:
        source = read_yaml(path, [])
        assert source is not None
        errors = [error.message for error in validator(kind).iter_errors(source.data)]
        assert errors == [], path


def test_a_typo_does_not_fit() -> None:
    good = {
        "name": "x", "evalset": "e", "baseline": "a", "variants": ["../a"], "primary": ["c"],
        "scorers": [{"id": "c", "use": "numeric_match", "marker": "A:"}],
    }  # fmt: skip
    schema = validator("experiment")
    assert schema.is_valid(good)
    assert schema.is_valid({**good, "scorers": [{"id": "c", "use": "of_a_plugin", "x": 1}]})
    assert not schema.is_valid({**good, "scorer": []})
    assert not schema.is_valid({**good, "scorers": [{"id": "c", "use": "label", "markr": 1}]})
    assert not schema.is_valid({**good, "variants": [{"id": "a", "recorde": "x"}]})


FULL = {
    "id": "v", "model": "http/x", "user": "user.j2", "params": {"temperature": 0},
    "few_shot": {"from": "shots.jsonl", "count": 2},
    "retrieval": {"kind": "bm25", "corpus": "docs", "k1": 1.2},
    "tools": {"use": [{"kind": "python", "functions": ["m:f"]}]},
    "fallback": {"answer": {"to": "human"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"modle": "x"}, False),
        ({"model": None}, False),
        ({"params": {"temprature": 0}}, False),
        ({"few_shot": {"count": 2}}, False),
        ({"extends": "../base", "model": None}, True),
        ({"extends": "../base", "few_shot": {"count": 2}}, True),
        ({"extends": "../base", "few_shot": {"cuont": 2}}, False),
        ({"extends": "../base", "params": {"seed": None}}, True),
        ({"extends": "../base", "params": {"seed": "x"}}, False),
        ({"extends": "../base", "tools": {"use": [{}]}}, False),
        ({"extends": "../base", "output": {"repair": 2}, "fallback": {"when": "x"}}, True),
        ({"recorded": "x.jsonl"}, False),
    ],
)
def test_variants_fit_as_harness_reads_them(change: dict[str, Any], fits: bool) -> None:
    value = {**FULL, **change}
    assert validator("variant").is_valid(value) == fits
    experiment = {
        "name": "x", "evalset": "e", "baseline": "a", "variants": ["../a", value],
        "primary": ["c"], "scorers": [{"id": "c", "use": "label"}],
    }  # fmt: skip
    assert validator("experiment").is_valid(experiment) == fits


def test_a_variant_that_extends_gives_what_it_changes() -> None:
    assert validator("variant").is_valid({"id": "v", "extends": "../base"})
    assert validator("variant").is_valid({"id": "v", "extends": "../base", "facts": {"k": 1}})
    assert not validator("variant").is_valid({"extends": "../base"})
    assert validator("variant").is_valid({"id": "v", "recorded": "x.jsonl"})


def test_every_key_is_described() -> None:
    for kind in ("experiment", "variant", "evalset", "gate"):
        schema = json.loads((SCHEMAS / f"{kind}.json").read_text())
        assert schema["description"]
        if kind != "gate":
            assert all(part.get("description") for part in schema["properties"].values()), kind
