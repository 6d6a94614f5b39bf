"""A folder of embedded models with random weights, of the form of those that come with harness."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from harness.embedded.chat import SPECIAL

CONFIG: dict[str, Any] = {
    "d_model": 64, "n_layers": 2, "n_heads": 4, "d_ff": 128, "vocab_size": 320, "d_copy": 32,
    "rope_base": 10000, "rope_share": 0.5, "max_tokens": 256, "conv_width": 4,
}  # fmt: skip
FULL_SIZE: dict[str, Any] = CONFIG | {
    "d_model": 256, "n_layers": 5, "d_ff": 512, "vocab_size": 3072, "d_copy": 128,
    "max_tokens": 1024,
}  # fmt: skip
PATTERN = r"\d{1,3}| ?[A-Za-z]+| ?[^\sA-Za-z0-9]+|\s"


def write_models(folder: Path, config: dict[str, Any] = CONFIG, seed: int = 0) -> Path:
    """Two models, `desk-base` and `desk-tuned` (the first with LoRA and other arrays on top)."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    base = weights(config, generator)
    _save(folder / "base.npz", base)
    _save(folder / "tuned.npz", _tuned(config, base, generator))
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(config["vocab_size"])))
    names = ["base.npz", "tuned.npz", "config.json", "tokenizer.json"]
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    models = {
        "desk-base": {"files": ["base.npz"]},
        "desk-tuned": {"files": ["base.npz", "tuned.npz"]},
    }
    (folder / "models.json").write_text(json.dumps({"models": models, "sha256": hashes}))
    return folder


def tokenizer(vocab_size: int) -> dict[str, Any]:
    """All bytes, then pairs of two letters, up to the size; then the special tokens."""
    letters = b" etaoinshrdlucmfwypvbgkqjxz0123456789"
    pairs = [bytes([a, b]) for a in letters for b in letters]
    numbers = [str(n).encode() for n in range(100, 1000)]
    extra = list(dict.fromkeys(pairs + numbers + [p + bytes([c]) for p in pairs for c in letters]))
    tokens = [bytes([i]) for i in range(256)] + [b"(\x01"]
    tokens += extra[: vocab_size - len(SPECIAL) - len(tokens)]
    return {
        "pattern": PATTERN,
        "tokens": [base64.b64encode(token).decode() for token in tokens],
        "special": list(SPECIAL),
    }


def weights(config: dict[str, Any], generator: np.random.Generator) -> dict[str, Any]:
    """Random arrays of a size that keeps the numbers near one, as training does."""

    def normal(*shape: int, scale: float = 1.0) -> Any:
        return scale * generator.standard_normal(shape) / np.sqrt(shape[-1])

    def near_one(n: int) -> Any:
        return 1 + 0.1 * generator.standard_normal(n)

    d, width = config["d_model"], config["d_model"] // config["n_heads"]
    found = {
        "embed": normal(config["vocab_size"], d),
        "marks": normal(2, d),
        "norm": near_one(d),
        "copy_query": normal(config["d_copy"], d, scale=3),
        "copy_key": normal(config["d_copy"], d),
        "copy_key_before": normal(config["d_copy"], d),
        "sentinel": normal(d),
        "sentinel_bias": np.array([1.0]),
    }
    for i in range(config["n_layers"]):
        layer = {
            "attn_norm": near_one(d),
            "attn_conv": 0.3 * generator.standard_normal((config["conv_width"], d)),
            "qkv": normal(3 * d, d),
            "q_norm": near_one(width),
            "k_norm": near_one(width),
            "out": normal(d, d),
            "mlp_norm": near_one(d),
            "mlp_conv": 0.3 * generator.standard_normal((config["conv_width"], d)),
            "gate_up": normal(2 * config["d_ff"], d),
            "down": normal(d, config["d_ff"]),
        }
        found |= {f"layers.{i}.{name}": array for name, array in layer.items()}
    return found


def _tuned(
    config: dict[str, Any], base: dict[str, Any], generator: np.random.Generator
) -> dict[str, Any]:
    name = "layers.0.qkv"
    n_out, n_in = base[name].shape
    return {
        f"{name}.lora_a": generator.standard_normal((4, n_in)) / 8,
        f"{name}.lora_b": generator.standard_normal((n_out, 4)) / 8,
        "norm": 1 + 0.1 * generator.standard_normal(config["d_model"]),
    }


def _save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **{name: np.asarray(array, np.float16) for name, array in arrays.items()})
