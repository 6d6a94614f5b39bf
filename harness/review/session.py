"""What a review knows and does, whoever serves it: items, sides, votes, progress.

Whatever leaves here for the page names no variant. A reviewer is known by name alone: names keep
people's labels apart, they protect nothing.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.core.label import Label, Winner
from harness.core.values import JsonValue
from harness.ports import Clock
from harness.review.agreement import agreements
from harness.review.blinding import SIDES, side_of, swapped_ids, winner_of
from harness.review.items import Item, Text
from harness.review.rubric import Rubric

CANNOT_JUDGE = "cannot_judge"
NAME_CHARACTERS = 80
COMMENT_CHARACTERS = 20_000


class Labels(Protocol):
    """Where labels are kept."""

    def read(self) -> Sequence[Label]:
        """The label that counts of every reviewer and pair."""
        ...

    def append(self, label: Label) -> None:
        """Add one, for good."""
        ...


class WrongRequestError(ValueError):
    """What was asked for is not there, or is no vote."""


@dataclass(slots=True)
class Review:
    """One run's review: two variants, `pair` (the baseline first), and the queue.

    `example_ids` are all of the run: sides are drawn over them. `reviewer` is the only one whom
    labels are taken from; None: whoever gives a name.
    """

    pair: tuple[str, str]
    items: tuple[Item, ...]
    example_ids: tuple[str, ...]
    rubric: Rubric
    seed: int
    labels: Labels
    clock: Clock
    reviewer: str | None = None
    n_written: int = 0
    _session: str = field(default_factory=lambda: secrets.token_hex(4))
    _swapped: dict[str, frozenset[str]] = field(default_factory=dict)

    def start(self, reviewer: JsonValue) -> dict[str, JsonValue]:
        """The rubric, and what this reviewer has said so far.

        Raises:
            WrongRequestError: if that is no name, or not the one who reviews here.
        """
        name = self._known(reviewer)
        given = self._given(name)
        return {
            "reviewer": name,
            "question": self.rubric.question,
            "criteria": [list(entry) for entry in self.rubric.criteria.items()],
            "votes": [self._said(given[i.id], name) if i.id in given else None for i in self.items],
        }

    def item(self, reviewer: JsonValue, number: JsonValue) -> dict[str, JsonValue]:
        """One example's input and answers, and what the reviewer has said of it before."""
        name, item = self._known(reviewer), self._item(number)
        label = self._given(name).get(item.id)
        left, right = item.sides[:: -1 if self._is_swapped(name, item.id) else 1]
        return {
            "example": item.id,
            "input": _json(item.asked),
            "left": _json(left.texts),
            "right": _json(right.texts),
            "failed": [not left.is_answer, not right.is_answer],
            "identical": item.identical,
            "vote": None if label is None else self._said(label, name),
            "criteria": {} if label is None else self._sides(label.criteria, label, name),
            "comment": "" if label is None else label.comment,
            "revealed": label is not None and label.revealed,
        }

    def hidden(self, reviewer: JsonValue, number: JsonValue) -> dict[str, JsonValue]:
        """What is shown on demand only: the target, and what each answer rests on."""
        name, item = self._known(reviewer), self._item(number)
        left, right = item.sides[:: -1 if self._is_swapped(name, item.id) else 1]
        sides = {"left": _json(left.rests_on), "right": _json(right.rests_on)}
        return {"wanted": _json(item.wanted), **sides}

    def vote(self, asked: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Keep what a reviewer says of an example; a verdict of null takes it back.

        Raises:
            WrongRequestError: if it is no vote.
            OSError: if it cannot be kept.
        """
        name, item = self._known(asked.get("reviewer")), self._item(asked.get("number"))
        verdict, comment = asked.get("verdict"), asked.get("comment", "")
        swapped = self._is_swapped(name, item.id)
        if verdict not in (*SIDES, CANNOT_JUDGE, None):
            raise WrongRequestError(f"no verdict: {str(verdict)[:60]}")
        if not isinstance(comment, str) or len(comment) > COMMENT_CHARACTERS:
            raise WrongRequestError(f"a comment has at most {COMMENT_CHARACTERS:,} characters")
        label = Label(
            example=item.id,
            reviewer=name,
            pair=self.pair,
            winner=winner_of(verdict, swapped=swapped) if verdict in SIDES else None,
            swapped=swapped,
            comment=comment,
            criteria=self._criteria(asked.get("criteria", {}), swapped=swapped),
            revealed=asked.get("revealed") is True,
            withdrawn=verdict is None,
            at=self.clock.now_iso(),
            session=self._session,
        )
        self.labels.append(label)
        self.n_written += 1
        return {"vote": verdict}

    def summary(self, reviewer: JsonValue) -> dict[str, JsonValue]:
        """What the reviewer has said in all, and who agrees with whom, once all is labelled.

        Nobody is told of agreement before: it would be part of the next verdict.
        """
        name = self._known(reviewer)
        all_labels = self._all()
        counted = Counter(label.reviewer for label in all_labels)
        said = Counter(self._said(label, name) for label in all_labels if label.reviewer == name)
        is_done = counted[name] >= len(self.items)
        return {
            "done": is_done,
            "n": len(self.items),
            "said": {key: said[key] for key in (*SIDES, CANNOT_JUDGE)},
            "reviewers": [[one, n] for one, n in sorted(counted.items())] if is_done else [],
            "agreement": [
                {"reviewers": list(a.reviewers), "n": a.n, "share": a.share, "kappa": a.kappa}
                for a in (agreements(all_labels, self.pair) if is_done else ())
            ],
        }

    def _all(self) -> list[Label]:
        """Everybody's labels of this pair, on examples of the queue."""
        ids = {item.id for item in self.items}
        return [
            label
            for label in self.labels.read()
            if label.example in ids and set(label.pair) == set(self.pair) and label.repeat == 0
        ]

    def _given(self, name: str) -> dict[str, Label]:
        return {label.example: label for label in self._all() if label.reviewer == name}

    def _known(self, reviewer: JsonValue) -> str:
        name = reviewer_name(reviewer)
        if self.reviewer is not None and name != self.reviewer:
            raise WrongRequestError("somebody else reviews here: reload the page")
        return name

    def _item(self, number: JsonValue) -> Item:
        if isinstance(number, bool) or not isinstance(number, int):
            raise WrongRequestError("the number of an example is missing")
        if not 0 <= number < len(self.items):
            raise WrongRequestError(f"there is no example number {number}: reload the page")
        return self.items[number]

    def _is_swapped(self, name: str, example_id: str) -> bool:
        if name not in self._swapped:
            self._swapped[name] = swapped_ids(self.example_ids, name, self.seed)
        return example_id in self._swapped[name]

    def _said(self, label: Label, name: str) -> str:
        """A label as the side that it names, where the sides are today (the seed may be new)."""
        if label.winner is None:
            return CANNOT_JUDGE
        return self._sides({"": label.winner}, label, name)[""]

    def _sides(self, winners: Mapping[str, Winner], label: Label, name: str) -> dict[str, str]:
        turned = label.pair != self.pair
        swapped = self._is_swapped(name, label.example) != turned
        return {key: side_of(winner, swapped=swapped) for key, winner in winners.items()}

    def _criteria(self, given: JsonValue, *, swapped: bool) -> dict[str, Winner]:
        if not isinstance(given, Mapping) or not given.keys() <= self.rubric.criteria.keys():
            raise WrongRequestError("no such criterion: reload the page")
        if not all(side in SIDES for side in given.values()):
            raise WrongRequestError("a criterion's verdict is left, right or tie")
        return {name: winner_of(side, swapped=swapped) for name, side in given.items()}


def reviewer_name(given: JsonValue) -> str:
    """A reviewer's name, in the one form that it has in the file.

    Raises:
        WrongRequestError: if it is none.
    """
    if not isinstance(given, str):
        raise WrongRequestError("a reviewer's name is missing")
    name = " ".join(unicodedata.normalize("NFC", given).split())
    if not name or len(name) > NAME_CHARACTERS or not name.isprintable():
        raise WrongRequestError(f"a reviewer's name is 1 to {NAME_CHARACTERS} plain characters")
    return name


def _json(texts: Sequence[Text]) -> list[list[str]]:
    return [text.json() for text in texts]
