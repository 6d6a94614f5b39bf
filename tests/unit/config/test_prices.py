"""The dated map, held against litellm's own arithmetic, and the user's prices."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.config.prices import load_prices
from harness.core.prices import Price, PriceBook, call_cost_usd
from harness.core.record import Usage
from harness.errors import Problem

SNAPSHOT = Path(__file__).parents[3] / "harness" / "config" / "data" / "prices.json"


def load(**texts: str) -> tuple[PriceBook, list[str]]:
    Path("prices").mkdir(exist_ok=True)
    for name, text in texts.items():
        Path("prices", f"{name}.yaml").write_text(text)
    problems: list[Problem] = []
    book = load_prices(Path(), problems)
    return book, [str(problem) for problem in problems]


def test_without_prices_of_ones_own_the_map_is_there() -> None:
    problems: list[Problem] = []
    book = load_prices(Path(), problems)
    assert problems == []
    assert book.date == "2026-11-20"
    assert dict(book.own) == {}
    assert book.facts["own"] == []
    assert book.facts["map"]["source"] == "litellm"
    assert book.facts["map"]["version"] == "1.106.2"
    assert book.facts["map"]["sha256"] == hashlib.sha256(SNAPSHOT.read_bytes()).hexdigest()
    price = book.price("openai/gpt-5.5")
    assert price is not None
    assert price.origin == "litellm 1.106.2, 2026-11-20"


LLAMA = """
date: 2026-11-01
source: our contract
models:
  http/llama-3.1-8b: {input_usd_per_million: 0.1, output_usd_per_million: 0.4}
  http/own: {usd_per_hour: 2}
"""
MORE = """
date: 2026-10-01
source: a price list
models:
  openai/gpt-5.5:
    input_usd_per_million: 4
    cached_input_usd_per_million: 0.4
    cache_write_usd_per_million: 5
    output_usd_per_million: 25
    usd_per_call: 0.001
"""


def test_prices_of_ones_own_go_first() -> None:
    book, problems = load(llama=LLAMA, more=MORE)
    assert problems == []
    origin = "prices/llama.yaml, 2026-11-01"
    llama = book.price("http/llama-3.1-8b")
    assert llama is not None
    assert (llama.input_usd, llama.output_usd) == pytest.approx((1e-7, 4e-7))
    assert llama.cached_input_usd is None
    assert llama.origin == origin
    assert book.price("http/own") == Price(usd_per_hour=2.0, origin=origin)
    own = book.price("openai/gpt-5.5", "priority")
    assert own is not None
    assert own.origin == "prices/more.yaml, 2026-10-01"
    assert (own.input_usd, own.cached_input_usd, own.cache_write_usd, own.output_usd) == (
        pytest.approx((4e-6, 4e-7, 5e-6, 25e-6))
    )
    assert own.usd_per_call == 0.001
    assert book.price("openai/gpt-5.4") is not None
    assert book.facts["own"] == [
        {
            "file": "prices/llama.yaml",
            "sha256": hashlib.sha256(LLAMA.encode()).hexdigest(),
            "date": "2026-11-01",
            "source": "our contract",
        },
        {
            "file": "prices/more.yaml",
            "sha256": hashlib.sha256(MORE.encode()).hexdigest(),
            "date": "2026-10-01",
            "source": "a price list",
        },
    ]
    json.dumps(book.facts)


OWN = "http/a: {usd_per_hour: 1}\n"
HEAD = "date: 2026-11-01\nsource: x\nmodels:\n"
WRONG = [
    ("http/a: {input_usd_per_milion: 1}", "4:12: unknown key 'input_usd_per_milion'"),
    ("http/a: {}", "4:11: models.http/a: needs a price, such as input_usd_per_million or"),
    ("http/a: {usd_per_hour: 1, usd_per_call: 1}", "4:11: models.http/a: is paid by the hour or"),
    ("http/a: {usd_per_hour: -1}", "4:26: models.http/a.usd_per_hour must be at least 0, not -1"),
    ("http/a: {usd_per_hour: '1'}", "4:26: models.http/a.usd_per_hour must be a number, not '1'"),
    ("http/a: {usd_per_hour: .inf}", "4:26: usd_per_hour: numbers must be finite"),
    ("llama: {usd_per_hour: 1}", "4:3: models.llama must be provider/model"),
]


@pytest.mark.parametrize(("model", "expected"), WRONG)
def test_every_problem_has_its_place(model: str, expected: str) -> None:
    book, (problem,) = load(a=f"{HEAD}  {model}\n")
    assert problem.startswith(f"prices/a.yaml:{expected}")
    assert book.price("http/a") is None


def test_a_file_without_its_keys_and_one_that_is_no_yaml() -> None:
    _, problems = load(a="models: {}\n", b="{", c=f"{HEAD.replace('2026-11-01', 'soon')}  {OWN}")
    *first, last = (problem.partition("\n")[0] for problem in problems)
    assert first == [
        "prices/a.yaml:1:1: missing key 'date'",
        "prices/a.yaml:1:1: missing key 'source'",
        "prices/a.yaml:1:9: models must not be empty",
        "prices/b.yaml:1:2: broken YAML: while parsing a flow node, expected the node content, "
        "but found '<stream end>'",
    ]
    assert last.startswith("prices/c.yaml:1:7: date must be a ")


def test_a_misspelt_price_is_suggested() -> None:
    _, problems = load(a=f"{HEAD}  {WRONG[0][0]}\n")
    assert problems[0].endswith("hint: did you mean 'input_usd_per_million'?")


def test_a_price_that_is_given_twice() -> None:
    _, problems = load(a=LLAMA, b=LLAMA)
    assert problems == [
        f"prices/b.yaml:{line}:3: the price of {model} is also in prices/a.yaml, 2026-11-01"
        for line, model in ((5, "http/llama-3.1-8b"), (6, "http/own"))
    ]


def test_a_file_that_would_be_passed_over_is_told() -> None:
    Path("prices").mkdir()
    Path("prices/a.yml").write_text(LLAMA)
    Path("prices/README.md").write_text("ours")
    _, problems = load()
    assert problems == [
        "prices/a.yml: is not read: the name of a file with prices ends in .yaml\n"
        "  hint: rename it to a.yaml"
    ]


def test_what_is_no_file_is_told_and_not_waited_for() -> None:
    Path("prices").mkdir()
    os.mkfifo("prices/pipe.yaml")
    Path("prices/folder.yaml").mkdir()
    Path("prices/lost.yaml").symlink_to("nowhere")
    _, problems = load()
    assert [problem.partition(":")[0] for problem in problems] == [
        "prices/folder.yaml", "prices/lost.yaml", "prices/pipe.yaml",
    ]  # fmt: skip


ASKED = [  # (our name, litellm's name, its provider, tier, prompt, cached, written, completion)
    ("openai/gpt-5.5", "gpt-5.5", "openai", None, 1000, 0, 0, 200),
    ("openai/gpt-5.5", "gpt-5.5", "openai", None, 1000, 600, 0, 200),
    ("openai/gpt-5.5", "gpt-5.5", "openai", "flex", 1000, 600, 0, 200),
    ("openai/gpt-5.5", "gpt-5.5", "openai", "priority", 1000, 600, 0, 200),
    ("openai/gpt-5.5", "gpt-5.5", "openai", None, 300_000, 100_000, 0, 200),
    ("openai/gpt-4o-mini", "gpt-4o-mini", "openai", None, 1000, 300, 0, 200),
    ("openai/ft:gpt-4o-mini-2024-07-18:acme::1", "ft:gpt-4o-mini-2024-07-18:acme::1", "openai",
     None, 1000, 300, 0, 200),
    ("anthropic/claude-sonnet-4-5", "claude-sonnet-4-5", "anthropic", None, 1000, 600, 300, 200),
    ("litellm/mistral/mistral-large-latest", "mistral/mistral-large-latest", "mistral", None,
     1000, 0, 0, 200),
    ("openai/text-embedding-3-small", "text-embedding-3-small", "openai", None, 1000, 0, 0, 0),
]  # fmt: skip

ORACLE = """
import json, sys
from litellm import cost_per_token
from litellm.types.utils import PromptTokensDetailsWrapper, Usage
costs = []
for _, model, provider, tier, prompt, cached, written, completion in json.load(sys.stdin):
    usage = Usage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion,
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=cached, cache_creation_tokens=written),
        cache_read_input_tokens=cached, cache_creation_input_tokens=written,
    )
    kind = "embedding" if "embedding" in model else "completion"
    costs.append(sum(cost_per_token(
        model=model, custom_llm_provider=provider, usage_object=usage, service_tier=tier,
        call_type=kind)))
print(json.dumps(costs))
"""


def test_costs_are_those_that_litellm_reckons() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ORACLE],
        input=json.dumps(ASKED),
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        check=True,
    )
    book = load_prices(Path(), [])
    ours = [
        call_cost_usd(book.price(model, tier), Usage(prompt, cached, completion, written))
        for model, _, _, tier, prompt, cached, written, completion in ASKED
    ]
    assert ours == pytest.approx(json.loads(done.stdout.splitlines()[-1]), rel=1e-9)
    assert all(ours)


def test_the_map_is_plain_and_lean() -> None:
    found = json.loads(SNAPSHOT.read_text())
    assert SNAPSHOT.stat().st_size < 700_000
    assert found["columns"] == ["input", "cached_input", "cache_write", "output"]
    assert list(found["models"]) == sorted(found["models"])
    for entry in found["models"].values():
        for row in entry["usd"].values():
            assert len(row) == 4
            assert all(usd is None or 0 <= usd < 1 for usd in row)
        assert entry["usd"].get("standard") or any(row[0] for row in entry["usd"].values())


def test_prices_that_do_not_hang_on_tokens_alone_are_unknown() -> None:
    book = load_prices(Path(), [])
    for model in ("dashscope/qwen-turbo", "dashscope/qwen-flash", "perplexity/sonar"):
        assert book.price(f"litellm/{model}") is None
