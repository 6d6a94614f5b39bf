"""Tiny models in ONNX folders, whose every figure can be worked out by hand."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

UNKNOWN = "[UNK]"
SPECIAL = ("[PAD]", UNKNOWN, "[CLS]", "[SEP]")
BATCH = ("texts", "tokens")


def encoder_folder(
    folder: Path,
    vectors: Mapping[str, Sequence[float]] | Iterable[str],
    *,
    token_types: bool = True,
    model_path: str = "model.onnx",
    max_length: int = 512,
    output: str = "last_hidden_state",
) -> Path:
    """An encoder that gives every known word its vector, and every other token zeros.

    Bare words have unit vectors of their own. With `output` "sentence_embedding" the model pools by
    itself: it gives the sum of the words' vectors, one row a text.
    """
    table = _table(vectors)
    build_tokenizer(folder, table, max_length)
    weights = np.vstack([np.zeros((len(SPECIAL), table_width(table))), *table.values()])
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["states"])]
    if output == "sentence_embedding":
        nodes += _masked_sum("states", "mask", output)
        shape: tuple[str | int, ...] = ("texts", weights.shape[1])
    else:
        nodes.append(helper.make_node("Identity", ["states"], [output]))
        shape = (*BATCH, weights.shape[1])
    _save(folder / model_path, nodes, weights, output, shape, token_types=token_types)
    return folder


def cross_encoder_folder(
    folder: Path,
    words: Iterable[str],
    *,
    labels: int = 1,
    token_types: bool = True,
    model_path: str = "model.onnx",
    max_length: int = 512,
) -> Path:
    """A cross-encoder whose logit is the sum, over known words, of count in query x in passage.

    With two `labels` the first logit is zero and the second is that sum. Without `token_types` the
    model cannot tell query from passage: its logit is half the sum of the squares of all counts.
    """
    table = _table(words)
    build_tokenizer(folder, table, max_length)
    weights = np.vstack([np.zeros((len(SPECIAL), table_width(table))), *table.values()])
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["states"])]
    if token_types:
        nodes += [
            helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["types", "mask"], ["of_passage"]),
            helper.make_node("Sub", ["mask", "of_passage"], ["of_query"]),
            *_masked_sum("states", "of_query", "query"),
            *_masked_sum("states", "of_passage", "passage"),
            helper.make_node("Mul", ["query", "passage"], ["products"]),
        ]
    else:
        nodes += [
            *_masked_sum("states", "mask", "all"),
            helper.make_node("Mul", ["all", "all"], ["squares"]),
            helper.make_node("Mul", ["squares", "half"], ["products"]),
        ]
    nodes.append(helper.make_node("ReduceSum", ["products", "axis"], ["score"], keepdims=1))
    if labels == 2:
        nodes.append(helper.make_node("Sub", ["score", "score"], ["zero"]))
        nodes.append(helper.make_node("Concat", ["zero", "score"], ["logits"], axis=1))
    else:
        nodes.append(helper.make_node("Identity", ["score"], ["logits"]))
    shape = ("texts", labels)
    _save(folder / model_path, nodes, weights, "logits", shape, token_types=token_types)
    return folder


def build_tokenizer(folder: Path, words: Iterable[str], max_length: int) -> None:
    """`tokenizer.json` of a lower-casing word tokenizer with BERT's special tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = f'{{"model_max_length": {max_length}}}'
    (folder / "tokenizer_config.json").write_text(config, encoding="utf-8")


def table_width(table: Mapping[str, np.ndarray]) -> int:
    """How many dimensions a word's vector has."""
    return len(next(iter(table.values())))


def _table(vectors: Mapping[str, Sequence[float]] | Iterable[str]) -> dict[str, np.ndarray]:
    if isinstance(vectors, Mapping):
        return {word: np.asarray(vector, np.float32) for word, vector in vectors.items()}
    words = list(vectors)
    return dict(zip(words, np.eye(len(words), dtype=np.float32), strict=True))


def _masked_sum(states: str, mask: str, name: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Unsqueeze", [mask, "last"], [f"{name}_mask"]),
        helper.make_node("Mul", [states, f"{name}_mask"], [f"{name}_states"]),
        helper.make_node("ReduceSum", [f"{name}_states", "axis"], [name], keepdims=0),
    ]


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    weights: np.ndarray,
    output: str,
    shape: Sequence[str | int],
    *,
    token_types: bool,
) -> None:
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if token_types else [])]
    mask = helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT)
    constants = {
        "table": weights.astype(np.float32),
        "axis": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
        "half": np.array(0.5, np.float32),
    }
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        [mask, *nodes],
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, BATCH) for name in names],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(constants[n], n) for n in constants if n in used],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
