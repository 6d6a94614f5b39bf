"""The models' files: whole, of the right form, and put together in order."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import CONFIG, write_models

from harness.embedded.weights import read_checked, read_config, read_listing, read_weights


def test_what_a_folder_lists(models: Path) -> None:
    listing = read_listing(models)
    assert listing.files == {
        "desk-base": ("base.npz",),
        "desk-tuned": ("base.npz", "tuned.npz"),
    }
    assert set(listing.sha256) == {"base.npz", "tuned.npz", "config.json", "tokenizer.json"}
    assert read_checked(listing, "base.npz") == models / "base.npz"


def test_sizes(models: Path) -> None:
    config = read_config(read_listing(models))
    assert {name: getattr(config, name) for name in CONFIG} == CONFIG
    assert config.head_dim == 16


def test_a_tuned_model_is_its_base_with_lora_and_other_arrays(models: Path) -> None:
    listing = read_listing(models)
    base, tuned = (read_weights(listing, name) for name in ("desk-base", "desk-tuned"))
    change = np.load(models / "tuned.npz")
    name = "layers.0.qkv"
    lora = change[f"{name}.lora_b"].astype(np.float32) @ change[f"{name}.lora_a"].astype(np.float32)
    assert np.array_equal(tuned[name], base[name] + lora)
    assert np.array_equal(tuned["norm"], change["norm"].astype(np.float32))
    same = set(base) - {name, "norm"}
    assert set(tuned) == set(base)
    assert all(np.array_equal(base[key], tuned[key]) for key in same)
    assert all(array.dtype == np.float32 for array in tuned.values())


@pytest.mark.parametrize("name", ["base.npz", "config.json", "tokenizer.json"])
def test_a_changed_file_is_told(name: str, tmp_path: Path) -> None:
    listing = read_listing(write_models(tmp_path))
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b" ")
    with pytest.raises(ValueError, match=rf"{name} is damaged: .* install harness again"):
        read_checked(listing, name)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    listing = read_listing(write_models(tmp_path))
    (tmp_path / "base.npz").unlink()
    with pytest.raises(ValueError, match=r"cannot read .*base\.npz: No such file"):
        read_weights(listing, "desk-base")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a list of models"),
        ('{"models": {"a": {}}, "sha256": {}}', "is not a list of models"),
        ('{"models": {"a": {"files": ["x.npz"]}}, "sha256": {}}', "has no sha256 of config.json"),
    ],
)
def test_a_wrong_list_is_told(content: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "models.json").write_text(content)
    with pytest.raises(ValueError, match=rf"models\.json {what}"):
        read_listing(tmp_path)


def test_no_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read .*models\.json"):
        read_listing(tmp_path)


@pytest.mark.parametrize("change", [{"d_model": None}, {"n_layers": 0}, {"d_ff": "many"}])
def test_wrong_sizes_are_told(change: dict[str, Any], tmp_path: Path) -> None:
    write_models(tmp_path)
    _replace(tmp_path, "config.json", json.dumps(CONFIG | change).encode())
    with pytest.raises(ValueError, match="does not give the sizes d_model, n_layers"):
        read_config(read_listing(tmp_path))


def test_pickled_objects_are_not_read(tmp_path: Path) -> None:
    write_models(tmp_path)
    np.savez(tmp_path / "base.npz", embed=np.array([{}], object))
    _replace(tmp_path, "base.npz", (tmp_path / "base.npz").read_bytes())
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_weights(read_listing(tmp_path), "desk-base")


def _replace(folder: Path, name: str, content: bytes) -> None:
    """Another file, which the list agrees with."""
    (folder / name).write_bytes(content)
    listing = json.loads((folder / "models.json").read_text())
    listing["sha256"][name] = hashlib.sha256(content).hexdigest()
    (folder / "models.json").write_text(json.dumps(listing))
