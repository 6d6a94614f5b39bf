"""Asks the judge of a rubric about answers, so many at a time, and gathers its verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.core.example import Example
from harness.core.pointwise import CriterionVerdict, TrialKey
from harness.judging.criteria import CriteriaPrompt
from harness.judging.panel import Ask, Tally
from harness.judging.ruling import read_rulings, settled
from harness.judging.workers import together


@dataclass(frozen=True, slots=True)
class Paper:
    """An answer that is to be judged: whose it is, and what the judge sees."""

    trial: TrialKey
    example: Example
    answer: str
    passages: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Examiner:
    """A rubric's judge at work. Of what it was shown, its verdicts alone are kept."""

    prompt: CriteriaPrompt
    ask: Ask
    repeats: int
    seed: int
    tally: Tally = field(default_factory=Tally)

    async def judge(
        self, papers: Iterable[Paper], at_once: int
    ) -> dict[TrialKey, dict[str, CriterionVerdict]]:
        """The verdicts on all papers, which are taken one after the other, as places get free.

        Raises:
            HarnessError: if there is no point in going on: a service is down, the budget reached.
        """
        found: dict[TrialKey, dict[str, CriterionVerdict]] = {}
        waiting = iter(papers)

        async def work() -> None:
            for paper in waiting:
                found[paper.trial] = await self._verdicts(paper)

        await together(work, at_once)
        return found

    async def _verdicts(self, paper: Paper) -> dict[str, CriterionVerdict]:
        """One verdict by every criterion, however often the judge is asked."""
        sheet = self.prompt.sheet(paper.example, paper.answer, paper.passages, self.seed)
        names = list(self.prompt.criteria)
        votes: list[dict[str, CriterionVerdict]] = []
        for number in range(self.repeats):
            reply = await self.ask(sheet.messages, paper.trial[2] * self.repeats + number)
            self.tally.add(reply)
            if reply.answer is None:
                vote = dict.fromkeys(names, CriterionVerdict(None, reply.reason))
            else:
                vote = read_rulings(reply.answer, names, sheet.sources)
            self.tally.n_unparsed += any(one.ruling is None for one in vote.values())
            votes.append(vote)
        return {name: settled([vote[name] for vote in votes]) for name in names}
