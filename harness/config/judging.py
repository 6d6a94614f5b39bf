"""The entries of an experiment's `pairwise:`, from the YAML's shape to values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.config.judging_models import (
    JudgeFile,
    LengthControlFile,
    PairwiseFile,
    RubricJudgeFile,
)
from harness.config.live_components import model_choice
from harness.config.live_files import read_template
from harness.config.live_texts import check_secrets
from harness.config.source import Location, Source
from harness.config.spot import Spot
from harness.config.suggest import did_you_mean
from harness.config.validate import validated
from harness.config.variables import with_variables
from harness.core.pairwise import JudgeSpec, LengthSpec, PairwiseSpec, Rubric
from harness.core.variant import Template
from harness.errors import Problem

VARIABLES = ("question", "criteria", "input", "target", "first", "second")
"""What a judge's template of one's own is given (`harness.judging.prompt`)."""

_OF_VERDICTS = ("fields", "where", "panels", "humans")
_OF_JUDGES = ("show", "orders", "repeats")
_EITHER = "judges: [{id, model}] to ask models, or verdicts: FILE for verdicts given elsewhere"
_RUBRIC = "rubric: {criteria: {correct: the facts are right}}"


def read_pairwise(source: Source, problems: list[Problem]) -> tuple[PairwiseSpec, ...]:
    """The entries that have their shape; what is wrong with them is added to `problems`.

    What is wrong with the shape of others is told with the experiment as a whole.
    """
    given = source.data.get("pairwise")
    found: list[PairwiseSpec] = []
    for index in range(len(given) if isinstance(given, list) else 0):
        at: Location = ("pairwise", index)
        expanded = with_variables(source, at, problems)
        try:
            file = PairwiseFile.model_validate(expanded.value(at))
        except ValidationError:
            continue
        found.append(_Reader(file, Spot(expanded, at, problems)).spec())
    places = [(spec.id, spec.place("id")) for spec in found]
    problems += _doubled(places, "judged comparisons", "give each an id of its own")
    return tuple(found)


def read_rubric_judge(
    source: Source, at: Location, scorer: str, problems: list[Problem]
) -> JudgeSpec | None:
    """The judge of a scorer's entry at `at`; None, with what is wrong, if there is none to read.

    That there is no `judge` at all, or no mapping, is told with the scorer's options.
    """
    where: Location = (*at, "judge")
    if not isinstance(source.value(at).get("judge"), dict):
        return None
    expanded = with_variables(source, where, problems)
    spot = Spot(expanded, where, problems)
    check_secrets(spot, expanded.value(where))
    file = validated(RubricJudgeFile, expanded, problems, where)
    if file is None:
        return None
    choice = model_choice(file, spot)
    return JudgeSpec(scorer, choice, structured=file.structured, where=spot.where())


class _Reader:
    """Reads one entry; what is wrong with it is told at its spot."""

    def __init__(self, file: PairwiseFile, spot: Spot) -> None:
        self._file, self._spot = file, spot

    def spec(self) -> PairwiseSpec:
        """The entry, as far as it can be read."""
        file = self._file
        check_secrets(self._spot, self._spot.source.value(self._spot.at))
        self._check_kind()
        labels, labels_file = self._labels()
        judges = [self._judge(index, judge) for index, judge in enumerate(file.judges)]
        places = [
            (judge.id, self._spot.inside("judges", index, "id").where())
            for index, judge in enumerate(judges)
        ]
        self._spot.problems.extend(_doubled(places, "judges", "give each judge an id of its own"))
        rubric = file.rubric and Rubric(file.rubric.question, file.rubric.criteria)
        return PairwiseSpec(
            id=file.id,
            judges=tuple(judges),
            rubric=rubric or None,
            show=tuple(file.show),
            orders=file.orders,
            repeats=file.repeats,
            pairs=file.pairs,
            verdicts=self._path("verdicts", file.verdicts, "the file of verdicts"),
            fields=file.fields,
            where=file.where,
            panels={name: tuple(patterns) for name, patterns in file.panels.items()},
            humans=tuple(file.humans),
            labels=labels,
            labels_file=labels_file,
            min_agreement=file.min_agreement,
            length_control=self._length_control(),
            places={"": self._spot.where()}
            | {key: self._spot.inside(key).where() for key in file.model_fields_set},
        )

    def _check_kind(self) -> None:
        """Judges or verdicts, and only the keys that belong to them."""
        file, given = self._file, self._file.model_fields_set
        if file.judges and file.verdicts is not None:
            what = f"'{file.id}' has both judges and verdicts"
            self._spot.inside("verdicts").tell(what, "make two entries of it")
        elif not file.judges and file.verdicts is None:
            self._spot.tell(f"'{file.id}' has neither judges nor verdicts", _EITHER)
        elif file.judges:
            self._tell_needless(_OF_VERDICTS, "belongs to verdicts given elsewhere")
        else:
            self._tell_needless(_OF_JUDGES, "belongs to judges that are asked")
        if file.judges and file.rubric is None:
            self._spot.tell(f"'{file.id}' has judges, but no rubric", _RUBRIC)
        if "show" in given and not file.show:
            what = "show must not be empty"
            self._spot.inside("show").tell(what, "show: [input], what the answers answer")
        if file.min_agreement is not None and file.labels is None:
            what = "min_agreement needs labels to agree with"
            self._spot.inside("min_agreement").tell(
                what, "labels: FILE, or a path in every example"
            )

    def _tell_needless(self, keys: Sequence[str], why: str) -> None:
        for key in keys:
            if key in self._file.model_fields_set:
                self._spot.inside(key).tell(f"{key} {why}", f"remove {key}")

    def _judge(self, index: int, file: JudgeFile) -> JudgeSpec:
        spot = self._spot.inside("judges", index)
        where = spot.inside("prompt")
        template = None
        if file.prompt is not None:
            found = read_template(where, file.prompt)
            if found is not None:
                template = found[1]
                for what, hint in _template_flaws(template):
                    where.tell(f"{file.prompt}: {what}", hint)
        if file.verdict == "token" and "structured" in file.model_fields_set:
            spot.inside("structured").tell("structured is of verdict: json", "remove structured")
        choice = model_choice(file, spot)
        return JudgeSpec(file.id, choice, template, file.verdict, file.structured, where.where())

    def _labels(self) -> tuple[str | None, bool]:
        """Where labels are: the path of a file and True, or a path in examples and False."""
        given = self._file.labels
        if given is None or not _names_file(given):
            return given, False
        return self._path("labels", given, "the file of labels"), True

    def _length_control(self) -> LengthSpec | None:
        given = self._file.length_control
        if not isinstance(given, LengthControlFile):
            return LengthSpec() if given else None
        spot = self._spot.inside("length_control")
        named = {
            key: getattr(given, key) and spot.inside(key).path(getattr(given, key), "file", key)
            for key in ("rows", "constants")
        }
        paths = {key: None if path is None else str(path) for key, path in named.items()}
        return LengthSpec(given.difficulty, **paths)

    def _path(self, key: str, text: str | None, noun: str) -> str | None:
        found = text and self._spot.inside(key).path(text, "file", noun)
        return str(found) if found else None


def _names_file(text: str) -> bool:
    """Whether labels are in a file: by its suffix, for a dotted path has none of these."""
    return Path(text).suffix.lower() in {".jsonl", ".csv", ".parquet"}


def _template_flaws(template: Template) -> Iterator[tuple[str, str]]:
    """Variables that no judge's template is given, and answers that it does not show."""
    from harness.templating.template import names_of

    used = names_of(template.text)
    for name in sorted(used - set(VARIABLES)):
        hint = did_you_mean(name, VARIABLES)
        yield f"line {_line(name, template.text)}: '{name}' is not given to judges", hint
    for name in ("first", "second"):
        if name not in used:
            yield f"it shows no `{name}` answer", f"{{{{ {name} }}}}"


def _line(name: str, text: str) -> int:
    """The line where a name first stands in a tag; 1 if it cannot be found."""
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(rf"\{{[{{%][^}}]*\b{re.escape(name)}\b", line):
            return number
    return 1


def _doubled(places: Sequence[tuple[str, str]], noun: str, hint: str) -> Iterator[Problem]:
    """A problem for each id that was used before."""
    first: dict[str, str] = {}
    for name, where in places:
        if name in first:
            what = f"two {noun} are called '{name}' (the first at {first[name]})"
            yield Problem(where, what, hint)
        first.setdefault(name, where)
