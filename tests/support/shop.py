"""A shop's support desk as a project of live variants, for tests of what variants can be.

Three experiments: `retrieval`, `prompts`, `systems`; docs/reference says what their keys mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import shop_model
from live_project import Finished, LiveProject
from model_server import ModelServer

DOCUMENTS = {
    "returns.md": """\
        ---
        audience: [public, staff]
        ---
        # Returns

        ## Window

        Goods may be returned within 30 days of delivery. Opened bags are an exception to this rule:
        opened bags may only be returned if the beans are faulty, and no later than 14 days after.
        """,
    "shipping.md": """\
        ---
        audience: [public, staff]
        ---
        # Shipping

        ## Time

        Parcels arrive within 3 days.

        ## Cost

        The shipping cost is 4 euros.

        ## Size

        A parcel has room, so that 8 bags fit into it.
        """,
    "warranty.md": """\
        ---
        audience: [public, staff]
        updated: 2026-01-10
        ---
        # Warranty

        ## Length

        Grinders have a warranty of 2 years. The warranty covers the grinders.
        """,
    "warranty-2019.md": """\
        ---
        audience: [public, staff]
        updated: 2019-01-10
        ---
        # Warranty

        ## Length

        Grinders have a warranty of 1 year, which is told here with a good many other words besides.
        """,
    "beans.md": """\
        ---
        audience: [public, staff]
        ---
        # Beans

        ## Freshness

        Roasted beans stay fresh for 6 weeks.
        """,
    "discounts.md": """\
        ---
        audience: staff
        ---
        # Discounts

        ## Staff

        The staff discount is 40 percent.
        """,
    "questions.md": """\
        ---
        audience: [public, staff]
        ---
        # Questions

        ## Often

        Fit? Bags fit? Do bags fit? How many bags fit in a parcel? Fresh? Beans fresh? How long do
        roasted beans stay fresh? See the other pages.
        """,
}


def _row(
    name: str, question: str, answer: str = "unknown", source: str = "none", **more: Any
) -> dict[str, Any]:
    """An example; `order` and `audience` are fields of its input."""
    order = more.pop("order", "")
    called = [{"name": "order_status", "arguments": {"id": order}}] if order else []
    row: dict[str, Any] = {
        "id": name,
        "input": {
            "question": question,
            "audience": more.pop("audience", "public"),
            "order": order,
        },
        "target": {"answer": answer, "source": source},
        "slices": {"kind": more.pop("kind", "other")},
        "abstain": answer == "unknown",
        "tool_calls": called,
    }
    if "#" in source:
        row["evidence"] = [source]
    return row


FACTS = [
    ("f1", "Within how many days may goods be returned?", "30 days", "returns#window"),
    ("f2", "How long do parcels take to arrive?", "3 days", "shipping#time"),
    ("f3", "What is the cost of shipping?", "4 euros", "shipping#cost"),
    ("f5", "How long do roasted beans stay fresh?", "6 weeks", "beans#freshness"),
    ("f6", "How many bags fit in a parcel?", "8 bags", "shipping#size"),
]
WARRANTY = "2 years", "warranty#length"
TIME = "3 days", "shipping#time"
DISCOUNT = "40 percent", "discounts#staff"
EXAMPLES = [
    *(_row(*fact, kind="fact") for fact in FACTS),
    _row("f4", "How long is the warranty of grinders?", *WARRANTY, kind="conflict"),
    _row("x1", "May opened bags be returned?", "14 days", "returns#window"),
    _row("w1", "When will my stuff be here?", *TIME),
    _row("w2", "How long is the guarantee on grinders?", *WARRANTY),
    _row("s1", "What is the staff discount?", *DISCOUNT, audience="staff"),
    _row("s2", "What discount do staff get?"),
    _row("o1", "Where is order A1?", "sent", "orders", order="A1", kind="order"),
    _row("o2", "Where is order B2?", "lost", "orders", order="B2", kind="order"),
    _row("o3", "Where is order C3?", order="C3", kind="order"),
    _row("b1", "Is there a limit to one order?", kind="no-order"),
    _row("n1", "Do you sell tea?"),
    _row("n2", "Is it going to rain tomorrow?"),
    _row("r1", "My lawyer says that you owe me money."),
    _row("c1", "How long do parcels take to arrive and what is the cost?", *TIME),
]

TOOLS = '''
"""What the shop knows of its orders."""

STATES = {"A1": "sent", "B2": "lost"}

def order_status(id: str) -> dict:
    """The state of an order."""
    return {"id": id, "state": STATES[id]}
'''

TEMPLATES = {
    "system.j2": """\
        You answer customers of a shop. Reply with JSON: {"answer": ..., "source": ...}.
        Say "unknown" if you do not know.
        {% for shot in shots %}
        Customer: {{ shot.input.question }}
        You: {{ shot.output | tojson }}
        {% endfor %}
        """,
    "brief.j2": 'JSON only: {"answer": ..., "source": ...}.',
    "terms.j2": """\
        You answer customers of a shop. Reply with JSON: {"answer": ..., "source": ...}.
        Say "unknown" if you do not know. In the words of customers, guarantee = warranty.
        """,
    "user.j2": """\
        {% for passage in passages %}
        <passage id="{{ passage.id }}" rank="{{ passage.rank }}" score="{{ passage.score }}">
        {{ passage.text }}
        </passage>
        {% endfor %}
        {% if checks %}
        The order: {{ checks.order_status | tojson }}
        {% endif %}
        Question: {{ question }}
        """,
    "bare.j2": "{{ question }}",
    "rewrite.j2": "Rewrite for a search.\nQuestion: {{ query }}",
    "compress.j2": """\
        Copy the one sentence that helps.
        <passage id="{{ passage.id }}">
        {{ passage.text }}
        </passage>
        Question: {{ question }}
        """,
    "summary.j2": """\
        Sum up what answers the question, with its source.
        {% for passage in passages %}
        <passage id="{{ passage.id }}" rank="{{ passage.rank }}" score="{{ passage.score }}">
        {{ passage.text }}
        </passage>
        {% endfor %}
        Question: {{ question }}
        """,
    "draft.j2": "Evidence: {{ summary }}\nQuestion: {{ question }}",
    "label.j2": "Label: simple or complex.\nQuestion: {{ question }}",
}
SHOTS = [
    ("Do you have a shop in Bergen?", NONE := {"answer": "unknown", "source": "none"}),
    ("How many spoons are in the box?", {"answer": "6 spoons", "source": "spoons#box"}),
    ("What is the cost of a spoon?", {"answer": "2 euros", "source": "spoons#price"}),
    ("Do you lend money?", NONE),
    ("Are the spoons made of steel?", NONE),
    ("How long is a spoon?", {"answer": "12 centimetres", "source": "spoons#length"}),
]  # fmt: skip
SCHEMA = {
    "type": "object",
    "required": ["answer", "source"],
    "properties": {"answer": {"type": "string"}, "source": {"type": "string"}},
    "additionalProperties": False,
}
PROMPT_ONLY = """\
    id: prompt_only
    model: http/base
    base_url: ${HARNESS_BASE_URL}
    params: {temperature: 0, max_output_tokens: 100}
    system: ../system.j2
    user: ../user.j2
    output: {schema: ../../answer.schema.json}
    operations: {hours_to_change: 0.5}
    """
PROMPT_RAG = """\
    id: prompt_rag
    extends: ../prompt_only
    retrieval: {corpus: ../../corpus, top_k: 20, where: {audience: "{{ audience }}"}}
    context: {max_tokens: 400}
    operations: {hours_to_change: 4}
    """
TUNED_MINIMAL = """\
    id: tuned_minimal
    extends: ../prompt_only
    model: http/tuned
    system: null
    training: {base_model: small, method: lora, recipe: two epochs, date: 2026-11-01,
               adapter: shop-r16}
    operations: {hours_to_change: 48}
    """
TUNED_RAG = """\
    id: tuned_rag
    extends: ../tuned_minimal
    retrieval: {corpus: ../../corpus, top_k: 20, where: {audience: "{{ audience }}"}}
    context: {max_tokens: 400}
    """
PRICES = """\
    date: 2026-11-01
    source: a contract of the shop's
    models:
      http/base: {input_usd_per_million: 2, output_usd_per_million: 8}
      http/small: {input_usd_per_million: 0.2, output_usd_per_million: 0.8}
      http/tuned: {usd_per_hour: 2}
      http/mumbles: {usd_per_call: 0.001}
    """
HEAD = """\
    name: {name}
    evalset: ../evalsets/shop
    baseline: prompt_only
    factors: [model, training, params, system_template, user_template, few_shot, retrieval, rerank,
              context, tools, output, fallback, route, draft, normalise]
    execution: {{attempts: 2}}
    statistics: {{resamples: 100}}
    primary: [correct]
    scorers:
      - {{id: correct, use: exact_match, output_field: answer, target_field: answer}}
      - {{id: form, use: json_schema, schema: ../answer.schema.json}}
      - {{id: abstained, use: abstention, output_field: answer, equals: [unknown]}}
      - id: cites
        use: citation
        output_field: source
        pattern: ".+"
        where: {{slices.kind: [fact, conflict]}}
      - {{id: found, use: retrieval, stage: retrieve, measures: [precision@k, recall@k, mrr]}}
      - {{id: ranked, use: retrieval, stage: rerank, measures: [mrr]}}
      - {{id: shown, use: retrieval, k: [5], measures: [recall@k, signal, diffuseness]}}
      - {{id: calls, use: tool_calls, measures: [invocation, arguments, decision, success]}}
    """


@contextmanager
def open_shop(folder: Path) -> Iterator[LiveProject]:
    """The project in a folder, with its server running."""
    with ModelServer(respond=shop_model.answer) as server:
        project = LiveProject(folder, server.openai_url)
        for name, text in DOCUMENTS.items():
            project.write(f"corpus/{name}", text)
        for name, text in TEMPLATES.items():
            project.write(f"variants/{name}", text)
        project.write("answer.schema.json", json.dumps(SCHEMA))
        project.write("shop_tools.py", TOOLS)
        shots = [
            {"input": {"question": q, "audience": "", "order": ""}, "output": o} for q, o in SHOTS
        ]
        project.write("variants/shots.jsonl", "".join(json.dumps(shot) + "\n" for shot in shots))
        for text in (PROMPT_ONLY, PROMPT_RAG, TUNED_MINIMAL, TUNED_RAG):
            name = text.split()[1]
            project.write(f"variants/{name}/variant.yaml", text)
        project.write("configs/prices/shop.yaml", PRICES)
        project.evalset("shop", EXAMPLES, "corpus: ../../corpus\n")
        yield project


def experiment(
    project: LiveProject, name: str, variants: str, more: str = "", options: Sequence[str] = ()
) -> Finished:
    """Write an experiment and run it. `variants` is a YAML list, `more` are further keys."""
    text = f"{dedent(HEAD).format(name=name)}variants:\n{dedent(variants)}{dedent(more)}"
    project.write(f"configs/{name}.yaml", text)
    return project.run(f"configs/{name}.yaml", *options)
