"""Has single answers judged by the rubrics of scorers, when all trials have ended.

Records are gone through one after the other, example by example, so that all variants' answers to
an example are judged close together; of each, the verdicts alone are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import TypeAlias

from harness.config.variant import RecordedVariant
from harness.core.example import EvalSet
from harness.core.pointwise import RubricSpec, Verdicts
from harness.core.record import Record
from harness.core.values import JsonValue, fingerprint
from harness.core.variant import LiveVariant
from harness.experiment.bench import Bench
from harness.experiment.indexes import CorpusReader
from harness.judging.criteria import PASSAGES, CriteriaPrompt
from harness.judging.examiner import Examiner, Paper
from harness.plugins.evidence import STAGES, found_at
from harness.ports import JudgedScorer

Variant: TypeAlias = RecordedVariant | LiveVariant

UNKNOWN_TEXT = "[the text of this passage is not known]"
"""Shown of a passage that came from an engine of a team's own: records keep its id alone."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A scorer that a model judges for, and how the model is asked."""

    spec: RubricSpec
    scorer: JudgedScorer


@dataclass(frozen=True)
class Marking:
    """All answers of a run, for the judges of rubrics."""

    evalset: EvalSet
    records: Iterable[Record]
    variants: Sequence[Variant]
    seed: int
    at_once: int

    async def marks(self, rubric: Judged, bench: Bench) -> tuple[Verdicts, dict[str, JsonValue]]:
        """What a rubric's judge says of every answer, and facts for the manifest.

        Raises:
            HarnessError: if there is no point in going on: a service is down, the budget reached.
        """
        began_s, spec = perf_counter(), rubric.spec
        prompt = CriteriaPrompt(spec.criteria, spec.show)
        ask = bench.ask(spec.judge, prompt.schema)
        examiner = Examiner(prompt, ask, spec.repeats, self.seed)
        verdicts = await examiner.judge(self._papers(rubric), self.at_once)
        facts: dict[str, JsonValue] = {
            "id": spec.id,
            "criteria": list(spec.criteria),
            "judges": [bench.facts(spec.judge, prompt.sha256, examiner.tally, prompt.schema)],
            "wall_s": perf_counter() - began_s,
        }
        return verdicts, facts

    def _papers(self, rubric: Judged) -> Iterator[Paper]:
        """What is to be judged. Failures are not: they are the worst whatever a judge says."""
        examples = {example.id: example for example in self.evalset.examples}
        shows_passages = PASSAGES in rubric.spec.show
        for record in self.records:
            example = examples[record.example_id]
            answer = rubric.scorer.to_judge(example, record)
            if answer is None:
                continue
            passages = tuple(self._passages(record)) if shows_passages else ()
            trial = (record.variant, record.example_id, record.repeat)
            yield Paper(trial, example, answer, passages)

    def _passages(self, record: Record) -> Iterator[tuple[str, str]]:
        """The passages that the trial of a live variant had found and showed its model."""
        steps = record.trace.steps if record.trace else ()
        looked = [step.variant for step in steps if step.stage in STAGES]
        texts = self._texts.get((looked[-1] if looked else "") or record.variant, {})
        for found in found_at(record, "context") or ():
            yield found.id, texts.get(found.id, UNKNOWN_TEXT)

    @cached_property
    def _texts(self) -> Mapping[str, Mapping[str, str]]:
        """By variant, the texts of its corpus' chunks; read when the first is asked for."""
        reader, found = CorpusReader([]), dict[str, Mapping[str, str]]()
        cuts: dict[str, Mapping[str, str]] = {}
        for variant in self.variants:
            for inner in variant.variants() if isinstance(variant, LiveVariant) else ():
                corpus = inner.retrieval.corpus if inner.retrieval else None
                if corpus is None:
                    continue
                key = fingerprint([corpus.sha256, dict(corpus.chunk)])
                if key not in cuts:
                    cuts[key] = {chunk.id: chunk.text for chunk in reader.chunks(corpus) or ()}
                found[inner.id] = cuts[key]
        return found
