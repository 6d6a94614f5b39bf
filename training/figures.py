"""The embedded model's figures, as docs/embedded-model.md has them.

    python -m training.figures                                 # run, print
    python -m training.figures --write docs/embedded-model.md  # run, and put them into the page
    python -m training.figures --development                   # on the development world
    python -m training.figures --run reports/embedded_figures/latest

Intervals are harness's own for a share at 95 %: paraphrases of one question count as one cluster.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does; read with numpy

import numpy as np

from harness.core.example import slice_members
from harness.core.run import RunData
from harness.embedded.weights import Listing, read_listing
from harness.statistics.estimates import mean_estimate, paired_estimate
from training import replies as on
from training.replies import Reply

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "embedded_figures.yaml"
DEVELOPMENT = ROOT / "examples" / "support_desk" / "development" / "experiment.yaml"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
CONFIDENCE = 0.95
FIVE = ("prompt_only", "prompt_rag", "prompt_tools", "tuned_minimal", "tuned_rag")
TUNINGS = (
    ("prompt_only", "tuned_minimal"),
    ("prompt_rag", "tuned_rag"),
    ("tuned_rag", "tuned_rag_no_abstentions"),
)
"""Pairs of variants of which the second has learned what the first has not."""

HELD = "... where a passage that was read holds it"
"""What retrieval missed is left out: the model alone, told apart from the whole system."""

Right = Callable[[Mapping[str, Any] | None, Reply], bool]
Which = Callable[[Reply], bool]


@dataclass(frozen=True)
class Figure:
    """A share of a variant's replies: of `which`, those that are `right`.

    `least` and `most` bound the target, where there is one; it holds for the whole output where
    `strict`, else for what stands inside. `read` is False where the text plays no part.
    """

    what: str
    variant: str
    which: Which
    right: Right
    least: float | None = None
    most: float | None = None
    strict: bool = False
    read: bool = True

    @property
    def target(self) -> str:
        """The target in words; empty if there is none."""
        if self.least is not None and self.most is not None:
            return f"{self.least:.0%} to {self.most:.0%}"
        if self.least is not None:
            return f"at least {self.least:.0%}"
        return "" if self.most is None else f"at most {self.most:.0%}"

    def reached(self, share: float) -> str:
        """Whether a share is within the target; empty if there is none."""
        if not self.target:
            return ""
        within = (self.least or 0.0) <= share <= (1.0 if self.most is None else self.most)
        return "yes" if within else "**no**"


def kind(*names: str) -> Which:
    """Replies to messages of some kinds."""
    return lambda reply: reply.kind in names


def part(name: str, value: str) -> Which:
    """Knowledge of one slice more."""
    return lambda reply: reply.kind == "knowledge" and reply.example.slices.get(name) == value


def shown(reply: Reply) -> bool:
    """Knowledge whose section was among the passages."""
    return reply.kind == "knowledge" and reply.gold_shown


def every(reply: Reply) -> bool:
    """All replies."""
    return True


def figures() -> Iterator[Figure]:
    """The figures of the page, in order; targets are those that were set before training."""
    yield from _knowledge()
    rag, tools = "prompt_rag", "prompt_tools"
    tuned = ("tuned_rag", "tuned_minimal")
    yield Figure("right tool and arguments", tools, kind("tool"), on.same_calls, 0.95, read=False)
    yield Figure("... and the right value", tools, kind("tool"), on.same_answer)
    for name in tuned:
        yield Figure("category", name, every, on.same_category, 0.95, strict=True)
        yield Figure("... of knowledge", name, kind("knowledge"), on.same_category)
    for name in ("prompt_only", rag, tools):
        yield Figure("house format", name, every, on.in_format, 0.5, 0.95, strict=True)
    for name in tuned:
        yield Figure("house format", name, every, on.in_format, 0.98, strict=True)
    lacking = "abstains when the passages lack the answer"
    yield Figure(lacking, rag, kind("abstain"), on.abstains, 0.7)
    yield Figure(lacking, "tuned_rag", kind("abstain"), on.abstains, 0.8)
    yield Figure(lacking, "tuned_rag_no_abstentions", kind("abstain"), on.abstains)
    for name in (rag, "tuned_rag", "tuned_rag_no_abstentions"):
        yield Figure("... although a passage holds it", name, shown, on.abstains)
    for name in ("prompt_only", "tuned_minimal"):
        what = "knows the facts without context"
        yield Figure(what, name, kind("knowledge"), on.same_answer, most=0.05)
    others = kind("knowledge", "tool", "abstain", "out_of_scope")
    for name in (rag, *tuned):
        yield Figure("escalates", name, kind("escalate"), on.escalates)
        yield Figure("... what need not be", name, others, on.escalates)


def _knowledge() -> Iterator[Figure]:
    """Prompt and retrieval: right values and citations."""
    rag, value = "prompt_rag", "prompt + RAG: right value"
    yield Figure(value, rag, kind("knowledge"), on.same_answer, 0.85)
    yield Figure(HELD, rag, shown, on.same_answer)
    for name, values in {
        "evidence": ("plain", "conflicting", "exception"),
        "phrasing": ("plain", "ambiguous"),
        "length": ("short", "long"),
    }.items():
        for one in values:
            yield Figure(f"... {name} {one}", rag, part(name, one), on.same_answer)
    yield Figure("prompt + RAG: citation", rag, kind("knowledge"), on.same_citation, 0.9)
    yield Figure(HELD, rag, shown, on.same_citation)
    yield Figure("tuned + RAG: right value", "tuned_rag", kind("knowledge"), on.same_answer)
    yield Figure(HELD, "tuned_rag", shown, on.same_answer)
    yield Figure("tuned + RAG: citation", "tuned_rag", kind("knowledge"), on.same_citation)


def tables(trials: Sequence[Reply]) -> str:
    """All tables as Markdown."""
    made = (figure_table(trials), token_table(trials), slice_table(trials), losses(trials))
    return "\n\n".join(made)


def figure_table(trials: Sequence[Reply]) -> str:
    """Every figure with its interval, its target, and whether it is reached."""
    head = ("figure", "variant", "n", "inside its JSON", "whole output", "target", "reached")
    rows = []
    for figure in figures():
        chosen = [one for one in trials if one.variant == figure.variant and figure.which(one)]
        if not chosen:
            continue
        inside = [figure.right(one.inside, one) for one in chosen]
        whole = [figure.right(one.whole, one) for one in chosen]
        judged = float(np.mean(whole if figure.strict else inside))
        cells = [share(chosen, inside), share(chosen, whole) if figure.read else ""]
        if figure.target:
            cells[figure.strict] = f"**{cells[figure.strict]}**"
        name = f"`{figure.variant}`"
        rows.append((figure.what, name, len(chosen), *cells, figure.target, figure.reached(judged)))
    return markdown(head, rows)


def token_table(trials: Sequence[Reply]) -> str:
    """What a request takes; a prompt too long for the model is turned away and takes no tokens."""
    rows = []
    for name in _variants(trials):
        own = [one for one in trials if one.variant == name]
        asked = [one for one in own if one.prompt_tokens != 0]
        tokens = [one.prompt_tokens for one in asked if one.prompt_tokens is not None]
        ms = [1000 * one.latency_s for one in asked if one.latency_s is not None]
        means = [f"{np.mean(known):.0f}" if known else "" for known in (tokens, ms)]
        rows.append((f"`{name}`", len(own), *means, len(own) - len(asked)))
    head = ("variant", "messages", "prompt tokens, mean", "ms a message, mean", "prompts too long")
    return markdown(head, rows)


def slice_table(trials: Sequence[Reply]) -> str:
    """Right values, abstentions and hand-overs of the five techniques by slice, in percent."""
    rows = []
    for name, ids in _slices(trials):
        cells = []
        for variant in FIVE:
            own = [one for one in trials if one.variant == variant and one.example.id in ids]
            inside = _percent(own, [on.same_answer(one.inside, one) for one in own])
            whole = _percent(own, [on.same_answer(one.whole, one) for one in own])
            cells.append(inside if inside == whole else f"{inside} ({whole})")
        rows.append((f"`{name}`", len(ids), *cells))
    return markdown(("right value, %", "n", *(f"`{name}`" for name in FIVE)), rows)


def losses(trials: Sequence[Reply]) -> str:
    """The slices in which a tuned variant has fewer right values than the one it came from.

    Those whose paired interval lies below 0; the many looks are not adjusted for.
    """
    by_variant = {
        name: {one.example.id: one for one in trials if one.variant == name}
        for name in _variants(trials)
    }
    rows = []
    for name, ids in _slices(trials):
        for before, after in TUNINGS:
            was, now = by_variant.get(before, {}), by_variant.get(after, {})
            both = [(was[key], now[key]) for key in sorted(ids & was.keys() & now.keys())]
            if lost := _lost(both):
                rows.append((f"`{name}`", len(both), f"`{before}`", f"`{after}`", *lost))
    if not rows:
        return "Tuning lost right values in no slice."
    return markdown(("lost by tuning", "n", "before", "after", "%", "%", "points"), rows)


def _lost(both: Sequence[tuple[Reply, Reply]]) -> tuple[str, str, str] | None:
    """Percent right before and after, and the difference, if it is certainly a loss."""
    if not both:
        return None
    right = np.array([[on.same_answer(one.inside, one) for one in pair] for pair in both], float)
    groups = clusters([one for one, _ in both])
    found = paired_estimate(right[:, 1] - right[:, 0], groups, 1.0, CONFIDENCE, binary=True)
    if found.low is None or found.high is None or found.high >= 0:
        return None
    was, now = (f"{100 * mean:.0f}" for mean in right.mean(axis=0))
    ends = f"{100 * found.low:+.0f} to {100 * found.high:+.0f}"
    return was, now, f"{100 * found.value:+.0f} ({ends})"


def share(chosen: Sequence[Reply], right: Sequence[bool]) -> str:
    """A share in percent with its interval."""
    values = np.array(right, float)
    found = mean_estimate(values, clusters(chosen), (0.0, 1.0), CONFIDENCE, binary=True)
    text = f"{100 * found.value:.1f} %"
    if found.low is None or found.high is None:
        return text
    return f"{text} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def clusters(chosen: Sequence[Reply]) -> np.ndarray[Any, np.dtype[np.int32]] | None:
    """Codes of the groups that depend on one another; None where each stands alone."""
    names = [one.example.cluster or one.example.id for one in chosen]
    codes = {name: code for code, name in enumerate(dict.fromkeys(names))}
    if len(codes) == len(names):
        return None
    return np.array([codes[name] for name in names], np.int32)


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def heading(data: RunData) -> str:
    """What was measured, and with which weights."""
    evalset: Any = data.manifest["evalset"]
    weights = ", ".join(f"`{one[:12]}`" for one in sorted(weights_of(data.manifest)))
    asked = f"`{evalset['name']}` (sha256 `{evalset['sha256'][:12]}`)"
    return f"{len(data.examples)} messages of {asked}, weights {weights or 'unknown'}, greedy."


def model_table(listing: Listing) -> str:
    """The models that come with harness: their sizes. LoRA matrices count as parameters."""
    rows = []
    for name, files in listing.files.items():
        weights = [listing.folder / file for file in files]
        n_parameters = 0
        for path in weights:
            with np.load(path, allow_pickle=False) as arrays:
                n_parameters += sum(arrays[one].size for one in arrays.files)
        n_bytes = sum(path.stat().st_size for path in weights)
        rows.append((f"`local/{name}`", f"{n_parameters:,}", f"{n_bytes / 1e6:.1f}"))
    return markdown(("model", "parameters", "MB"), rows)


def weights_of(manifest: object) -> set[str]:
    """The hashes of local weights that a run's manifest names."""
    if isinstance(manifest, Mapping):
        own = {str(kept) for key, kept in manifest.items() if key == "weights_sha256"}
        return own.union(*map(weights_of, manifest.values()))
    if isinstance(manifest, list | tuple):
        return set().union(*map(weights_of, manifest))
    return set()


def written_into(page: str, text: str) -> str:
    """A page with the text between its two marks.

    Raises:
        ValueError: if the marks are not there, once each and in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise ValueError(f"the page must have {BEGIN} and, below it, {END}, once each")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def main() -> int:
    """Run or load, then print or write."""
    import harness

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", help="a finished run, as harness's commands take it")
    parser.add_argument("--development", action="store_true", help="run on the development world")
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="put the tables between its marks"
    )
    options = parser.parse_args()
    config = DEVELOPMENT if options.development else CONFIG
    try:
        run = harness.load_run(options.run) if options.run else harness.run(config)
        parts = (heading(run.data), model_table(read_listing()), tables(on.replies(run.data)))
        text = "\n\n".join(parts)
        if options.write is None:
            print(text)
        else:
            page = options.write.read_text(encoding="utf-8")
            options.write.write_text(written_into(page, text), encoding="utf-8", newline="\n")
    except (harness.InputError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _variants(trials: Sequence[Reply]) -> list[str]:
    return list(dict.fromkeys(one.variant for one in trials))


def _slices(trials: Sequence[Reply]) -> Iterator[tuple[str, set[str]]]:
    """Each slice with the ids of its examples."""
    examples = list({one.example.id: one.example for one in trials}.values())
    for name, members in slice_members([one.slices for one in examples]).items():
        yield name, {examples[index].id for index in members}


def _percent(own: Sequence[Reply], right: Sequence[bool]) -> str:
    return f"{100 * np.mean(right):.0f}" if own else ""


if __name__ == "__main__":
    sys.exit(main())
