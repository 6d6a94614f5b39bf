"""Search engines on loopback that speak the wire format of real ones and really search.

The functions answer for `ModelServer(respond=...)`.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_server import Asked, Reply

Doc = Mapping[str, Any]
_COMPARE = {"lt": operator.lt, "gt": operator.gt, "lte": operator.le, "gte": operator.ge}


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """A whole answer that is this JSON."""
    return Reply([json.dumps(value).encode()], status=status, headers=headers)


def open_search(
    docs: Mapping[str, Doc], properties: Mapping[str, Any], index: str = "docs"
) -> Callable[[Asked], Reply]:
    """An OpenSearch node with one index; a match scores as many words as text and query share."""

    def respond(asked: Asked) -> Reply:
        if asked.path == "/":
            version = {"distribution": "opensearch", "number": "3.1.0"}
            return json_reply({"cluster_name": "c", "version": version})
        name, _, action = asked.path.removeprefix("/").rpartition("/")
        if name != index:
            reason = f"no such index [{name}]"
            error = {"type": "index_not_found_exception", "reason": reason}
            return json_reply({"error": error, "status": 404}, 404)
        if action == "_mapping":
            return json_reply({index: {"mappings": {"properties": dict(properties)}}})
        return json_reply(_searched(docs, asked.body))

    return respond


def _searched(docs: Mapping[str, Doc], body: Mapping[str, Any]) -> Any:
    query = body["query"]["bool"]
    hidden = set(body["_source"]["excludes"])
    hits = []
    for identifier, source in docs.items():
        score = sum(_match(source, clause) for clause in query["must"])
        allowed = all(_passes(source, one) for one in query.get("filter", []))
        if score and allowed and not any(_passes(source, one) for one in query.get("must_not", [])):
            shown = {key: value for key, value in source.items() if key not in hidden}
            hits.append({"_index": "docs", "_id": identifier, "_score": score, "_source": shown})
    hits.sort(key=lambda hit: -hit["_score"])  # stable: ties stay as they were put in
    best = hits[0]["_score"] if hits else None
    return {
        "took": 1,
        "timed_out": False,
        "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": {"max_score": best, "hits": hits[: body["size"]]},
    }


def _match(source: Doc, clause: Any) -> float:
    if "match" in clause:
        ((field, asked),) = clause["match"].items()
        fields = [field]
    else:
        asked, fields = clause["multi_match"], clause["multi_match"]["fields"]
    found = 0.0
    for weighted in fields:
        field, _, weight = weighted.partition("^")
        shared = _words(asked["query"]) & _words(str(_at(source, field) or ""))
        found += len(shared) * float(weight or 1)
    return found


def _passes(source: Doc, clause: Any) -> bool:
    ((kind, rest),) = clause.items()
    ((field, wanted),) = rest.items()
    field = field.removesuffix(".keyword")
    held = _at(source, field)
    values = held if isinstance(held, list) else [] if held is None else [held]
    if kind == "terms":
        return any(value in wanted for value in values)
    assert kind == "range", kind
    ((compared, limit),) = wanted.items()
    return any(_COMPARE[compared](value, limit) for value in values)


def _at(source: Doc, path: str) -> Any:
    value: Any = source
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def reranker(
    score: Callable[[str, str], float], *, name: str = "relevance_score", key: str = "documents"
) -> Callable[[Asked], Reply]:
    """A Cohere-compatible `/rerank` that gives each document its `score(query, document)`."""

    def respond(asked: Asked) -> Reply:
        texts: Sequence[str] = asked.body[key]
        results = [
            {"index": index, name: score(asked.body["query"], text)}
            for index, text in enumerate(texts)
        ]
        results.sort(key=lambda result: -result[name])
        top = results[: asked.body.get("top_n", len(results))]
        if key == "texts":
            return json_reply(top)  # as text-embeddings-inference answers: a bare list
        billed = {"billed_units": {"search_units": 1}}
        return json_reply({"id": "r", "results": top, "meta": billed})

    return respond


def qdrant(client: Any) -> Callable[[Asked], Reply]:
    """A Qdrant server's REST interface before a `QdrantClient` of the local mode.

    Requests are read, and answers written, by the models of the official client.
    """
    from qdrant_client import models

    def respond(asked: Asked) -> Reply:
        if asked.path == "/":
            return json_reply({"title": "qdrant - vector search engine", "version": "1.16.0"})
        _, _, collection, *action = asked.path.split("/")
        if not client.collection_exists(collection):
            message = f"Not found: Collection `{collection}` doesn't exist!"
            return json_reply({"status": {"error": message}, "time": 0.0}, 404)
        if not action:
            return _qdrant_reply(client.get_collection(collection))
        assert action == ["points", "query"]
        request = models.QueryRequest.model_validate(asked.body)
        assert isinstance(request.query, list)
        found = client.query_points(
            collection,
            query=request.query,
            using=request.using,
            query_filter=request.filter,
            limit=request.limit,
            with_payload=request.with_payload,
        )
        return _qdrant_reply(found)

    return respond


def _qdrant_reply(result: Any) -> Reply:
    return json_reply({"result": result.model_dump(mode="json"), "status": "ok", "time": 0.0})
