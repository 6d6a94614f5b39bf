"""What judges are made ready with, whatever they judge: paced, priced and kept as all calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.chat import Message
from harness.core.pairwise import JudgeSpec, PairwiseSpec, Rubric
from harness.core.record import Stage
from harness.core.values import JsonValue
from harness.core.variant import Prompt, Subtask, Template
from harness.execution.run import MonotonicTimer
from harness.experiment.judge_checks import asked_model, schema_of
from harness.judging.panel import Ask, Judge, Reply, Tally
from harness.judging.prompt import JudgePrompt
from harness.judging.verdict import SCHEMA
from harness.ports import Pacer, Provider
from harness.system.asking import Asker, Question
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.redaction import Redactor


@dataclass(frozen=True, slots=True)
class Bench:
    """What judges are made ready with."""

    parts: Parts
    pacer: Pacer
    timer: MonotonicTimer

    def judge(self, judge: JudgeSpec, spec: PairwiseSpec) -> Judge:
        """A judge of pairs, ready to be asked."""
        rubric = spec.rubric or Rubric("", {})  # the config has seen to one
        prompt = JudgePrompt(rubric, spec.show, judge.verdict, judge.prompt)
        return Judge(judge.id, prompt, judge.verdict, self.ask(judge))

    def ask(self, judge: JudgeSpec, schema: Mapping[str, JsonValue] = SCHEMA) -> Ask:
        """How a judge is asked; its replies are held to the schema where that is possible."""
        choice = asked_model(judge)
        subtask = Subtask(choice, Prompt(None, Template(judge.id, "")))
        asker = Asker(subtask, self.parts, self.pacer)
        held_to = schema_of(judge, self._provider(judge), schema)
        redactor = Redactor(self.parts.secrets)

        async def ask(messages: tuple[Message, ...], repeat: int) -> Reply:
            log = TrialLog(self.timer, repeat)
            ended = await asker.call(log, Stage.GENERATE, Question(messages, schema=held_to))
            (step,) = ended.steps
            if ended.value is None:
                error = ended.error
                reason = f"{error.kind}: {error.message}" if error else ""
                return Reply(None, step.cost_usd, reason=redactor.text(reason))
            answer = redactor.completion(ended.value)
            latency_s = None if log.cached else step.latency_s
            return Reply(answer, step.cost_usd, latency_s, cached=log.cached)

        return ask

    def facts(
        self,
        judge: JudgeSpec,
        prompt_sha256: str,
        tally: Tally,
        schema: Mapping[str, JsonValue] = SCHEMA,
    ) -> dict[str, JsonValue]:
        """What a judge is, for the manifest, and what it took."""
        provider = self._provider(judge)
        return {
            "id": judge.id,
            "model": judge.model.id,
            "params": dict(asked_model(judge).params),
            "identity": dict(provider.identity),
            "served_models": sorted(tally.served),
            "verdict": judge.verdict,
            "structured": schema_of(judge, provider, schema) is not None,
            "prompt_sha256": prompt_sha256,
            "n_calls": tally.n_calls,
            "n_cached": tally.n_cached,
            "n_unparsed": tally.n_unparsed,
            "n_decided": tally.n_decided,
            "n_unknown_cost": tally.n_unknown,
            "cost_usd": None if tally.n_unknown else tally.cost_usd,
            "avoided_usd": tally.avoided_usd,
            "latency_s": tally.latency_s,
        }

    def _provider(self, judge: JudgeSpec) -> Provider:
        return self.parts.providers[judge.model.provider.key]
