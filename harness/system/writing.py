"""Gets an output's text from the models: the tool loop, the draft, repairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.core.chat import Completion, Message, RequestedCall
from harness.core.record import Stage
from harness.core.values import UNPARSED, ToolCall
from harness.core.variant import LiveVariant, Subtask
from harness.ports import Pacer
from harness.system.asking import Asker, Question
from harness.system.log import TrialLog
from harness.system.parts import Parts
from harness.system.rejection import Reason, RejectedError
from harness.system.text import bounded
from harness.system.toolset import Offer, Toolset, parsed_arguments

SENT_BACK_CHARS = 100_000
"""How much of a rejected output is sent back."""


@dataclass(frozen=True, slots=True)
class Written:
    """A finished text: the call that wrote it, the model, and what it was asked."""

    completion: Completion
    asker: Asker
    question: Question

    @property
    def text(self) -> str:
        """The text."""
        return self.completion.text


class Writer:
    """A variant's model and tools, and its draft's model where it has one."""

    def __init__(
        self, variant: LiveVariant, toolset: Toolset | None, parts: Parts, pacer: Pacer
    ) -> None:
        self._asker = Asker(Subtask(variant.model, variant.prompt), parts, pacer)
        self._draft = Asker(variant.draft, parts, pacer) if variant.draft else None
        self._toolset = toolset
        self._schema = variant.output.schema if variant.output.structured else None

    async def write(self, log: TrialLog, variables: Mapping[str, Any]) -> Written:
        """The text of the model; of the draft's model, where there is one.

        Raises:
            TemplateError: if a template does not fit the variables.
            RejectedError: if a model refuses, is cut, answers nothing or misuses its tools.
            GaveUpError: if a model failed.
        """
        first = await self._generate(log, variables)
        if self._draft is None:
            return first
        messages = self._draft.messages({**variables, "summary": first.text})
        question = Question(messages, schema=self._schema)
        return await _ask(log, self._draft, Stage.DRAFT, question)

    async def repair(self, log: TrialLog, rejected: Written, reasons: Sequence[Reason]) -> Written:
        """The corrected text of whoever wrote the rejected one, told what is wrong with it.

        Raises:
            RejectedError: if the model refuses, is cut or answers nothing.
            GaveUpError: if the model failed.
        """
        log.repairs += 1
        before = rejected.question
        sent_back = Message("assistant", bounded(rejected.text, SENT_BACK_CHARS))
        messages = (*before.messages, sent_back, Message("user", _complaint(reasons)))
        question = replace(before, messages=messages, new=len(before.messages), tool_choice="none")
        return await _ask(log, rejected.asker, Stage.REPAIR, question)

    async def _generate(self, log: TrialLog, variables: Mapping[str, Any]) -> Written:
        offer = self._toolset.offer(variables) if self._toolset else Offer()
        question = Question(
            self._asker.messages(variables),
            tools=offer.specs,
            tool_choice=offer.choice,
            schema=None if self._draft else self._schema,
        )
        made = 0
        while True:
            answer = await self._asker.ask(log, Stage.GENERATE, question)
            _keep_calls(log, answer.calls)
            if self._toolset is None or not (answer.calls and offer.specs):
                break
            _check_end(answer)
            left = self._toolset.max_calls - made
            results = await self._toolset.answer(log, answer.calls, offer, left)
            made += len(answer.calls)
            question = _continued(question, answer, results)
        if question.tool_choice == "required" and not answer.calls:
            _check_end(answer)
            raise RejectedError(Reason("tool_required", "the model called no tool"))
        return _finished(log, Written(answer, self._asker, question))


async def _ask(log: TrialLog, asker: Asker, stage: Stage, question: Question) -> Written:
    return _finished(log, Written(await asker.ask(log, stage, question), asker, question))


def _finished(log: TrialLog, written: Written) -> Written:
    log.wrote(written.completion)
    _check_end(written.completion)
    if not written.text.strip():
        raise RejectedError(Reason("no_answer", "the model answered nothing"))
    return written


def _check_end(answer: Completion) -> None:
    """Raise RejectedError if the model did not come to an end of its own."""
    if answer.finish_reason == "length":
        raise RejectedError(Reason("truncated", "the answer was cut at the limit of tokens"))
    if answer.finish_reason == "refusal":
        said = f": {bounded(answer.text, 500)}" if answer.text.strip() else ""
        raise RejectedError(Reason("refused", f"the model refused{said}"))


def _keep_calls(log: TrialLog, calls: Sequence[RequestedCall]) -> None:
    for call in calls:
        arguments, wrong = parsed_arguments(call.arguments)
        kept = {UNPARSED: bounded(call.arguments)} if wrong else arguments
        log.tool_calls.append(ToolCall(bounded(call.name, 200), kept))


def _continued(question: Question, answer: Completion, results: Sequence[Message]) -> Question:
    """The conversation with an answer's calls and their results; from now on it may just answer."""
    asked = Message("assistant", answer.text, calls=answer.calls)
    return replace(
        question,
        messages=(*question.messages, asked, *results),
        new=len(question.messages),
        tool_choice="auto",
    )


def _complaint(reasons: Sequence[Reason]) -> str:
    wrong = "\n".join(f"- {reason.text}" for reason in reasons)
    return (
        f"Your answer was rejected:\n{wrong}\n"
        "Answer again, whole and corrected. Give the answer only."
    )
