"""The embedded models' files: which there are, that they are whole, and what is in them.

A folder of models holds `models.json`, `config.json`, `tokenizer.json` and the weights in `.npz`
files of float16. `models.json` names the files of every model and the SHA-256 of every file:

    {"models": {"desk-base": {"files": ["base.npz"]}}, "sha256": {"base.npz": "..."}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.core.values import fingerprint
from harness.files import sha256

Weights: TypeAlias = Mapping[str, NDArray[np.float32]]
"""A model's arrays by name."""

DATA = Path(__file__).parent / "data"
"""The models that come with harness."""

CONFIG, TOKENIZER, MODELS = "config.json", "tokenizer.json", "models.json"
_LORA_A, _LORA_B = ".lora_a", ".lora_b"
_REINSTALL = "install harness again"


@dataclass(frozen=True, slots=True)
class Config:
    """The network's sizes. `max_tokens` bounds prompt and answer together."""

    d_model: int
    n_layers: int
    n_heads: int
    d_ff: int
    vocab_size: int
    d_copy: int
    rope_base: float
    rope_share: float
    max_tokens: int
    conv_width: int

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads


@dataclass(frozen=True, slots=True)
class Listing:
    """What `models.json` says: the files of every model, and every file's SHA-256."""

    folder: Path
    files: Mapping[str, tuple[str, ...]]
    sha256: Mapping[str, str]

    def identity(self, model: str) -> str:
        """A hash over all that a model's answers depend on: sizes, tokens, weights in order."""
        names = (CONFIG, TOKENIZER, *self.files[model])
        return fingerprint([self.sha256[name] for name in names])


def read_listing(folder: Path = DATA) -> Listing:
    """The models of a folder; their files are not read yet.

    Raises:
        ValueError: saying what is wrong with `models.json`.
    """
    found = _json(folder / MODELS)
    try:
        files = {
            str(name): tuple(map(str, entry["files"])) for name, entry in found["models"].items()
        }
        hashes = {str(name): str(value) for name, value in found["sha256"].items()}
        missing = {CONFIG, TOKENIZER, *(name for names in files.values() for name in names)}
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{folder / MODELS} is not a list of models; {_REINSTALL}") from None
    if missing := missing - set(hashes):
        raise ValueError(f"{folder / MODELS} has no sha256 of {min(missing)}; {_REINSTALL}")
    return Listing(folder, files, hashes)


def read_checked(listing: Listing, name: str) -> Path:
    """The path of one file of a folder, which is what `models.json` says it is.

    Raises:
        ValueError: if it is not there, or is another file.
    """
    path = listing.folder / name
    try:
        found = sha256(path)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}; {_REINSTALL}") from None
    if found != listing.sha256[name]:
        raise ValueError(
            f"{path} is damaged: its sha256 is {found[:12]}..., not "
            f"{listing.sha256[name][:12]}... as {MODELS} has it; {_REINSTALL}"
        )
    return path


def read_config(listing: Listing) -> Config:
    """The network's sizes.

    Raises:
        ValueError: if the file is damaged, or a size is missing or no positive number.
    """
    path = read_checked(listing, CONFIG)
    found = _json(path)
    kinds = {
        field.name: float if field.name.startswith("rope") else int for field in fields(Config)
    }
    try:
        sizes: dict[str, Any] = {name: kind(found[name]) for name, kind in kinds.items()}
    except (KeyError, TypeError, ValueError):
        sizes = {}
    if not sizes or min(sizes.values()) <= 0:
        raise ValueError(f"{path} does not give the sizes {', '.join(kinds)}; {_REINSTALL}")
    return Config(**sizes)


def read_weights(listing: Listing, model: str) -> dict[str, NDArray[np.float32]]:
    """A model's arrays by name, in float32.

    Its files are read in order. Of a later one, `N.lora_a` (r, in) and `N.lora_b` (out, r) are
    added to `N` (out, in) as their product (Hu et al., LoRA, 2021); any other array replaces.

    Raises:
        ValueError: if a file is damaged.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for name in listing.files[model]:
        found = _arrays(read_checked(listing, name))
        for key, array in found.items():
            if key.endswith(_LORA_A):
                base = key.removesuffix(_LORA_A)
                weights[base] = weights[base] + found[base + _LORA_B] @ array
            elif not key.endswith(_LORA_B):
                weights[key] = array
    return weights


def _arrays(path: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}; {_REINSTALL}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); {_REINSTALL}") from None
