"""What the numbers mean, in plain words. The page's last section and docs/report.md show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One entry; figures on the page link to `g-<id>`."""

    id: str
    title: str
    text: str


TERMS: tuple[Term, ...] = (
    Term(
        "verdict",
        "Verdict",
        "Ship: a variant is certainly better than the baseline on the first primary metric and "
        "certainly worse on no other primary figure. Keep: none is. Trade-off: better on one "
        "primary figure, worse on another; a person has to choose. No verdict: too many results "
        "are missing to say anything.",
    ),
    Term(
        "metric",
        "Metric",
        "One thing that is measured on every answer, such as whether it is correct. A share is "
        "given in percent: 39.0% means that 39 of 100 answers have the property.",
    ),
    Term(
        "interval",
        "Interval (from … to …)",
        "The examples are a sample of all the questions that could be asked, so another sample "
        "would give a slightly different number. The interval says how far: with 95% confidence, "
        "the value that infinitely many examples would give lies inside. A wide interval means "
        "few or very different examples.",
    ),
    Term(
        "difference",
        "Difference and points",
        "Candidate minus baseline on the same examples, question by question. Shares differ in "
        "points: from 30.0% to 35.0% is +5.0 points. If the interval of the difference leaves "
        "out zero, chance alone hardly explains it, as long as it is the only figure looked at.",
    ),
    Term(
        "finding",
        "Finding (▲ ▼ △ ▽)",
        "▲ better and ▼ worse: certain, after correcting for the number of figures looked at. "
        "△ and ▽: the data lean this way, but it could be chance (no evidence), or would be "
        "certain only if no other figure had been looked at (not certain). … too few: "
        "there are not enough examples to say anything. ✕: the figures cannot be compared.",
    ),
    Term(
        "p",
        "p-value, adjusted",
        "How often a difference at least this large would turn up if the two variants were in "
        "truth the same. Small means unlikely to be chance. Looking at many figures finds "
        "something by luck, so each p-value is raised to make up for it.",
    ),
    Term(
        "family",
        "Primary and exploratory",
        "Primary figures were named before the run; the verdict rests on them alone (Holm's "
        "correction keeps the chance of any false finding among them small). All others are "
        "exploratory: they suggest where to look, and among those called certain a small share "
        "is expected to be wrong (Benjamini and Hochberg's correction).",
    ),
    Term(
        "wins",
        "Wins, ties, losses",
        "On how many examples the first variant scored better than, the same as, or worse than "
        "the second.",
    ),
    Term(
        "win-rate",
        "Win rate",
        "Take one example at random: how often the row's variant does better than the column's, "
        "a tie counting half. 50% means neither is ahead.",
    ),
    Term(
        "mde",
        "Smallest difference that would show",
        "With this many examples, a true difference of this size would be found in 8 of 10 runs. "
        "Smaller ones will often go unseen, so finding nothing does not mean nothing is there.",
    ),
    Term(
        "needed",
        "Examples needed",
        "A rough estimate of how many more examples would make a true difference of the size "
        "seen here certain in 8 of 10 runs.",
    ),
    Term(
        "slice",
        "Slice",
        "A named group of examples, such as all questions with two steps. An example can be in "
        "several slices. n is how many examples of the slice carry a figure.",
    ),
    Term(
        "losses",
        "Share of losses",
        "Of all examples on which the candidate does worse, how many lie in this slice. A slice "
        "with 12% of the examples and 34% of the losses is where to look first.",
    ),
    Term(
        "latency",
        "p50 and p95",
        "p50: half of the requests were answered within this time. p95: 95 of 100 were; it is "
        "what the unlucky users see. Time spent waiting for our own limits is not counted, and "
        "answers from a cache never are.",
    ),
    Term(
        "cost",
        "Cost per request and per correct answer",
        "What one request costs on average, and what one right answer costs: everything spent "
        "over the number of right answers by the first primary metric. Unknown means that the "
        "price or usage is not known; it never means free.",
    ),
    Term(
        "failures",
        "Failures",
        "System: the variant itself gave no usable answer; it counts as the worst score. "
        "Infrastructure: something outside it failed (a timeout, a refused connection); the "
        "trial is left out, an example with no other repeat is left out for both sides of the "
        "comparison, and both count against coverage.",
    ),
    Term(
        "missing",
        "Missing",
        "Examples that should have a score and do not. If too many are missing there is no "
        "verdict, because those left may not be like those lost.",
    ),
    Term(
        "classes",
        "Precision, recall, F1",
        "Precision: of the answers that named this class, how many were right. Recall: of the "
        "examples of this class, how many were found. F1: a mean of both that is only high if "
        "both are.",
    ),
    Term(
        "factors",
        "What differs",
        "The declared properties of each variant. If two variants differ in more than one, a "
        "difference in quality is due to all of them together. What owning a variant takes (hours "
        "to change it, say) is what its file states; it is shown and never compared.",
    ),
    Term(
        "confounded",
        "Confounded (◊)",
        "The two variants differ in more than the thing under test, so a difference between them "
        "has more than one possible cause. Somebody accepted that for a reason, which stands "
        "beside every figure of the pair.",
    ),
    Term(
        "path",
        "Cold, warm, cached, recorded",
        "Warm: an answer that harness waited for. Cold: the first one of a variant or a worker, "
        "which pays for connections and caches. Cached: taken from an earlier run. Recorded: "
        "measured by whoever made the recording. They are never mixed; warm ones are shown where "
        "there are any.",
    ),
    Term(
        "operation",
        "Rejected, schema failure, no valid output, repaired, fell back, retried, tool error",
        "Rejected: an output did not pass the variant's checks (JSON, schema, rules, citations). "
        "Schema failure: one was no JSON or broke the schema, whatever became of it. No valid "
        "output: in the end there was none, and nothing answered in its place. "
        "Repaired: the model was shown what was wrong and wrote again. Fell back: another variant "
        "or a fixed answer stood in. Retried: a call failed and was sent again; that time stands "
        "beside the latency, not in it. What each adds is a mean over all requests, and over "
        "those that it happened to. Tool error: of the requests that called a tool, those in "
        "which a call failed.",
    ),
    Term(
        "tools",
        "Calls of tools",
        "Every call of a tool, by a model or by the system before it asks one. A call fails if "
        "the tool breaks, takes too long or cannot be reached, or if the model calls a tool that "
        "is not there or with arguments that it does not take. p50 and p95 are of single calls.",
    ),
    Term(
        "routes",
        "Routes",
        "What the variant's router decided for each request: the variant itself, another one, or "
        "a fixed answer. Latency and cost are those of the whole request.",
    ),
    Term(
        "stages",
        "Stages",
        "The parts of a request that are timed one by one, such as retrieve, rerank, generate and "
        "validate. Several steps of one stage in one request count together. The shares add up to "
        "the time that all stages took.",
    ),
    Term(
        "tokens",
        "Tokens and tokens saved",
        "How much text models read (prompt; some of it at a lower price from the provider's "
        "cache) and write (completion, reasoning included) for one request, all calls together. "
        "Saved: the "
        "baseline's prompt tokens minus the variant's, example by example, per request and per "
        "call of a model; below zero, the variant needs more.",
    ),
    Term(
        "gate",
        "Gate",
        "Rules a release has to keep. A rule holds when the data show that the loss is smaller "
        "than allowed, is broken when they show that it is larger, and is inconclusive when "
        "they show neither.",
    ),
    Term(
        "judged",
        "Judged",
        "A judge, a model or a person, is shown two answers and says which is better. The win rate "
        "is how often it prefers the candidate; a tie counts as half. Against a win rate of 50% "
        "there is nothing to choose between the two.",
    ),
    Term(
        "flips",
        "Flipped; same in both orders",
        "Each pair is shown twice, the second time with the answers in reverse order. A judge that "
        "then changes its mind has not told the answers apart: the pair counts as a tie, and is "
        "counted as flipped.",
    ),
    Term(
        "lengthcontrol",
        "Win rate at equal lengths",
        "Judges like long answers. This is the win rate that a model of preference, length and "
        "difficulty gives for answers of equal length (Dubois and others, 2024). Where it parts "
        "from the plain win rate, length decides much of it.",
    ),
    Term(
        "corrected",
        "Corrected win rate",
        "What people would say, judging by how often the judge agreed with them where both spoke "
        "(Rogan and Gladen, 1978). Its interval holds the uncertainty of both.",
    ),
    Term(
        "ranking",
        "Ranking",
        "Abilities by Bradley and Terry (1952): of two variants, the one ahead by 1 wins 73% of "
        "comparisons. Intervals come from drawing examples anew; variants whose order is not "
        "certain share a range of ranks.",
    ),
    Term(
        "judges",
        "The judges",
        "A judge is measured before it is believed: against labels where there are any, in both "
        "orders, and against lengths. One below the agreement that the config declares informs "
        "the report, and blocks no gate.",
    ),
    Term(
        "right",
        "Right",
        "The share of a judge's verdicts that are those of the labels, or of most people who "
        "voted. A verdict that could not be read counts as wrong.",
    ),
    Term(
        "positionbias",
        "First wins",
        "How often the answer shown first wins. Since every pair is shown in both orders, it "
        "should be 50%; further away, the judge has a position bias.",
    ),
    Term(
        "lengthbias",
        "Longer wins",
        "How often the longer answer wins. Longer answers may be better: hold it against how often "
        "the labels prefer them.",
    ),
    Term(
        "agreement",
        "Agreement and kappa",
        "How often two judges give the same verdict on the same two answers. Kappa is the "
        "agreement beyond chance: 0 is chance, 1 is complete.",
    ),
)
