"""Runs of live variants with traces, for tests of what the renderings make of them."""

from dataclasses import replace

import numpy as np
from builders import metric_scores, subject

from harness.comparison.compare import compare
from harness.comparison.subject import confounded_pairs
from harness.core.example import Example
from harness.core.experiment import Analysis, PrimaryFigure
from harness.core.record import Answer, AnswerPath, Failure, Record, Stage, Step, Trace, Usage
from harness.core.run import RunData
from harness.core.score import Metric
from harness.core.values import ToolCall
from harness.scoring.trials import trial_table

VARIANTS = ("prompt_only", "prompt_rag", "tuned_rag", "tools")
RATES = (0.35, 0.6, 0.75, 0.5)
REASON = "the tuned model was trained with a prompt of its own"
CONFOUNDED = ({"pair": ["tuned_rag", "prompt_rag"], "fields": ["model", "user"], "reason": REASON},)
AGAINST_BASELINE = (
    *CONFOUNDED,
    {"pair": ["prompt_only", "tuned_rag"], "fields": ["model", "user"], "reason": REASON},
)
FACTORS = {
    "model": dict.fromkeys(VARIANTS, "http/llama-3.1-8b") | {"tuned_rag": "http/llama-3.1-8b-ft"},
    "prompt.user": dict.fromkeys(VARIANTS, "user.j2 4f1c9a02") | {"tuned_rag": "user.j2 77a0b1c2"},
    "retrieval.use": {
        "prompt_only": "none",
        "prompt_rag": "bm25",
        "tuned_rag": "bm25",
        "tools": "none",
    },
    "tools.use": {"tools": "look_up, refund"},
    "params.temperature": dict.fromkeys(VARIANTS, 0),
    "params.max_output_tokens": dict.fromkeys(VARIANTS, 256),
    "output.schema": dict.fromkeys(VARIANTS, "answer.schema.json 0c4d6f11"),
}
MISSING = "schema: 'answer' is a required property"
SYSTEM = "You answer questions of customers from the passages, or say that you cannot."


def live_run(n=60, seed=3, confounded=AGAINST_BASELINE, repeats=1):
    """Four variants on `n` examples, with rejections, repairs, fallbacks, retries and tools."""
    rng = np.random.default_rng(seed)
    examples = tuple(
        Example(
            f"q-{i:03d}",
            {"question": f"May I return item {i} after {7 + i % 40} days?"},
            target="yes" if i % 3 else "no",
            slices={"kind": "rare" if i % 5 == 0 else "usual"},
            evidence=(f"returns#{i % 4}",),
        )
        for i in range(n)
    )
    shape = (len(VARIANTS), n, repeats)
    right = (rng.random(shape) < np.array(RATES)[:, None, None]).astype(float)
    records = tuple(
        _record(variant, example, repeat, bool(right[v, e, repeat]), rng)
        for e, example in enumerate(examples)
        for v, variant in enumerate(VARIANTS)
        for repeat in range(repeats)
    )
    scores = [metric_scores(Metric("correct", binary=True, description="says yes or no"), right)]
    ids = tuple(example.id for example in examples)
    analysis = Analysis((PrimaryFigure("correct"),), resamples=500)
    made = subject(scores, ids=ids, examples=examples, variants=VARIANTS, analysis=analysis)
    made = replace(
        made,
        trials=trial_table(VARIANTS, ids, repeats, records),
        factors=FACTORS,
        confounded=confounded_pairs(confounded),
    )
    return RunData({"name": "returns"}, examples, records, made.scores, compare(made))


def _record(variant, example, repeat, right, rng):
    answer = example.target if right else "perhaps"
    steps = _steps(variant, example, answer, rng)
    rejected = variant == "tuned_rag" and rng.random() < 0.25
    handed = rejected and rng.random() < 0.4
    rejections = (MISSING,) * (rejected + handed)
    steps.append(_validated(not rejected))
    if rejected:
        steps += [*_repaired(answer, rng), _validated(not handed)]
    if handed:
        steps += [*_handed_over(answer, rng), _validated(True)]
    retried = rng.random() < 0.06
    outcome = Answer(
        {"answer": answer, "source": example.evidence[0]},
        tool_calls=(ToolCall("look_up", {"item": 7}),) if variant == "tools" else (),
        evidence=(*example.evidence, "shipping#0") if "rag" in variant else (),
    )
    if variant == "tools" and rng.random() < 0.05:
        outcome = Failure(False, "tool_loop", "the model asked for more than 4 calls of tools")
    used = [step.usage for step in steps if step.usage]
    return Record(
        variant,
        example.id,
        repeat,
        outcome,
        AnswerPath.COLD if example.id == "q-000" else AnswerPath.WARM,
        latency_s=sum(step.latency_s for step in steps),
        cost_usd=sum(step.cost_usd or 0.0 for step in steps),
        usage=Usage(
            sum(usage.prompt_tokens for usage in used),
            sum(usage.cached_prompt_tokens for usage in used),
            sum(usage.completion_tokens for usage in used),
        ),
        trace=Trace(
            steps=tuple(steps),
            queue_s=0.02,
            retry_wait_s=0.8 if retried else 0.0,
            ttft_s=float(rng.lognormal(-1.6, 0.3)),
            calls=len(used) + 1,
            attempts=len(used) + 1 + retried,
            validation="passed",
            rejections=rejections,
            repairs=int(rejected),
            fallback_used="prompt_rag" if handed else None,
            served_model="llama-3.1-8b-instruct",
            block=0,
        ),
    )


def _steps(variant, example, answer, rng):
    steps = [Step(Stage.NORMALISE, 0.0, 0.0001)]
    passages = [
        {"id": example.evidence[0], "rank": 1, "score": 12.25, "document": "returns"},
        {"id": "shipping#0", "rank": 2, "score": 3.5, "document": "shipping"},
    ]
    question = example.input["question"]
    if "rag" in variant:
        found = {"query": question, "passages": passages[::-1]}
        steps.append(Step(Stage.RETRIEVE, 0.001, float(rng.lognormal(-5, 0.3)), detail=found))
        took = float(rng.lognormal(-3, 0.3))
        steps.append(Step(Stage.RERANK, 0.01, took, 0.000002, detail={"passages": passages}))
        steps.append(Step(Stage.CONTEXT, 0.06, 0.0004, detail={"passages": passages, "tokens": 61}))
    asked = f"Passages:\n1. {example.evidence[0]}\n\n{question}" if len(steps) > 1 else question
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": asked}]
    if variant == "tools":
        call = {"id": "c1", "name": "look_up", "arguments": '{"item": 7}'}
        steps.append(_generate(messages, "", rng, calls=[call]))
        failed = rng.random() < 0.1
        done = {"name": "look_up", "arguments": {"item": 7}, "call_id": "c1"}
        done |= {"result": "no such item", "error": "raised"} if failed else {"result": "bought"}
        steps.append(Step(Stage.TOOL, 0.8, float(rng.lognormal(-4, 0.5)), detail=done))
        messages = [{"role": "tool", "content": done["result"], "call_id": "c1"}]
    steps.append(_generate(messages, f'{{"answer": "{answer}"}}', rng))
    return steps


def _generate(messages, text, rng, stage=Stage.GENERATE, variant="", calls=None):
    usage = Usage(120 + sum(len(m["content"]) for m in messages) // 4, 40, int(rng.integers(8, 30)))
    detail = {
        "model": "http/llama-3.1-8b",
        "messages": messages,
        "text": text,
        "finish_reason": "tool_calls" if calls else "stop",
    }
    if calls:
        detail["calls"] = calls
    took = float(rng.lognormal(-0.6, 0.4))
    return Step(stage, 0.07, took, 0.00004, usage, variant=variant, detail=detail)


def _validated(passed):
    detail = {"result": "passed"} if passed else {"result": "failed", "reasons": [MISSING]}
    return Step(Stage.VALIDATE, 1.2, 0.0003, detail=detail)


def _repaired(answer, rng):
    told = [{"role": "user", "content": "Your answer was rejected:\n- 'answer' is missing"}]
    return [_generate(told, f'{{"answer": "{answer}"}}', rng, stage=Stage.REPAIR)]


def _handed_over(answer, rng):
    why = {"reason": "rejected", "kind": "schema", "reasons": [MISSING], "to": "prompt_rag"}
    marker = Step(Stage.FALLBACK, 2.0, 0.0, detail=why)
    asked = [{"role": "user", "content": "The same question, asked of another variant."}]
    return [marker, _generate(asked, answer, rng, variant="prompt_rag")]
