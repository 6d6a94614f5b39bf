"""All that live variants need beside their files, built and checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.config.evalset import Examined
from harness.config.experiment import Draft
from harness.config.live import Live
from harness.config.live_checks import (
    input_fields,
    leak_problems,
    query_warnings,
    template_problems,
)
from harness.config.prices import load_prices
from harness.config.variant import Entry, RecordedVariant
from harness.core.experiment import Excuse, VariantFacts
from harness.core.pointwise import RubricSpec
from harness.core.prices import PriceBook
from harness.core.values import JsonValue, fingerprint
from harness.core.variant import LiveVariant
from harness.errors import Problem
from harness.experiment.arms import hashed, live_arm
from harness.experiment.components import Components, build_components, build_judges
from harness.experiment.judge_checks import judge_problems
from harness.experiment.limits import limit_problems
from harness.experiment.readiness import unready
from harness.experiment.rubrics import rubrics_of
from harness.planning.factors import Arm, Confounded, check, remarks
from harness.planning.ladder import ladder
from harness.plugins.search.metadata_filter import filter_problems
from harness.ports import Scorer


@dataclass(frozen=True, slots=True)
class LiveSetup:
    """The plugins and prices of a run, and how its variants differ.

    `arms` are all variants by their factors. `excused` are pairs that differ in more than the
    declared factors, with the reason why that was accepted; `ladder` says which variants would
    have to be added for each step to change one thing; `warnings` say what will disappoint.
    `judges` are the providers of models that judge, `rubrics` the scorers that they judge for.
    """

    components: Components = field(default_factory=Components)
    prices: PriceBook = field(default_factory=PriceBook)
    arms: tuple[Arm, ...] = ()
    excused: tuple[tuple[Confounded, str], ...] = ()
    ladder: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    judges: Components = field(default_factory=Components)
    rubrics: tuple[RubricSpec, ...] = ()

    def variant_facts(self, variant: LiveVariant) -> VariantFacts:
        """What is known of a live variant; its fingerprint covers every plugin's identity."""
        (factors,) = (arm.factors for arm in self.arms if arm.id == variant.id)
        plugins = [self.components.facts(inner) for inner in variant.variants()]
        defined = fingerprint({"factors": hashed(factors), "plugins": plugins})
        return VariantFacts(variant.id, defined, dict(factors), variant.label)


def set_up(
    draft: Draft,
    found: Examined,
    chosen: Sequence[str] | None,
    problems: list[Problem],
    scorers: Sequence[Scorer] = (),
) -> LiveSetup:
    """Build what the live variants of a draft use; adds everything wrong to `problems`.

    Args:
        draft: the experiment, as far as it can be read.
        found: its eval set, likewise.
        chosen: the variants to run; None runs all. Of others only the factors are checked.
        problems: gets what is wrong.
        scorers: those whose options are right.
    """
    setup = _variants_set_up(draft, found, chosen, problems)
    problems += limit_problems(draft)
    asked = [spec for spec in draft.pairwise if spec.judges]
    rubrics = rubrics_of(draft, scorers, problems)
    if not asked and not rubrics:
        return setup
    judges = build_judges([*asked, *rubrics], _allowed_hosts(draft), problems)
    problems += judge_problems(asked, judges, found.evalset, rubrics)
    setup = replace(setup, judges=judges, rubrics=rubrics)
    if any(entry.live is not None for entry in draft.entries):
        return setup
    return replace(setup, prices=load_prices(draft.source.folder, problems))


def _variants_set_up(
    draft: Draft, found: Examined, chosen: Sequence[str] | None, problems: list[Problem]
) -> LiveSetup:
    live = [entry for entry in draft.entries if entry.live is not None]
    run = [entry for entry in live if chosen is None or entry.id in chosen]
    _check_texts(run, found, problems)
    components = build_components(_readable(live), _allowed_hosts(draft), problems)
    prices = PriceBook()
    if live:
        prices = load_prices(draft.source.folder, problems)
        problems += _refused_requests(_readable(run), components)
        problems += unready(_readable(run), components)
    if any(entry.variant is None for entry in draft.entries):
        return LiveSetup(components, prices)
    arms = tuple(_arm(entry, components) for entry in draft.entries if _is_known(entry, components))
    if len(arms) < len(draft.entries) or not _limited(draft, live):
        return LiveSetup(components, prices, arms)
    factors = [str(factor) for factor in draft.source.data.get("factors") or ()]
    told = check(arms, factors, _excuses(draft))
    problems += _confounded(told.confounded, draft.entries)
    problems += _needless(draft, told.needless)
    steps = ladder(arms, str(draft.source.data.get("baseline")), factors) if live else ()
    warnings = (*_query_warnings(run, found), *(remarks(arms, factors) if live else ()))
    return LiveSetup(components, prices, arms, told.excused, tuple(map(str, steps)), warnings)


def _readable(entries: Iterable[Entry]) -> list[LiveVariant]:
    """The variants, and of one with mistakes what could be read, for all of them to be told."""
    found: list[LiveVariant] = []
    for live in (entry.live for entry in entries if entry.live is not None):
        found += [live.variant] if live.variant else [one.readable for one in live.all()]
    return found


def _query_warnings(entries: Iterable[Entry], found: Examined) -> tuple[str, ...]:
    if found.evalset is None:
        return ()
    lives = [entry.live for entry in entries if entry.live is not None]
    told = [text for live in lives for text in query_warnings(live, found.evalset)]
    return tuple(dict.fromkeys(told))


def _check_texts(entries: Iterable[Entry], found: Examined, problems: list[Problem]) -> None:
    """Names in templates that no example has, examples in prompts, and wrong conditions."""
    lives = [entry.live for entry in entries if entry.live is not None]
    problems += [problem for live in lives for problem in _wrong_conditions(live)]
    if found.evalset is None:
        return
    fields = input_fields(found.evalset)
    for live in lives:
        problems += template_problems(live, fields)
        problems += leak_problems(live, found.evalset)


def _wrong_conditions(live: Live) -> Iterator[Problem]:
    """Conditions on the documents' metadata that no retriever can hold."""
    for variant in live.all():
        retrieval = variant.readable.retrieval
        for key, condition in retrieval.where.items() if retrieval else ():
            for what in filter_problems({key: condition}):
                yield Problem(variant.where[f"retrieval.where.{key}"], what)


def _refused_requests(variants: Iterable[LiveVariant], components: Components) -> list[Problem]:
    """What a model does not take of the requests that it would be sent."""
    from harness.system.parts import Parts
    from harness.system.requests import requests

    parts = Parts(providers=components.providers)
    told: dict[Problem, None] = {}
    for variant in variants:
        for what_for, choice, request in requests(variant, parts):
            provider = components.providers.get(choice.provider.key)
            for what in provider.problems(request) if provider else ():
                told[Problem(choice.provider.where(), f"{what_for}: {choice.id}: {what}")] = None
    return list(told)


def _allowed_hosts(draft: Draft) -> list[str] | None:
    given = draft.source.data.get("allowed_hosts")
    return [str(host) for host in given] if isinstance(given, list) else None


def _limited(draft: Draft, live: Sequence[Entry]) -> bool:
    """Whether the experiment says what may differ; one with live variants always does."""
    factors = draft.source.data.get("factors")
    return isinstance(factors, list) or (factors is None and bool(live))


def _arm(entry: Entry, components: Components) -> Arm:
    variant = entry.variant
    if isinstance(variant, RecordedVariant):
        return Arm(variant.id, variant.facts, recorded=True)
    assert variant is not None  # noqa: S101  told by the caller
    return live_arm(variant, components)


def _is_known(entry: Entry, components: Components) -> bool:
    """Whether all of a variant's factors are: the route to its model is one of them."""
    variant = entry.variant
    return not isinstance(variant, LiveVariant) or (
        variant.model.provider.key in components.providers
    )


def _excuses(draft: Draft) -> list[Excuse]:
    """The excuses that can be read; what is wrong with others is told with the document."""
    given = draft.source.data.get("confounded_ok")
    found = []
    for item in given if isinstance(given, list) else ():
        pair: Any = item.get("pair") if isinstance(item, Mapping) else None
        if isinstance(pair, list) and len(pair) == 2:
            found.append(Excuse((str(pair[0]), str(pair[1])), str(item.get("reason", ""))))
        else:
            found.append(Excuse(("", ""), ""))
    return found


def _confounded(found: Iterable[Confounded], entries: Sequence[Entry]) -> list[Problem]:
    by_id = {entry.id: entry for entry in entries}
    return [
        Problem(by_id[pair.right].where_factor(pair.differences[0].field), pair.what, pair.hint)
        for pair in found
    ]


def _needless(draft: Draft, indices: Iterable[int]) -> list[Problem]:
    """Excuses that nothing calls for; what is no pair of variants is told with the document."""
    ids = {entry.id for entry in draft.entries}
    pairs = [frozenset(excuse.pair) for excuse in _excuses(draft)]
    return [
        Problem(
            draft.source.where(("confounded_ok", index)),
            "this pair differs in declared factors only",
            "remove the excuse",
        )
        for index in indices
        if len(pairs[index]) == 2 and pairs[index] <= ids and pairs.index(pairs[index]) == index
    ]


def confounded_facts(setup: LiveSetup) -> list[JsonValue]:
    """The excused pairs as the manifest holds them."""
    return [
        {
            "pair": [pair.left, pair.right],
            "fields": [difference.field for difference in pair.differences],
            "reason": reason,
        }
        for pair, reason in setup.excused
    ]
