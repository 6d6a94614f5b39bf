"""The sentences: what a pair, a conclusion and a gate's verdict say in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from harness.core.comparison import Finding, PairEstimate, ScoreEstimate
from harness.core.example import ALL
from harness.core.verdict import Outcome, RuleResult, Verdict
from harness.reporting import formats
from harness.reporting.figures import Figures
from harness.reporting.text import one_line

Tone: TypeAlias = Literal["good", "bad", "unsure", "plain"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A finding as a symbol and a word; `tone` colours it, but never alone."""

    symbol: str
    word: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Headline:
    """The answer: a badge of a few words, a sentence, and the reasons one by one."""

    badge: str
    tone: Tone
    sentence: str
    reasons: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Sentence and reasons as one paragraph."""
        return " ".join((self.sentence, *self.reasons))


CONFOUNDED = "◊"
"""Stands at every figure of a pair that differs in more than what is under test."""
_HOPELESS = 10_000_000
"""So many more examples are no advice."""
_UNDEFINED = "undefined: "
"""What a method begins with where there is no interval."""
_CERTAIN: dict[Finding, Mark] = {
    "better": Mark("▲", "better", "good"),
    "worse": Mark("▼", "worse", "bad"),
    "too_few": Mark("…", "too few", "plain"),
    "not_comparable": Mark("✕", "not comparable", "plain"),
}
OUTCOMES: dict[Outcome, Mark] = {
    "pass": Mark("✓", "holds", "good"),
    "fail": Mark("✗", "broken", "bad"),
    "inconclusive": Mark("?", "inconclusive", "unsure"),
}


def mark(pair: PairEstimate, gain: float | None) -> Mark:
    """The finding of a pair; an open triangle leans the way the data do."""
    if why_undefined(pair):
        return Mark("…", "no interval" if pair.diff is not None else "undefined", "plain")
    certain = _CERTAIN.get(pair.finding)
    if certain is not None:
        return certain
    symbol = "○" if not gain else "△" if gain > 0 else "▽"
    return Mark(symbol, "not certain" if leaves_out_zero(pair) else "no evidence", "unsure")


def leaves_out_zero(pair: PairEstimate) -> bool:
    """Whether the pair's interval alone would call the difference certain."""
    if pair.ci_low is None or pair.ci_high is None:
        return False
    return pair.ci_low > 0 or pair.ci_high < 0


def why_undefined(figure: PairEstimate | ScoreEstimate) -> str:
    """Why a figure or its interval cannot be given: `a class has fewer than 10 examples`; or ""."""
    return one_line(figure.method.partition(_UNDEFINED)[2])


def more_needed(open_: PairEstimate | RuleResult) -> int | None:
    """How many more examples would probably settle a pair or rule; None if unknown or hopeless."""
    more = (open_.n_needed or 0) - open_.n
    return more if 0 < more < _HOPELESS else None


def pair_sentence(pair: PairEstimate, figures: Figures, *, subject: str = "") -> str:
    """One pair in a sentence, without a full stop.

    `b is 2.6 points better than a on correct, between −6.1 and 11.3: no evidence of a
    difference; about 1,900 more examples would settle it`.
    """
    return _pair_said(pair, figures, subject) + _aside(pair, figures)


def _pair_said(pair: PairEstimate, figures: Figures, subject: str) -> str:
    name = subject or one_line(pair.candidate)
    where = _where(pair)
    gain = figures.gain(pair)
    if pair.finding == "not_comparable" or gain is None:
        said = f"{name} cannot be compared with {one_line(pair.baseline)} on {_metric(pair)}{where}"
        return said + _because(why_undefined(pair) or _no_data(pair))
    said = f"{name} is {_by_how_much(pair, figures, gain)} on {_metric(pair)}{where}"
    said += _range(pair, figures, gain)
    if pair.finding == "too_few":
        return said + _because(_too_few(pair, figures.comparison.settings.min_examples))
    if pair.finding == "no_evidence":
        return f"{said}: {_not_certain(pair, figures)}{_would_settle(pair)}"
    return said


def _not_certain(pair: PairEstimate, figures: Figures) -> str:
    """Why a difference is no finding; an interval that leaves out 0 must not go without a word."""
    if pair.p_adjusted is None or not leaves_out_zero(pair):
        return "no evidence of a difference"
    n, p = figures.n_tested(pair.family), formats.p_value(pair.p_adjusted)
    if n < 2:
        return f"not certain ({p})"
    return f"not certain after correction for {formats.count(n)} figures ({p})"


def conclude(figures: Figures) -> Headline:
    """The comparison's conclusion in words."""
    conclusion = figures.comparison.conclusion
    pairs = [
        pair
        for candidate, metric, slice_id in conclusion.because
        if (pair := figures.pair(candidate, figures.comparison.baseline, metric, slice_id))
    ]
    name = one_line(conclusion.variant)
    match conclusion.kind:
        case "ship":
            return _ship(name, pairs, figures)
        case "keep":
            return _keep(name, pairs, figures)
        case "trade_off":
            said = "; but ".join(pair_sentence(pair, figures) for pair in pairs)
            return Headline("Trade-off", "unsure", f"A trade-off, for a person to weigh. {said}.")
        case "incomplete":
            return _incomplete(figures, pairs)
        case "single":
            return _single(figures)


def gate_headline(verdict: Verdict) -> Headline:
    """The gate's outcome in words: which rules decided, the worst first."""
    candidate, baseline = one_line(verdict.candidate), one_line(verdict.baseline)
    total = len(verdict.rules)
    broken = [rule for rule in verdict.rules if rule.outcome == "fail"]
    open_ = [rule for rule in verdict.rules if rule.outcome == "inconclusive"]
    reasons = tuple(_stopped(one_line(rule.reason, 300)) for rule in (broken or open_))
    if verdict.outcome == "pass":
        kept = "the one rule" if total == 1 else f"all {formats.count(total)} rules"
        said = f"The gate passes {candidate}: it keeps {kept} against {baseline}."
        return Headline("Pass", "good", said)
    if verdict.outcome == "fail":
        said = f"The gate blocks {candidate}: {_of(broken, total)} broken against {baseline}."
        return Headline("Blocked", "bad", said, reasons)
    weight = "does not block" if verdict.on_inconclusive == "warn" else "blocks"
    said = (
        f"The gate cannot decide on {candidate}, which {weight}: {_of(open_, total)} "
        f"inconclusive against {baseline}."
    )
    return Headline("Inconclusive", "unsure", said, reasons)


def _of(rules: list[RuleResult], total: int) -> str:
    """`the one rule is`, `1 of 4 rules`."""
    return "the one rule is" if total == 1 else f"{len(rules)} of {formats.count(total)} rules"


def _ship(name: str, pairs: list[PairEstimate], figures: Figures) -> Headline:
    said = f"Ship {name}."
    if pairs:
        said += f" {_stopped(pair_sentence(pairs[0], figures, subject='It'))}"
    reasons = [
        _stopped(f"{formats.p_value(lead.p_adjusted)}; {_tally(lead)}{_aside(lead, figures)}")
        for lead in pairs[:1]
    ]
    others = [pair for pair in _primary_of(name, figures) if pair not in pairs[:1]]
    reasons += [_stopped(pair_sentence(pair, figures, subject="It")) for pair in others]
    reasons += _other_losses(name, figures)
    reasons += _other_candidates(name, figures)
    return Headline(f"Ship {name}", "good", said, tuple(_capital(reason) for reason in reasons))


def _keep(name: str, pairs: list[PairEstimate], figures: Figures) -> Headline:
    sentences = [_stopped(pair_sentence(pair, figures)) for pair in pairs]
    badge = f"Keep {name}"
    if len(sentences) == 1:
        return Headline(badge, "plain", f"Keep {name}. {sentences[0]}")
    conclusion, where = figures.comparison.conclusion, figures.comparison.conclusion.slice
    metric = one_line(conclusion.metric) + ("" if where == ALL else f" in {one_line(where)}")
    said = f"Keep {name}. No other variant is certainly better on {metric}."
    return Headline(badge, "plain", said, tuple(sentences))


def _primary_of(shipped: str, figures: Figures) -> list[PairEstimate]:
    return [pair for pair in figures.primary_pairs() if one_line(pair.candidate) == shipped]


def _other_losses(shipped: str, figures: Figures) -> list[str]:
    """What the shipped variant certainly loses beside the primary figures: a price to know of."""
    conclusion = figures.comparison.conclusion
    lost = [
        f"{_metric(pair)}{_where(pair)} ({figures.scale(pair.metric).difference(pair.diff)})"
        for pair in figures.comparison.pairs
        if pair.finding == "worse"
        and pair.family == "exploratory"
        and one_line(pair.candidate) == shipped
        and pair.baseline == figures.comparison.baseline
    ]
    if not lost:
        return []
    more = f" and {formats.plural(len(lost) - 3, 'more figure')}" if len(lost) > 3 else ""
    aside = _aside_of(figures.confounded(conclusion.variant, figures.comparison.baseline))
    return [f"Certainly worse outside the primary figures: {', '.join(lost[:3])}{more}{aside}."]


def _other_candidates(shipped: str, figures: Figures) -> list[str]:
    """The other candidates on the deciding metric, so that nobody has to wonder."""
    comparison = figures.comparison
    others = [v for v in figures.candidates if one_line(v) != shipped]
    metric, where = comparison.conclusion.metric, figures.comparison.conclusion.slice
    pairs = [figures.pair(v, comparison.baseline, metric, where) for v in others]
    return [_stopped(pair_sentence(pair, figures)) for pair in pairs if pair]


def _incomplete(figures: Figures, pairs: list[PairEstimate]) -> Headline:
    least = figures.comparison.settings.coverage
    lost = [pair for pair in pairs if pair.coverage < least]
    said = "No verdict: a primary figure has no example that it applies to."
    if lost:
        said = (
            "No verdict: too many results are missing "
            f"(the comparison needs {formats.share(least)} of them)."
        )
    elif pairs:
        said = "No verdict: a primary figure cannot be computed on both sides."
    reasons = [
        f"{one_line(pair.candidate)} against {one_line(pair.baseline)} on {_metric(pair)}: "
        + (
            f"{formats.share(pair.coverage)} of the trials scored on both sides"
            if pair in lost
            else "no example has anything to count"
        )
        + f"{_aside(pair, figures)}."
        for pair in pairs
    ]
    return Headline("No verdict", "unsure", said, tuple(reasons))


def _single(figures: Figures) -> Headline:
    conclusion = figures.comparison.conclusion
    name, scale = one_line(conclusion.variant), figures.scale(conclusion.metric)
    score = figures.score(
        conclusion.variant, conclusion.metric, figures.comparison.conclusion.slice
    )
    said = f"One variant, so nothing to compare. {name}"
    if score is None or score.mean is None:
        return Headline("One variant", "plain", f"{said} has no score on the primary metric.")
    between = scale.between(score.ci_low, score.ci_high)
    value = f"{scale.value(score.mean)} on {_metric(score)}{_where(score)}"
    return Headline("One variant", "plain", f"{said}: {value}{between and ', ' + between}.")


def _by_how_much(pair: PairEstimate, figures: Figures, gain: float) -> str:
    baseline = one_line(pair.baseline)
    if gain == 0:
        return f"equal to {baseline}"
    amount = figures.scale(pair.metric).amount(gain)
    return f"{amount} {'better' if gain > 0 else 'worse'} than {baseline}"


def _range(pair: PairEstimate, figures: Figures, gain: float) -> str:
    """The interval, counted in the direction that the sentence speaks of.

    One that holds 0 has no direction: it is written with signs, as in the tables.
    """
    if pair.ci_low is None or pair.ci_high is None:
        return ""
    scale = figures.scale(pair.metric)
    if pair.ci_low <= 0 <= pair.ci_high:
        return f", between {scale.signed(pair.ci_low)} and {scale.signed(pair.ci_high)}"
    turned = figures.up(pair.metric) * (1 if gain >= 0 else -1) < 0
    low, high = (-pair.ci_high, -pair.ci_low) if turned else (pair.ci_low, pair.ci_high)
    return f", {scale.between(low, high)}"


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _no_data(pair: PairEstimate) -> str:
    return "" if pair.n else "no example has a score on both sides"


def _too_few(pair: PairEstimate, least: int) -> str:
    """Why nothing can be said of a pair that has a difference."""
    why = why_undefined(pair)
    if why and pair.n_units >= least:
        return f"no interval, {why}"
    if pair.n_units < pair.n:
        return f"too few independent examples to tell ({formats.plural(pair.n_units, 'cluster')})"
    return f"{formats.plural(pair.n, 'example')}, too few to tell"


def _would_settle(pair: PairEstimate) -> str:
    needed = more_needed(pair)
    return (
        "" if needed is None else f"; about {formats.rough(needed)} more examples would settle it"
    )


def _tally(pair: PairEstimate) -> str:
    wins, losses, ties = (formats.count(n) for n in (pair.wins, pair.losses, pair.ties))
    return f"it does better on {wins} examples, worse on {losses} and the same on {ties}"


def _metric(figure: PairEstimate | ScoreEstimate) -> str:
    return one_line(figure.metric)


def _where(figure: PairEstimate | ScoreEstimate) -> str:
    return "" if figure.slice == ALL else f" in {one_line(figure.slice)}"


def _aside(pair: PairEstimate, figures: Figures) -> str:
    return _aside_of(figures.confounded(pair.candidate, pair.baseline))


def _aside_of(confounded: str) -> str:
    """What a reader of a confounded pair's figure must know with it."""
    return f" ({CONFOUNDED} {confounded})" if confounded else ""


def _stopped(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith(("it ", "about ")) else text
