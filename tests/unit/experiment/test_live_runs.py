"""Experiments with live variants, run against a real server: what goes out and what is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import live_desk as desk
import pytest
from model_server import Asked, Fail, ModelServer, Say

import harness
from harness.core.record import Record
from harness.errors import InputError, ServiceDownError
from harness.experiment.gate import gate_run
from harness.experiment.merge import compare_runs
from harness.experiment.run import run_experiment
from harness.storage.baselines import save_baseline

TWO = ("id: a", "id: b\nmodel: http/n")


def recorded(name: str, n: int = 12) -> str:
    rows = [json.dumps({"id": f"e{i:03d}", "output": str(i)}) + "\n" for i in range(n)]
    Path(f"{name}.jsonl").write_text("".join(rows))
    return f"id: {name}\nrecorded: ../{name}.jsonl"


def test_recorded_and_live_variants_in_one_experiment(here: Path, server: ModelServer) -> None:
    desk.config("id: a", recorded("old"), url=server.openai_url)
    run = desk.run()
    assert len(server.requests) == 12
    assert {row["path"] for row in desk.trials(run, "a")} <= {"cold", "warm"}
    assert {row["path"] for row in desk.trials(run, "old")} == {"recorded"}
    assert {row["status"] for row in desk.trials(run)} == {"ok"}
    manifest = run.data.manifest
    assert [
        sorted(facts.keys() & {"components", "recorded"}) for facts in manifest["variants"]
    ] == [
        ["components"],
        ["recorded"],
    ]
    only = desk.run(variants=("a",))
    assert {row["variant"] for row in desk.trials(only)} == {"a"}


def test_a_repeat_has_a_seed_of_its_own(here: Path, server: ModelServer) -> None:
    desk.config("id: a\nparams: {seed: 7}", more="factors: []\n", url=server.openai_url)
    run = desk.run(repeats=3, limit=2, seed=5)
    assert sorted(body["seed"] for body in server.bodies) == [7, 7, 8, 8, 9, 9]
    assert sorted((row["example_id"], row["repeat"]) for row in desk.trials(run)) == [
        (f"e00{i}", repeat) for i in range(2) for repeat in range(3)
    ]
    assert run.data.manifest["execution"]["schedule_seed"] == 5


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_calls_at_once_than_asked_for(
    here: Path, server: ModelServer, concurrency: int
) -> None:
    desk.config(*TWO, url=server.openai_url)
    desk.run(concurrency=concurrency)
    for model in ("m", "n"):
        peers = {asked.peer for asked in server.requests if asked.body["model"] == model}
        assert 1 <= len(peers) <= 2 * concurrency  # one connection each, shared by both models
    assert len({asked.peer for asked in server.requests}) <= 2 * concurrency


def test_variants_of_one_example_are_close_in_time(here: Path, server: ModelServer) -> None:
    desk.config(*TWO, url=server.openai_url)
    run = desk.run(concurrency=1)
    questions = [desk.question(asked) for asked in server.requests]
    assert questions[::2] == questions[1::2]
    assert questions[::2] != sorted(questions[::2])
    blocks = {(row["example_id"], row["block"]) for row in desk.trials(run)}
    assert len(blocks) == 12


def test_every_trial_is_told_as_it_ends(here: Path, server: ModelServer) -> None:
    desk.config(*TWO, url=server.openai_url)
    told: list[object] = []

    class Told:
        def begin(
            self, variants: Sequence[str], n_each: int, in_flight: int, before: Sequence[Record]
        ) -> None:
            told.append((tuple(variants), n_each, in_flight, tuple(before)))

        def ended(self, record: Record) -> None:
            told.append((record.variant, record.example_id))

        def close(self) -> None:
            told.append("closed")

    run_experiment(desk.CONFIG, progress=Told())
    assert told[0] == (("a", "b"), 12, 8, ())
    assert told[-1] == "closed"
    assert len(set(told[1:-1])) == len(told[1:-1]) == 24


def test_a_run_beside_a_running_loop(here: Path, server: ModelServer) -> None:
    desk.config("id: a", more="factors: []\n", url=server.openai_url)

    async def cell() -> harness.Run:
        return harness.run("configs/desk.yaml", limit=3, concurrency=2)

    run = asyncio.run(cell())
    assert list(run.trials["status"]) == ["ok"] * 3
    assert run.data.manifest["partial"] == {"n_examples": 3, "of": 12}
    assert set(asyncio.run(cell()).trials["path"]) == {"cached"}  # from another thread


def test_every_problem_at_once_and_nothing_sent(here: Path, server: ModelServer) -> None:
    desk.config(
        "id: a\nuser: wrong.j2",
        "id: b\nmodel: nothing/m\nparams: {temprature: 1}",
        "id: c\nmodel: http/n\nparams: {seed: x}",
        recorded("old", n=11),
        more="factors: [model]\n",
        url=server.openai_url,
    )
    Path("configs/wrong.j2").write_text("\n{{ qestion }}")
    told = desk.refused()
    in_config = [int(text.split(":")[1]) for text in told if text.startswith("configs/desk.yaml")]
    assert in_config == sorted(in_config)
    for word in ("'qestion'", "'temprature'", "params.seed", "e011"):
        assert any(word in text for text in told), (word, told)
    assert len(told) == len(set(told))
    assert server.requests == []


def test_a_service_that_never_answers_ends_the_run(here: Path) -> None:
    with ModelServer(respond=lambda asked: Fail(401, "no such key")) as server:
        desk.config("id: a", more="factors: []\n", url=server.openai_url)
        with pytest.raises(ServiceDownError) as caught:
            desk.run(concurrency=2)
        assert caught.value.route == f"http/m @ 127.0.0.1:{server.port}"
        assert caught.value.why.startswith("authentication: ")
        assert len(server.requests) <= 11
    assert list(Path("reports/desk").iterdir()) == []


def test_an_outage_after_the_first_answer_is_lost_trials(here: Path) -> None:
    desk.examples(30)

    def say(asked: Asked) -> Say | Fail:
        return desk.echo(asked) if len(server.requests) < 2 else Fail(401, "no such key")

    with ModelServer(respond=say) as server:
        desk.config("id: a", more="factors: []\n", url=server.openai_url)
        run = desk.run(concurrency=1)
    kinds = [row["error_kind"] for row in desk.trials(run)]
    assert kinds.count(None) == 1
    assert kinds.count("authentication") == 29


def test_what_live_runs_leave_goes_on_the_whole_road(here: Path, server: ModelServer) -> None:
    quoted = "quoted by the model"
    output = "output: {rules: [{name: short, that: 'output | length < 3'}], repair: 1}"

    def say(asked: Asked) -> Say:
        first = len(asked.body["messages"]) == 1
        return Say(quoted) if first and "number 3?" in desk.question(asked) else desk.echo(asked)

    with ModelServer(respond=say) as talking:
        variants = (f"id: a\n{output}", f"id: b\nmodel: http/n\nuser: other.j2\n{output}")
        Path("configs").mkdir()
        Path("configs/other.j2").write_text("Please: {{ question }}")
        more = """\
        factors: [model]
        confounded_ok: [{pair: [b, a], reason: sold as one}]
        gate: {rules: [{metric: right, margin: 0.5}]}
        """
        desk.config(*variants, more=more, url=talking.openai_url)
        first, second = desk.run(), desk.run(concurrency=2)
    merged = compare_runs([first.path, second.path])
    names = [variant.id for variant in merged.comparison.variants]
    one, other = first.data.run_id, second.data.run_id
    assert names == [f"{one}:a", f"{one}:b", f"{other}:a", f"{other}:b"]
    assert [excused["pair"] for excused in merged.data.manifest["confounded"]] == [
        [f"{one}:a", f"{one}:b"],
        [f"{other}:a", f"{other}:b"],
    ]
    assert {pair.reason for pair in merged.comparison.confounded} == {"sold as one"}
    assert all(record.trace for record in merged.data.records)
    told = " ".join(merged.comparison.warnings)
    assert "did not run at the same time" in told
    assert "had 8 and 2 trials at once" in told
    assert "different prices" not in told
    assert gate_run(first.path, None, None).verdict
    folder = save_baseline(second.path, "released")
    held = b"".join(path.read_bytes() for path in folder.iterdir())
    assert quoted.encode() not in held
    baseline = harness.load_run(folder)
    assert baseline.trials["steps"].isna().all()
    assert baseline.trials["rejections"].isna().all()
    assert not baseline.trials["latency_s"].isna().any()
    assert gate_run(first.path, folder, None).verdict


def test_what_is_pinned_of_a_live_run(here: Path, server: ModelServer) -> None:
    owned = "id: a\noperations: {hours_to_change: 2}"
    desk.config(owned, more="factors: []\n", url=server.openai_url)
    manifest = json.loads((desk.run(limit=1).path / "manifest.json").read_text())
    execution = manifest["execution"]
    loop = execution.pop("event_loop")
    assert (loop["in_flight"], loop["in_flight_asked_for"]) == (8, 8)
    cost = {"spent_usd": 0.0, "avoided_usd": 0.0, "n_cached": 0, "n_unknown": 1}
    assert execution == {
        "concurrency": 8,
        "attempts": 4,
        "limits": {},
        "schedule_seed": 0,
        "most_at_once": {},
        "sentinel": {},
        "cost": cost,
    }
    assert manifest["events"] == []
    assert manifest["prices"]["used"] == {"http/m": None}
    assert manifest["tokens_counted_by"].startswith("tiktoken")
    (variant,) = manifest["variants"]
    assert variant["operations"] == {"hours_to_change": 2}
    assert variant["components"]["a"]["generate"]["base_url"] == server.openai_url


def test_recorded_experiments_are_as_they_were(here: Path) -> None:
    desk.config(recorded("old"), recorded("new"), more="")
    manifest = desk.run().data.manifest
    assert not manifest.keys() & {"execution", "prices", "tokens_counted_by"}
    assert manifest["confounded"] == []


def test_a_limit_of_hosts_stops_a_run(here: Path, server: ModelServer) -> None:
    desk.config("id: a", more="factors: []\nallowed_hosts: [localhost]\n", url=server.openai_url)
    with pytest.raises(InputError, match="would send data to 127"):
        desk.run()
    assert server.requests == []
