"""Goes on with a run that has not ended well: with just the experiment that it was begun with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from harness.config.lock import Changes
from harness.config.suggest import listed
from harness.core.values import JsonValue, fingerprint
from harness.errors import InputError, Problem
from harness.experiment.components import model_choices
from harness.experiment.prepare import Options, Prepared
from harness.experiment.pricing import price_of
from harness.storage.journal import Journal

_CHOSEN = ("limit", "variants", "repeats", "seed")
"""The options that a run keeps to its end."""
_CARRIED = ("concurrency", "cache", "budget_usd")
"""Those that hold until others are given; journals of older versions have none of them."""
_HASH_CHARS = 16


def header_of(ready: Prepared, options: Options, started: str) -> dict[str, JsonValue]:
    """What the journal of a run says of it: how it was begun, and what must not change."""
    return {
        "started": started,
        "command": list(options.command),
        "options": {name: _plain(getattr(options, name)) for name in (*_CHOSEN, *_CARRIED)},
        "in_flight": ready.experiment.execution.concurrency,
        "pins": pins_of(ready),
    }


def resumed_facts(ready: Prepared, options: Options, at: str) -> dict[str, JsonValue]:
    """What the journal says of a run that is gone on with: when, and what may be new about it."""
    return {
        "at": at,
        "options": {name: getattr(options, name) for name in _CARRIED},
        "in_flight": ready.experiment.execution.concurrency,
    }


def pins_of(ready: Prepared) -> dict[str, JsonValue]:
    """What the trials of a run depend on: two halves of one run must not differ in any of it."""
    evalset, experiment = ready.evalset, ready.experiment
    prices, choices = ready.setup.prices, model_choices(experiment.live)
    used = {model: price_of(prices, choice) for model, choice in choices.items()}
    return {
        "evalset": evalset.name,
        "examples": {
            example.id: evalset.hashes[example.id][:_HASH_CHARS] for example in evalset.examples
        },
        "corpus": evalset.corpus_sha256,
        "variants": {
            variant.id: {
                "fingerprint": variant.fingerprint,
                "facts": {name: fingerprint(fact) for name, fact in variant.facts.items()},
            }
            for variant in ready.variants
        },
        "prices": {model: fingerprint(price and asdict(price)) for model, price in used.items()},
        "repeats": experiment.repeats,
        "seed": experiment.analysis.seed,
    }


def resumed_options(given: Options, journal: Journal) -> Options:
    """The options that the run was begun with, and those of `given` that any run may have.

    Concurrency and budget are those that it had last, unless others are given; a run that asks for
    every answer anew does so to its end.

    Raises:
        InputError: if `given` has others than the run was begun with.
    """
    begun: Mapping[str, Any] = journal.header["options"]
    problems = []
    for name in _CHOSEN:
        wanted = getattr(given, name)
        if wanted is not None and _plain(wanted) != begun[name]:
            what = f"the run was begun {_flag(name, begun[name])}"
            problems.append(Problem(f"--{name}", what, "leave it away, or begin a new run"))
    if problems:
        raise InputError(problems)
    kept = {name: begun[name] for name in _CHOSEN}
    if kept["variants"] is not None:
        kept["variants"] = tuple(kept["variants"])
    last = dict(begun)
    for event in journal.events:
        last |= event.get("options") or {} if event["event"] == "resumed" else {}
    for name in ("concurrency", "budget_usd"):
        if getattr(given, name) is None:
            kept[name] = last.get(name)
    kept["cache"] = given.cache and last.get("cache", True)
    return replace(given, **kept)


def check_unchanged(ready: Prepared, journal: Journal) -> None:
    """Make sure that the rest of a run will be of the same experiment.

    Raises:
        InputError: naming all that has changed since the run was begun.
    """
    then, now = journal.header["pins"], pins_of(ready)
    told = list(_differences(then, now))
    if told:
        where = str(journal.path.parent)
        hint = "restore it to go on, or begin a new run without --resume"
        raise InputError(Problem(where, f"{what} since this run was begun", hint) for what in told)


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    name = now["evalset"]
    if then["evalset"] != name:
        yield f"the eval set is another: {name}, not {then['evalset']},"
    else:
        yield from _changed_examples(name, then["examples"], now["examples"])
    if then["corpus"] != now["corpus"]:
        yield f"the corpus of the eval set {name} has changed"
    for key in sorted({*then["variants"], *now["variants"]}):
        yield from _changed_variant(key, then["variants"].get(key), now["variants"].get(key))
    for model in sorted({*then["prices"], *now["prices"]}):
        if then["prices"].get(model) != now["prices"].get(model):
            yield f"the price of {model} has changed"
    for number in ("repeats", "seed"):
        if then[number] != now[number]:
            yield f"{number} has changed from {then[number]} to {now[number]}"


def _changed_examples(name: str, then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    changes = Changes.between(then, now)
    for ids, what in (
        (changes.changed, "changed"),
        (changes.added, "added"),
        (changes.removed, "removed"),
    ):
        if ids:
            examples = "1 example was" if len(ids) == 1 else f"{len(ids)} examples were"
            yield f"in the eval set {name}, {examples} {what} ({listed(ids)})"


def _changed_variant(
    key: str, then: Mapping[str, Any] | None, now: Mapping[str, Any] | None
) -> Iterator[str]:
    if then is None or now is None:
        yield f"the variant {key} was {'added' if then is None else 'removed'}"
    elif then["fingerprint"] != now["fingerprint"]:
        facts = {**then["facts"], **now["facts"]}
        named = [fact for fact in facts if then["facts"].get(fact) != now["facts"].get(fact)]
        yield f"the variant {key} has changed" + (f" in {listed(named)}" if named else "")


def _plain(value: Any) -> JsonValue:
    return list(value) if isinstance(value, tuple) else value


def _flag(name: str, value: Any) -> str:
    if value is None:
        return f"without --{name}"
    shown = ",".join(value) if isinstance(value, list) else value
    return f"with --{name} {shown}"
