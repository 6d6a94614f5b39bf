"""Rubric judges behind a real server: what they are asked, and what becomes of what they say."""

from __future__ import annotations

import json
import re

import pyarrow.parquet as pq
import pytest
from live_project import LiveProject
from model_server import ModelServer, Say, error

CONFIG = """
    name: job
    evalset: ../evalsets/job
    baseline: secret_baseline
    variants:
      - {id: secret_baseline, model: http/m, base_url: "${HARNESS_BASE_URL}", user: ../user.j2}
      - {id: secret_other, model: http/n, base_url: "${HARNESS_BASE_URL}", user: ../user.j2}
    factors: [model]
    scorers:
      - id: desk
        use: rubric
        judge: {model: http/judge-1, base_url: "${HARNESS_BASE_URL}", params: {max_output_tokens: 300}}
        criteria: {groundedness: no claim of its own, tone: friendly}
    primary: [desk.tone]
    statistics: {resamples: 200}
"""  # noqa: E501
PRICES = {
    "date": "2026-11-01",
    "source": "a page",
    "models": {"http/judge-1": {"input_usd_per_million": 1000.0, "output_usd_per_million": 1000.0}},
}


def project(tmp_path, server, config=CONFIG, n=2):
    work = LiveProject(tmp_path, server.openai_url)
    work.write("user.j2", "{{ question }}")
    work.write("configs/job.yaml", config)
    rows = [
        {"id": f"e{i}", "input": {"question": f"May I return item {i}?"}, "target": "within 30 days"}
        for i in range(n)
    ]
    work.evalset("job", rows)
    return work


def ruling(verdict="true", quote="", reason="because"):
    return {"reason": reason, "quote": quote, "verdict": verdict}


def reply(**rulings):
    return Say(json.dumps(rulings))


def answering(judge, answers=None):
    """The systems say what `answers` has by their model, and the judge what `judge` says."""
    said = {"m": "Return it within 30 days.", "n": "No idea, go away."} | (answers or {})

    def respond(asked):
        model = asked.body["model"]
        return judge(asked) if model == "judge-1" else Say(said[model])

    return respond


def shown(asked, title):
    """A text as a reader who keeps to the markers sees it."""
    system, user = (message["content"] for message in asked.body["messages"])
    marker = re.search(r'"BEGIN \.\.\. ([0-9a-f]+)"', system)[1]
    found = re.search(f"^BEGIN {title} {marker}\n(.*?)\nEND {title} {marker}$", user, re.S | re.M)
    return found and found[1]


def judge(asked):
    polite = "days" in shown(asked, "Answer")
    quote = "within  30 Days" if polite else "we never said that"
    return reply(
        groundedness=ruling("true" if polite else "false", quote),
        tone=ruling(polite, shown(asked, "Answer")[:10]),
    )


def scores(run, metric, variant):
    rows = pq.read_table(run.folder / "scores.parquet").to_pylist()
    return [row for row in rows if (row["metric"], row["variant"]) == (metric, variant)]


def asked_of_judge(server):
    return [asked for asked in server.requests if asked.body["model"] == "judge-1"]


def test_a_verdict_by_criterion_with_its_quote(tmp_path):
    with ModelServer(respond=answering(judge)) as server:
        work = project(tmp_path, server)
        work.write("configs/prices/ours.yaml", json.dumps(PRICES))
        run = work.run("configs/job.yaml")
        asked = asked_of_judge(server)
        assert [body["model"] for body in server.bodies].index("judge-1") == 4
        assert len(asked) == 4
        work.run("configs/job.yaml")
        assert len(server.requests) == 8
    for one in asked:
        assert "secret_" not in one.raw.decode()
        assert shown(one, "Reference answer") == "within 30 days"
        assert "May I return item" in shown(one, "Request")
        schema = one.body["response_format"]["json_schema"]["schema"]
        assert schema["required"] == ["groundedness", "tone"]
    assert run.figure("secret_baseline", "desk.tone") == 1
    assert run.figure("secret_other", "desk.groundedness") == 0
    (row, _) = scores(run, "desk.groundedness", "secret_baseline")
    assert row["explanation"] == '"within 30 Days": because'
    (row, _) = scores(run, "desk.groundedness", "secret_other")
    assert row["explanation"] == 'quote not found: "we never said that": because'
    manifest = json.loads(run.text("manifest.json"))
    (facts,) = manifest["judging"]
    (told,) = facts["judges"]
    assert (told["model"], told["n_calls"], told["n_unparsed"]) == ("http/judge-1", 4, 0)
    assert (facts["id"], facts["criteria"]) == ("desk", ["groundedness", "tone"])
    assert len(told["prompt_sha256"]) == 64
    assert told["cost_usd"] > 0
    assert manifest["execution"]["cost"]["spent_usd"] == 0  # systems have no price
    assert manifest["execution"]["cost"]["n_unknown"] == 4


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("I think it is fine.", "the reply holds no verdict"),
        (json.dumps({"tone": ruling()}), "the reply says nothing of groundedness"),
        (json.dumps({"groundedness": ruling("perhaps")}), "none of true, false, not_applicable"),
        ('{"groundedness": {"verdict": ', "broken JSON"),
        (json.dumps({"groundedness": ruling()}) * 2, "2 verdicts"),
    ],
)
def test_what_cannot_be_read_is_missing(tmp_path, said, why):
    with ModelServer(respond=answering(lambda asked: Say(said))) as server:
        run = project(tmp_path, server, n=1).run("configs/job.yaml")
    (row,) = scores(run, "desk.groundedness", "secret_other")
    assert row["value"] is None
    assert why in row["unscored"]
    (facts,) = json.loads(run.text("manifest.json"))["judging"]
    assert facts["judges"][0]["n_unparsed"] == 2
