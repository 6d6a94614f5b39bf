"""An eval set and a recording from relevance judgments and a ranked run.

    python scripts/trec_to_harness.py QRELS.jsonl RUN.jsonl FOLDER

QRELS holds {query_id, doc_id, relevance} a line, RUN {query_id, doc_id, score, variant}. Writes
FOLDER/examples.jsonl (an example a query; target.relevance maps document to grade) and
FOLDER/run.jsonl (output.ranking). configs/reference/trec_eval_sample.yaml reads both.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path


def convert(qrels: Path, run: Path, folder: Path) -> None:
    """Write `examples.jsonl`, `evalset.yaml` and `run.jsonl` into `folder`."""
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for row in _rows(qrels):
        grades[row["query_id"]][row["doc_id"]] = row["relevance"]
    rankings: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in _rows(run):
        rankings[row["query_id"]].append({"id": row["doc_id"], "score": row["score"]})
    folder.mkdir(parents=True, exist_ok=True)
    queries = sorted(grades.keys() & rankings.keys())
    examples = [
        {"id": q, "input": {"query": q}, "target": {"relevance": grades[q]}} for q in queries
    ]
    records = [{"id": q, "output": {"ranking": rankings[q]}} for q in queries]
    for name, rows in (("examples.jsonl", examples), ("run.jsonl", records)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "evalset.yaml").write_text("name: trec_eval_sample\n", encoding="utf-8")


def _rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    convert(*(Path(argument) for argument in sys.argv[1:]))
