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


def test_every_key_is_described() -> None:
    for kind in ("experiment", "variant", "evalset", "gate"):
        schema = json.loads((SCHEMAS / f"{kind}.json").read_text())
        assert schema["description"]
        if kind != "gate":
            assert all(part.get("description") for part in schema["properties"].values()), kind
