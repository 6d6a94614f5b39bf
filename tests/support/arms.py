"""Variants as arms, for tests of what differs between them."""

from hypothesis import strategies as st

from harness.core.factors import named_hash
from harness.core.values import JsonValue
from harness.planning.factors import Arm

ONE, TWO = named_hash("user.j2", "1f" * 32), named_hash("user.j2", "9c" * 32)
RETRIEVAL: dict[str, JsonValue] = {
    "retrieval.kind": "bm25",
    "retrieval.top_k": 20,
    "retrieval.corpus": named_hash("docs", "ab" * 32),
}


def arm(name: str, **factors: JsonValue) -> Arm:
    given = {"model": "http/a", "params.temperature": 0.0, "user_template": ONE}
    return Arm(name, given | {key.replace("__", "."): value for key, value in factors.items()})


def with_retrieval(name: str, **factors: JsonValue) -> Arm:
    return Arm(name, {**arm(name, **factors).factors, **RETRIEVAL})


def recorded(name: str, **facts: JsonValue) -> Arm:
    return Arm(name, facts, recorded=True)


EVERYTHING = (
    "model", "stream", "user_template", "base_url", "sdk", "training", "tools", "params",
    "retrieval", "rerank", "context", "few_shot", "system_template", "draft",
)  # fmt: skip


@st.composite
def arms_of_experiments(draw: st.DrawFn) -> list[Arm]:
    found = []
    for number in range(draw(st.integers(2, 6))):
        model = draw(st.sampled_from(["openai/a", "litellm/openai/a", "http/b"]))
        factors: dict[str, JsonValue] = {"model": model}
        for name, values in (("stream", [True, False]), ("user_template", [ONE, TWO])):
            factors[name] = draw(st.sampled_from(values))
        for name in ("base_url", "sdk.version", "training.method", "tools.policy", "params.seed"):
            if draw(st.booleans()):
                factors[name] = draw(st.integers(0, 1))
        if draw(st.booleans()):
            factors |= RETRIEVAL | {"context.order": draw(st.sampled_from(["rank", "reverse"]))}
            if draw(st.booleans()):
                factors["rerank.kind"] = "http"
        if draw(st.booleans()):
            factors["few_shot.from"] = draw(st.sampled_from(["x", "y"]))
        texts = {}
        for name in ("system_template", "user_template", "draft.user_template"):
            texts[name] = draw(st.sampled_from(["Q", "shots", "passages", "shots passages"]))
            factors[name] = texts[name]
        used = " ".join(texts.values())
        for part, word in (("few_shot", "shots"), ("retrieval", "passages")):
            if word not in used:  # `harness check` refuses such a variant
                factors = {name: v for name, v in factors.items() if not name.startswith(part)}
        if "retrieval.kind" not in factors:
            factors = {n: v for n, v in factors.items() if not n.startswith(("rerank", "context"))}
        found.append(Arm(f"v{number}", factors, texts=texts))
    return found
