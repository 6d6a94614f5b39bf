"""Write the weights as the runtime reads them, with their checksums.

    python -m training.export --base build/local-model --out harness/embedded/data \
        --card training/card.json

The card says how much was drawn, from which seed: `training.leaks` draws it again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

MODELS: Mapping[str, tuple[str, ...]] = {
    "desk-base": ("base.npz",),
    "desk-tuned": ("base.npz", "tuned.npz"),
    "desk-tuned-no-abstentions": ("base.npz", "tuned_no_abstentions.npz"),
}
"""The models that are shipped, each by its files: a later one changes the earlier."""


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="the folder of the training")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kept = torch.load(options.base / "base.pt", weights_only=True)
    write_arrays(options.out / "base.npz", kept["weights"])
    for name in ("tuned", "tuned_no_abstentions"):
        weights = torch.load(options.base / f"{name}.pt", weights_only=True)
        write_arrays(options.out / f"{name}.npz", weights)
    config = json.dumps(kept["shape"], indent=2) + "\n"
    (options.out / "config.json").write_text(config, encoding="utf-8")
    shutil.copy(options.base / "tokenizer.json", options.out / "tokenizer.json")
    write_index(options.out)
    new, shipped = options.base / "card.json", options.card
    same = shipped.is_file() and weights_of(new) == weights_of(shipped)
    print("the weights are", "those of" if same else "others than those of", shipped)
    shutil.copy(new, shipped)


def weights_of(card: Path) -> str:
    """The hash of the weights that a card is of."""
    return str(json.loads(card.read_text(encoding="utf-8"))["weights_sha256"])


def write_arrays(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Arrays of 16 bits by the runtime's names."""
    arrays = {
        array_name(name): one.half().numpy()
        for name, one in sorted(weights.items())
        if not name.startswith("hint")  # for training alone
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]


def array_name(name: str) -> str:
    """The runtime's name: `layers.0.qkv` for `layers.0.qkv.weight`, LoRA's alike."""
    return name.replace(".weight", "")


def write_index(folder: Path) -> None:
    """`models.json`: each model's files, and the SHA-256 of every file."""
    files = sorted(path for path in folder.iterdir() if path.suffix in {".npz", ".json"})
    sums = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != "models.json"
    }
    index = {
        "models": {name: {"files": list(used)} for name, used in MODELS.items()},
        "sha256": sums,
    }
    (folder / "models.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
