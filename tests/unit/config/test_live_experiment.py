# ruff: noqa: E501 - whole messages stand on one line
"""Experiments with live variants: factors, excuses, execution, allowed hosts."""

from pathlib import Path

import pytest
from variant_files import write

from harness.config.experiment import Experiment, draft_experiment, load_experiment
from harness.core.experiment import Excuse, Execution
from harness.core.variant import LiveVariant
from harness.errors import InputError

GOOD = """\
name: live
evalset: set
baseline: plain
variants:
  - v/plain
  - {id: hot, extends: v/plain, params: {temperature: 1}}
  - {id: old, recorded: old.jsonl, facts: {owner: them}}
factors: [params.temperature, owner]
confounded_ok: [{pair: [plain, old], reason: nobody knows its prompt}]
execution: {concurrency: 2, attempts: 1}
allowed_hosts: [127.0.0.1, "*.internal"]
scorers: [{id: correct, use: exact_match}]
primary: [correct]
"""


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    Path("set").mkdir()
    Path("old.jsonl").touch()
    write("v/plain/variant.yaml", "id: plain\nmodel: http/x\nuser: user.j2\n")
    write("v/plain/user.j2", "{{ question }}")


def load(text: str = GOOD) -> Experiment:
    write("x.yaml", text)
    return load_experiment(Path("x.yaml"))


def problems(old: str, new: str) -> list[str]:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load(GOOD.replace(old, new))
    return [str(problem).replace("\n  hint:", " |") for problem in caught.value.problems]


def test_everything_is_read() -> None:
    experiment = load()
    assert [variant.id for variant in experiment.variants] == ["plain", "hot", "old"]
    assert [variant.id for variant in experiment.live] == ["plain", "hot"]
    assert [variant.id for variant in experiment.recorded] == ["old"]
    assert experiment.factors == ("params.temperature", "owner")
    assert experiment.factors_limited
    assert experiment.confounded_ok == (Excuse(("plain", "old"), "nobody knows its prompt"),)
    assert experiment.execution == Execution(concurrency=2, attempts=1)
    assert experiment.allowed_hosts == ("127.0.0.1", "*.internal")


def test_what_is_left_out_has_a_default() -> None:
    lines = GOOD.splitlines(keepends=True)
    experiment = load("".join(lines[:7] + lines[11:]))
    assert (experiment.factors, experiment.factors_limited) == ((), True)
    assert experiment.confounded_ok == ()
    assert experiment.execution == Execution(concurrency=8, attempts=4)
    assert experiment.allowed_hosts is None
    assert (
        load(GOOD.replace("[127.0.0.1, ", "[").replace('["*.internal"]', "[]")).allowed_hosts == ()
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[params.temperature,", "[params.temprature,", "x.yaml:8:11: the factor 'params.temprature' is a factor of no variant | did you mean 'params.temperature'?"),
        ("[params.temperature,", "[retreival,", "x.yaml:8:11: the factor 'retreival' is a factor of no variant | did you mean 'retrieval'?"),
        ("[params.temperature,", "[user,", "x.yaml:8:11: the factor 'user' is a factor of no variant | did you mean 'user_template'?"),
        ("[params.temperature,", "[system,", "x.yaml:8:11: the factor 'system' is a factor of no variant | did you mean 'system_template'?"),
        ("[params.temperature,", "[prompt,", "x.yaml:8:11: the factor 'prompt' is a factor of no variant | did you mean 'user_template'?"),
        ("[params.temperature,", "[temperature,", "x.yaml:8:11: the factor 'temperature' is a factor of no variant | did you mean 'params.temperature'?"),
        ("owner]", "owner, owner]", "x.yaml:8:10: factors: 'owner' is named twice"),
        ("[plain, old]", "[plain, olds]", "x.yaml:9:32: there is no variant 'olds' | did you mean 'old'?"),
        ("[plain, old]", "[plain, plain]", "x.yaml:9:24: 'plain' twice is no pair"),
        ("[plain, old]", "[plain]", "x.yaml:9:24: confounded_ok[0].pair: a pair is of two variants, not 1"),
        ("reason: nobody knows its prompt", "reason: ''", "x.yaml:9:46: confounded_ok[0].reason must not be empty"),
        (", reason: nobody knows its prompt", "", "x.yaml:9:17: missing key 'reason'"),
        ("prompt}]", "prompt}, {pair: [old, plain], reason: x}]", "x.yaml:9:79: the pair old and plain is excused twice"),
        ("concurrency: 2", "concurrency: 0", "x.yaml:10:26: execution.concurrency must be at least 1, not 0"),
        ("concurrency: 2", "concurrency: 1001", "x.yaml:10:26: execution.concurrency must be at most 1000, not 1001"),
        ("attempts: 1", "attempts: 11", "x.yaml:10:39: execution.attempts must be at most 10, not 11"),
        ("attempts", "atempts", "x.yaml:10:29: unknown key 'atempts' | did you mean 'attempts'?"),
        ("[127.0.0.1,", "['http://a',", "x.yaml:11:17: allowed_hosts[0] must be a host or a pattern of hosts"),
        ("temperature: 1}", "temperature: x}", "x.yaml:6:55: params.temperature must be a number, not 'x'"),
        ("id: hot", "id: plain", "x.yaml:6:10: two variants are called 'plain' (the first at v/plain/variant.yaml:1:5)"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place(old: str, new: str, expected: str) -> None:
    found = problems(old, new)
    assert any(problem.startswith(expected) for problem in found), found


@pytest.mark.parametrize("pair", ["[plain]", "[plain, plain]", "[plain, bb]", "plain", "[]"])
def test_a_wrong_pair_is_told_once(pair: str) -> None:
    found = problems("[plain, old]", pair)
    assert len([text for text in found if ":9:" in text]) == 1, found
    doubled = f"{pair}, reason: so}}, {{pair: {pair}"
    found = problems("[plain, old]", doubled)
    assert len([text for text in found if ":9:" in text]) == 2, found


def test_the_route_to_a_model_may_be_a_factor() -> None:
    named = ["sdk.route", "sdk.client", "sdk.api_version", "base_url"]
    assert load(GOOD.replace("owner]", f"owner, {', '.join(named)}]")).factors[2:] == tuple(named)


def test_a_part_that_no_variant_has_may_be_a_factor() -> None:
    assert load(GOOD.replace("owner]", "owner, retrieval, sdk, tools]")).factors[-1] == "tools"


def test_a_draft_keeps_what_could_be_read() -> None:
    write("x.yaml", GOOD.replace("temperature: 1", "temperature: x").replace("seed", "sed"))
    draft = draft_experiment(Path("x.yaml"))
    assert draft.experiment is None
    assert len(draft.problems) == 1
    plain, hot, old = draft.entries
    assert isinstance(plain.variant, LiveVariant)
    assert plain.live is not None
    assert (hot.id, hot.variant) == ("hot", None)
    assert old.recording is not None
    assert [recording.id for recording in draft.recordings] == ["old"]


def test_where_factors_are_written() -> None:
    write("x.yaml", GOOD)
    plain, hot, old = draft_experiment(Path("x.yaml")).entries
    assert hot.where_factor("params.temperature") == "x.yaml:6:55"
    assert hot.where_factor("user_template") == "v/plain/variant.yaml:3:7"
    assert hot.where_factor("retrieval.top_k") == "x.yaml:6:5"
    assert plain.where_factor("model") == "v/plain/variant.yaml:2:8"
    assert plain.where_factor("sdk.version") == "v/plain/variant.yaml:1:1"
    assert old.where_factor("owner") == "x.yaml:7:51"
