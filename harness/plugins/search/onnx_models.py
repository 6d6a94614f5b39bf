"""Transformer models in local ONNX folders: encoders and cross-encoders. Nothing is downloaded.

A folder holds `model.onnx` (or `onnx/model.onnx`) and `tokenizer.json`, as exporters write them.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationInfo

from harness.core.values import JsonValue, fingerprint, parse_json
from harness.files import sha256

Text: TypeAlias = str | tuple[str, str]
"""A text, or two that the model reads together: a query and a passage."""

TOKENIZER = "tokenizer.json"
MODEL_PLACES = ("model.onnx", "onnx/model.onnx")
DEFAULT_TOKENS = 512

_MOST_TOKENS = 100_000  # some tokenizers call "no limit" 1e30
_MOST_CHARACTERS_PER_TOKEN = 100  # a longer word is one unknown token to BERT's tokenizer
_LIMITS = (
    ("tokenizer_config.json", "model_max_length"),
    ("sentence_bert_config.json", "max_seq_length"),
    ("config.json", "max_position_embeddings"),
)
_MOST_CONFIG_BYTES = 50_000_000
_HOW_TO = (
    "nothing is downloaded: export the model once with "
    "`optimum-cli export onnx --model NAME FOLDER`, or copy a folder that holds "
    f"{MODEL_PLACES[0]} and {TOKENIZER}"
)


def model_folder(given: str, info: ValidationInfo) -> Path:
    """The folder that an option names, with all that a model needs in it; nothing is loaded.

    The validation's context is `{"folder": Path, "find_file": function}`.

    Raises:
        ValueError: if it is not there, or the extra `local` is not installed.
    """
    missing = [
        name for name in ("onnxruntime", "tokenizers") if importlib.util.find_spec(name) is None
    ]
    if missing:
        what = f"local models need {' and '.join(missing)}"
        raise ValueError(f"{what}: install the extra with `pip install 'harness[local]'`")
    context = info.context or {}
    find_file: Callable[[str], Path] = context.get(
        "find_file", Path(context.get("folder", "")).joinpath
    )
    try:
        folder = find_file(f"{given}/{TOKENIZER}").parent
        model_file(folder)
    except (OSError, ValueError) as error:
        raise ValueError(f"'{given}' is no folder of an ONNX model ({error}); {_HOW_TO}") from None
    return folder


def model_file(folder: Path) -> Path:
    """The file of the model's graph.

    Raises:
        ValueError: if the folder has none, or no tokenizer.
    """
    if not (folder / TOKENIZER).is_file():
        raise ValueError(f"it has no {TOKENIZER}")
    for place in MODEL_PLACES:
        if (folder / place).is_file():
            return folder / place
    raise ValueError(f"it has no {' nor '.join(MODEL_PLACES)}")


class OnnxModel:
    """A model and its tokenizer, loaded when first used. Safe to use from several threads.

    Each call computes on one thread, so that the same texts in the same batches always give the
    same figures. `max_tokens` cuts texts shorter than the folder's own limit does.
    """

    def __init__(self, folder: Path, max_tokens: int | None = None) -> None:
        self._folder = folder
        self._max_tokens = max_tokens
        self._lock = threading.Lock()

    @cached_property
    def identity(self) -> Mapping[str, JsonValue]:
        """The folder's name, the hash over graph, weights and tokenizer, and the length of texts.

        Raises:
            ValueError: if a file cannot be read.
        """
        graph = model_file(self._folder)
        files = [graph, *sorted(graph.parent.glob(f"{graph.name}?data*")), self._folder / TOKENIZER]
        try:
            hashes = {path.name: sha256(path) for path in files}
        except OSError as error:
            raise ValueError(f"cannot read the model: {error.strerror}") from None
        return {
            "model": self._folder.name,
            "sha256": fingerprint(hashes),
            "max_tokens": self.max_tokens,
            "onnxruntime": version("onnxruntime"),
        }

    @cached_property
    def max_tokens(self) -> int:
        """How many tokens of a text are read, special ones included; the rest is cut."""
        limits = [_limit(self._folder / name, key) for name, key in _LIMITS]
        known = [limit for limit in limits if limit is not None]
        most = min(known, default=DEFAULT_TOKENS)
        return most if self._max_tokens is None else min(most, self._max_tokens)

    def run(
        self, texts: Sequence[Text], outputs: Sequence[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """One batch through the model: the output and the attention mask, (texts, tokens).

        Args:
            texts: at least one; of a pair that is too long, the longer text is cut.
            outputs: names of outputs, the first that the model has is taken; else its first.

        Raises:
            ValueError: if the model or its tokenizer cannot be read, or does not take the texts.
        """
        tokenizer, session, names = self._loaded()
        most = self.max_tokens * _MOST_CHARACTERS_PER_TOKEN
        encodings = tokenizer.encode_batch([_cut(text, most) for text in texts])
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        every = {
            "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([encoding.type_ids for encoding in encodings], np.int64),
        }
        inputs = {item.name for item in session.get_inputs()}
        wanted = next((name for name in outputs if name in names), names[0])
        try:
            (found,) = session.run([wanted], {k: v for k, v in every.items() if k in inputs})
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no base
            raise ValueError(f"the model in '{self._folder.name}' failed: {error}") from None
        return np.asarray(found, np.float32), mask

    def _loaded(self) -> tuple[Any, Any, list[str]]:
        with self._lock:
            return self._tools

    @cached_property
    def _tools(self) -> tuple[Any, Any, list[str]]:
        """The tokenizer, the session and the names of the model's outputs."""
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; warnings are about how the graph was written
        try:
            tokenizer = Tokenizer.from_file(str(self._folder / TOKENIZER))
            session = onnxruntime.InferenceSession(
                str(model_file(self._folder)), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - neither library has a base of its errors
            what = f"the model in '{self._folder.name}' cannot be read: {error}"
            raise ValueError(what) from None
        tokenizer.enable_truncation(self.max_tokens)
        padding = dict(tokenizer.padding or {})
        token = padding.get("pad_token", "[PAD]")
        pad_id = padding.get("pad_id", tokenizer.token_to_id(token) or 0)
        side = padding.get("direction", "right")
        tokenizer.enable_padding(direction=side, pad_id=pad_id, pad_token=token)
        return tokenizer, session, [output.name for output in session.get_outputs()]


def _cut(text: Text, most: int) -> Text:
    return text[:most] if isinstance(text, str) else (text[0][:most], text[1][:most])


def _limit(path: Path, key: str) -> int | None:
    """A length that a model's config names, where it is one."""
    try:
        if path.stat().st_size > _MOST_CONFIG_BYTES:
            return None
        config = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    value = config.get(key) if isinstance(config, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 1 <= value <= _MOST_TOKENS else None
