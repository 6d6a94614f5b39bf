"""An embeddings endpoint on loopback that speaks OpenAI's wire format, for tests of its clients."""

import json
from collections.abc import Callable, Mapping, Sequence

from model_server import Asked, Reply


def embedding_server(
    vectors: Mapping[str, Sequence[float]], *, usage: bool = True
) -> Callable[[Asked], Reply]:
    """For `ModelServer(respond=...)`: a text's vector is the sum of those of its words.

    Vectors come in reverse order, as they may, and a word counts as a token.
    """
    zero = [0.0] * len(next(iter(vectors.values())))

    def vector(text: str) -> list[float]:
        known = [vectors.get(word, zero) for word in text.lower().split()]
        return [sum(column) for column in zip(zero, *known, strict=True)]

    def respond(asked: Asked) -> Reply:
        texts = asked.body["input"]
        data = [
            {"object": "embedding", "index": i, "embedding": vector(text)}
            for i, text in enumerate(texts)
        ]
        body = {"object": "list", "model": asked.body["model"], "data": data[::-1]}
        if usage:
            tokens = sum(len(text.split()) for text in texts)
            body["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        return Reply([json.dumps(body).encode()])

    return respond
