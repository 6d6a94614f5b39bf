"""Live variants: `variant.yaml` and all the files it names, as one `core.variant.LiveVariant`.

They are read by `config.variant.read_entries` (`Entry.variant`, `Entry.live`). What needs the eval
set is told by `config.live_checks`: `template_problems`, `leak_problems`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from harness.config.definition import define
from harness.config.extends import VariantFiles, name_of, real
from harness.config.live_components import model_choice
from harness.config.live_files import ShotsFile, read_shots, training_hash
from harness.config.live_models import LiveVariantFile, RouteEntry
from harness.config.live_parts import (
    Corpora,
    context_of,
    output_of,
    rerank_of,
    retrieval_of,
    subtask_of,
    tools_of,
)
from harness.config.live_texts import PlacedText, Texts, check_secrets
from harness.config.source import Location, Source
from harness.config.spot import Spot
from harness.config.validate import validated
from harness.config.variables import with_variables
from harness.core.factors import named_hash
from harness.core.values import JsonValue
from harness.core.variant import Fallback, FewShot, LiveVariant, Route, RouteRule, Template
from harness.errors import Problem

MAX_CHAIN = 10
"""How many variants may lead to one another in a row by routes and fallbacks."""
MAX_REACHED = 200
"""How many variants one may lead to in all, counted as often as they are reached."""
SELF = "self"
"""As the target of a route: the variant itself."""


@dataclass(frozen=True, slots=True)
class Live:
    """A live variant and where its parts are written, for checks that need the eval set.

    `variant` is None if anything is wrong with it, which is told; the rest is what could be read.
    `readable` is never None: what is wrong is left out of it, or empty, so that its plugins can be
    checked; it leads only to variants that are right, and is not for running.
    `texts` are its templates and expressions, `shots` the examples in its prompt and `training` its
    training set, each with its place. `others` are the variants that it leads to.
    """

    id: str
    variant: LiveVariant | None
    readable: LiveVariant
    texts: tuple[PlacedText, ...]
    shots: ShotsFile | None = None
    training: Path | None = None
    others: tuple[Live, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)

    def all(self) -> Iterator[Live]:
        """This variant and every other that it leads to, each once."""
        seen: dict[int, Live] = {}
        waiting = [self]
        while waiting:
            found = waiting.pop(0)
            if id(found) not in seen:
                seen[id(found)] = found
                waiting += found.others
        yield from seen.values()


class LiveReader:
    """Reads live variants, each folder once. What is wrong with any is added to `problems`."""

    def __init__(self, files: VariantFiles, problems: list[Problem]) -> None:
        self.corpora = Corpora()
        self._files = files
        self._problems = problems
        self._read: dict[Path, Live | None] = {}

    def read(self, source: Source, at: Location, chain: tuple[Path, ...] = ()) -> Live | None:
        """The live variant at `at`, where `extends` has been merged in; None if it has no shape.

        Args:
            source: the document.
            at: where in it the variant is.
            chain: the variant files whose routes and fallbacks led here, and this one's.
        """
        source = with_variables(source, at, self._problems)
        file = validated(LiveVariantFile, source, self._problems, at)
        if file is None:
            return None
        return _Resolution(self, file, Spot(source, at, self._problems), chain).live()

    def of_folder(self, source: Source) -> Live | None:
        """The live variant in a folder's whole document."""
        file = real(source.folder)
        if file not in self._read:
            self._read[file] = self.read(source, (), (file,))
        return self._read[file]

    def target(self, spot: Spot, text: str, chain: tuple[Path, ...]) -> Live | None:
        """The live variant in the folder that `text` names at `spot`: where a trial may go on."""
        source = self._files.named(spot.source, spot.at, text)
        if source is None:
            return None
        file = real(source.folder)
        if file in chain:
            links = " -> ".join(name_of(link) for link in (*chain[chain.index(file) :], file))
            spot.tell(f"variants lead to one another in a circle: {links}")
            return None
        if len(chain) > MAX_CHAIN:
            spot.tell(f"more than {MAX_CHAIN} variants lead to one another")
            return None
        if "recorded" in source.data:
            spot.tell(f"{text} is a recorded variant, which can answer nothing new")
            return None
        if file not in self._read:
            self._read[file] = self.read(source, (), (*chain, file))
        return self._read[file]


@dataclass(slots=True)
class _Resolution:
    """One variant on its way from the YAML's shape to values."""

    reader: LiveReader
    file: LiveVariantFile
    spot: Spot
    chain: tuple[Path, ...]
    texts: Texts = field(default_factory=Texts)
    names: dict[str, str] = field(default_factory=dict)
    others: list[Live] = field(default_factory=list)
    shots: ShotsFile | None = None
    data: Path | None = None
    broken: bool = False

    def live(self) -> Live:
        """The variant with all its parts."""
        n_problems = len(self.spot.problems)
        variant = self._variant()
        if sum(1 for _ in islice(variant.variants(), MAX_REACHED + 1)) > MAX_REACHED:
            self.spot.tell(f"it leads to more than {MAX_REACHED} variants")
        self._check_parts()
        check_secrets(self.spot, self.spot.source.value(self.spot.at))
        sound = len(self.spot.problems) == n_problems and not self.broken
        return Live(
            id=self.file.id,
            variant=define(variant, self.names) if sound else None,
            readable=variant,
            texts=tuple(self.texts.placed),
            shots=self.shots,
            training=self.data,
            others=tuple(self.others),
            where=self._places(),
        )

    def _places(self) -> dict[str, str]:
        """`file:line:column` of parts and conditions, for what is told of them later."""
        retrieval = self.file.retrieval
        found = {
            part: self.spot.inside(part).where()
            for part in ("retrieval", "few_shot")
            if getattr(self.file, part) is not None
        }
        for key in retrieval.where if retrieval else ():
            found[f"retrieval.where.{key}"] = self.spot.inside("retrieval", "where", key).where()
        return found

    def _variant(self) -> LiveVariant:
        file, spot, texts = self.file, self.spot, self.texts
        output, self.names["schema"] = output_of(file.output, spot.inside("output"), texts)
        retrieval, rerank, tools, draft = file.retrieval, file.rerank, file.tools, file.draft
        return LiveVariant(
            id=file.id,
            model=model_choice(file, spot),
            prompt=texts.prompt(file, spot, "prompt"),
            definition={},
            fingerprint="",
            label=file.label,
            normalise=tuple(file.normalise),
            few_shot=self._few_shot(),
            retrieval=retrieval_of(retrieval, spot.inside("retrieval"), texts, self.reader.corpora)
            if retrieval
            else None,
            rerank=rerank_of(rerank, spot.inside("rerank")) if rerank else None,
            context=context_of(file.context, spot.inside("context"), texts),
            tools=tools_of(tools, spot.inside("tools"), texts) if tools else None,
            output=output,
            fallback=self._fallback(),
            route=self._route(),
            draft=subtask_of(draft, spot.inside("draft"), texts, "draft") if draft else None,
            training=self._training(),
            operations=file.operations,
        )

    def _check_parts(self) -> None:
        """Parts that would be without effect."""
        if self.file.retrieval is not None:
            return
        hint = "add retrieval, or take it away: {}: null"
        for part in ("rerank", "context"):
            if self.spot.inside(part).is_written and part in self.file.model_fields_set:
                self.spot.inside(part).tell(f"{part} is given, but no retrieval", hint.format(part))

    def _few_shot(self) -> FewShot | None:
        file, spot = self.file.few_shot, self.spot.inside("few_shot")
        found = read_shots(spot.inside("from"), file.source) if file else None
        if file is None or found is None:
            return None
        if file.count > len(found.shots):
            what = f"few_shot.count is {file.count}, but {file.source} holds {len(found.shots)}"
            spot.inside("count").tell(what)
        self.shots = found
        if file.select == "fixed":  # the others are never shown
            shown = slice(file.count)
            self.shots = replace(found, shots=found.shots[shown], lines=found.lines[shown])
        self.names["few_shot"] = found.path.name
        return FewShot(found.shots, file.count, file.select)

    def _fallback(self) -> Fallback | None:
        given, spot = self.file.fallback, self.spot.inside("fallback")
        if given is None:
            return None
        if isinstance(given, str):
            return Fallback(self._target(spot, given))
        variant = None if given.to is None else self._target(spot.inside("to"), given.to)
        when = self.texts.expression(spot.inside("when"), given.when, "output")
        return Fallback(variant, given.answer, when)

    def _route(self) -> Route | None:
        given, spot = self.file.route, self.spot.inside("route")
        if given is None:
            return None
        inside = spot.inside("router")
        router = subtask_of(given.router, inside, self.texts, "input") if given.router else None
        if router is None and any(rule.label is not None for rule in given.rules):
            spot.inside("rules").tell("a route by label needs a router", "router: {model, user}")
        return Route(
            rules=tuple(
                self._rule(rule, spot.inside("rules", index))
                for index, rule in enumerate(given.rules)
            ),
            router=router,
        )

    def _rule(self, rule: RouteEntry, spot: Spot) -> RouteRule:
        when: Template | None = self.texts.expression(spot.inside("when"), rule.when, "input")
        leads_on = rule.to is not None and rule.to != SELF
        return RouteRule(
            name=rule.name or rule.when or rule.label or "",
            when=when,
            label=rule.label,
            variant=self._target(spot.inside("to"), rule.to or "") if leads_on else None,
            answer=rule.answer,
        )

    def _target(self, spot: Spot, text: str) -> LiveVariant | None:
        live = self.reader.target(spot, text, self.chain)
        if live is None or live.variant is None:
            self.broken = True
        if live is not None:
            self.others.append(live)
        return live.variant if live else None

    def _training(self) -> dict[str, JsonValue] | None:
        card = self.file.training
        if card is None:
            return None
        values: dict[str, JsonValue] = card.model_dump(mode="json", exclude_none=True)
        if card.data is not None:
            spot = self.spot.inside("training")
            found = training_hash(spot, card.data, card.data_sha256)
            if found is not None:
                self.data, values["data_sha256"] = found
                self.names["training"] = named_hash(self.data.name, values["data_sha256"])
        return values
