"""Forecasts of real experiments, held against what their runs take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import desk_model
import live_desk as desk
import pytest
from model_server import Asked, Call, ModelServer, Say

from harness.corpus.tokens import count_tokens
from harness.experiment.forecast import VariantForecast, forecasts
from harness.experiment.frames import Run
from harness.experiment.prepare import Options, prepare
from harness.experiment.run import run_experiment

ROOT = Path(__file__).resolve().parents[3]
N = 40


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer(respond=desk_model.answer) as running:
        yield running


def forecast(path: Path, limit: int | None = None) -> dict[str, VariantForecast]:
    return {one.id: one for one in forecasts(prepare(path, Options(limit=limit)))}


def calls(run: Run) -> Counter[str]:
    """Calls of models by variant: the steps that name a model."""
    return Counter(
        row["variant"]
        for row in desk.trials(run)
        for step in row["steps"]
        if "model" in step["detail"]
    )


@pytest.mark.parametrize("name", ["techniques", "patterns"])
def test_the_real_number_of_calls_lies_between(
    name: str, model: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HARNESS_BASE_URL", model.openai_url)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    path = ROOT / f"examples/techniques/{name}.yaml"
    told, n_before = forecast(path, N), len(model.requests)
    made = calls(run_experiment(path, Options(limit=N, out=tmp_path)))
    asked = [body["messages"][-1]["content"] for body in model.bodies[n_before:]]
    n_sentinels = asked.count("Reply with one word: ready")
    assert len(asked) - n_sentinels == sum(made.values())
    assert made.keys() == told.keys()
    for variant, n_calls in made.items():
        assert told[variant].calls_least <= n_calls <= told[variant].calls_most, variant
        assert told[variant].usd_least is None
        assert told[variant].unpriced


def test_the_worst_model_makes_as_many_calls_as_were_told(here: Path) -> None:
    def worst(asked: Asked) -> Say:
        offered = asked.body.get("tools") and asked.body.get("tool_choice") != "none"
        said = len([m for m in asked.body["messages"] if m["role"] == "assistant"])
        if offered and said < 2:
            return Say(calls=(Call("look", '{"words": "x"}', f"c{said}"),))
        return Say("too long an answer")

    Path("worst_tools.py").write_text(
        'def look(words: str) -> str:\n    """Looks."""\n    return "x"\n'
    )
    tools = "tools: {use: [{kind: python, function: 'worst_tools:look'}], max_calls: 2}"
    output = "output: {rules: [{name: short, that: 'output | length < 3'}], repair: 2}"
    Path("plain").mkdir()
    Path("plain/ask.j2").write_text("{{ question }}")
    with ModelServer(respond=worst) as server:
        url = f"base_url: {server.openai_url}"
        Path("plain/variant.yaml").write_text(
            f"id: plain\nmodel: http/m\n{url}\nuser: ask.j2\noutput: {{repair: 1, rules: "
            "[{name: short, that: 'output | length < 3'}]}\n"
        )
        desk.config(
            f"id: a\n{tools}\n{output}\nfallback: ../plain",
            more="factors: []\n",
            url=server.openai_url,
        )
        told = forecast(desk.CONFIG, 3)["a"]
        run = desk.run(limit=3)
        assert len(server.requests) == told.calls_most == 3 * (1 + 2 + 2 + 2)
    assert {row["error_kind"] for row in desk.trials(run)} == {"rule"}


def test_the_real_cost_lies_between(here: Path) -> None:
    def counted(asked: Asked) -> Say:
        n_tokens = sum(count_tokens(m["content"]) for m in asked.body["messages"])
        text = "two words" if len(asked.body["messages"]) == 1 else "12"
        return Say(text, prompt_tokens=n_tokens, completion_tokens=count_tokens(text))

    Path("docs").mkdir()
    Path("docs/a.md").write_text("# A\n\nThe number 1 is one.\n\n## B\n\nThe number 2 is two.\n")
    Path("configs/prices").mkdir(parents=True)
    Path("configs/prices/own.yaml").write_text(
        "date: 2026-11-01\nsource: ours\nmodels:\n"
        "  http/m: {input_usd_per_million: 100, output_usd_per_million: 400}\n"
        "  http/hour: {usd_per_hour: 2}\n"
    )
    Path("configs/rag.j2").write_text(
        "{% for p in passages %}<p id={{ p.id }}>{{ p.text }}</p>{% endfor %}{{ question }}"
    )
    checked = "output: {rules: [{name: short, that: 'output | length < 3'}], repair: 2}"
    short = "params: {max_output_tokens: 20}"
    rag = "user: rag.j2\nretrieval: {corpus: ../docs, top_k: 2}\ncontext: {max_tokens: 100}"
    with ModelServer(respond=counted) as server:
        desk.config(
            f"id: a\n{short}\n{checked}",
            f"id: b\n{short}\n{checked}\n{rag}",
            "id: open",
            "id: hour\nmodel: http/hour",
            "id: nobody\nmodel: http/nobody",
            more="factors: [model, params, output, user_template, retrieval, context]\n",
            url=server.openai_url,
        )
        told, run = forecast(desk.CONFIG), desk.run()
    spent = Counter[str]()
    for row in desk.trials(run):
        spent[row["variant"]] += row["cost_usd"] or 0.0
    for variant in ("a", "b"):
        found = told[variant]
        assert found.usd_least is not None
        assert found.usd_most is not None
        assert 0 < found.usd_least < spent[variant] < found.usd_most
    assert told["open"].usd_most is None
    assert 0 < (told["open"].usd_least or 0) < spent["open"]
    assert (told["hour"].usd_least, told["hour"].usd_per_hour) == (None, {"http/hour": 2})
    assert (told["nobody"].usd_least, told["nobody"].unpriced) == (None, ("http/nobody",))
