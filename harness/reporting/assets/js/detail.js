// One example: what was asked, and what every variant made of it, side by side.

const SHOWN_CHARACTERS = 20_000;

/** A text block that shows the beginning of what is long; the rest on demand. */
function textBlock(value, against = null) {
  const text = asText(value);
  const block = element("pre", { tabIndex: 0 });
  const runs = against !== null && against.length + text.length <= 2 * SHOWN_CHARACTERS ? wordDiff(against, text) : null;
  if (runs) {
    block.append(...runs.map(([kind, words]) => (kind === "same" ? words : element(kind, { textContent: words }))));
    return block;
  }
  block.textContent = text.slice(0, SHOWN_CHARACTERS);
  if (text.length <= SHOWN_CHARACTERS) return block;
  const more = element("button", { type: "button", textContent: `show all ${text.length.toLocaleString("en")} characters` });
  more.addEventListener("click", () => {
    block.textContent = text;
    more.remove();
  });
  return element("div", { className: "pre" }, block, more);
}

/** A titled text, or nothing where there is nothing to show. */
function titled(title, value, level = "h3") {
  if (value === null || value === undefined) return [];
  return [element(level, { textContent: title }), textBlock(value)];
}

/** An input or a target: a block per field where it is a flat record of texts, else its JSON. */
function recordView(title, value) {
  const fields = value && typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : [];
  if (!fields.length || fields.some(([, text]) => typeof text !== "string")) return titled(title, value);
  return fields.flatMap(([name, text]) => titled(`${title}: ${name.slice(0, 80)}`, text));
}

function callLines(calls) {
  return calls === null ? null : calls.map(([name, given]) => `${name}(${JSON.stringify(given)})`).join("\n") || "none";
}

function evidenceLines(ids, wanted) {
  if (ids === null) return null;
  return ids.map((id, rank) => `${rank + 1}. ${id}${wanted?.includes(id) ? "  ✓ wanted" : ""}`).join("\n") || "none";
}

/** One trial of a variant: output or error, scores, calls, evidence. */
function trialView(index, example, trial, against) {
  const view = element("div", { className: trial.error ? "failed" : "" });
  if (index.repeats > 1) view.append(element("h4", { textContent: `repeat ${trial.repeat + 1}` }));
  view.append(element("p", { className: "took", textContent: trial.took }));
  if (trial.error) {
    const whose = trial.status === 1 ? "The system gave no answer" : "Failed outside the system";
    view.append(element("p", { textContent: `${whose}: ${trial.error[0]}` }), ...(trial.error[1] ? [textBlock(trial.error[1])] : []));
  } else view.append(textBlock(trial.output, against));
  const rows = index.metrics.flatMap((metric, m) => {
    const value = trial.scores[m] ?? null;
    const note = trial.notes?.[m] ?? "";
    if (value === null && !note) return [];
    return [element("tr", {}, element("th", { scope: "row" }, element("bdi", { textContent: metric.id })), element("td", { textContent: value ?? "no score" }), element("td", { textContent: note.slice(0, 2000) }))];
  });
  if (rows.length) view.append(element("h4", { textContent: "scores" }), element("table", {}, element("tbody", {}, ...rows)));
  view.append(
    ...titled("evidence", evidenceLines(trial.evidence, example.evidence), "h4"),
    ...titled("tool calls", callLines(trial.calls), "h4"),
  );
  if (trial.trace) view.append(...traceView(trial.trace));
  if (trial.extra) view.append(element("details", {}, element("summary", { textContent: "metadata" }), textBlock(trial.extra)));
  return view;
}

/** A variant's column: its trials, differences marked against the same repeat of another. */
function sideView(index, example, variant, against, metric, number) {
  const [symbol, css, words] = scoreMark(index, metric, variant, number);
  const side = element("section", { className: "side" });
  side.setAttribute("aria-label", index.variants[variant]);
  side.append(
    element("h3", {}, element("span", { className: `score ${css}`, title: words, textContent: `${symbol} ` }), element("bdi", { textContent: index.variants[variant] })),
  );
  const trials = example.trials.filter((trial) => trial.variant === variant);
  for (const trial of trials) {
    const other = against === variant ? null : example.trials.find((t) => t.variant === against && t.repeat === trial.repeat);
    side.append(trialView(index, example, trial, other && !other.error ? asText(other.output) : null));
  }
  if (!trials.length) side.append(element("p", { className: "took", textContent: "no such trial" }));
  return side;
}

class Detail {
  /** @param {HTMLDialogElement} dialog @param {{step: (by: number) => void, closed: () => void}} on */
  constructor(dialog, index, on) {
    this.dialog = dialog;
    this.index = index;
    this.marked = true;
    const button = (text, label, act) => {
      const made = element("button", { type: "button", textContent: text, "aria-label": label });
      made.addEventListener("click", act);
      return made;
    };
    this.title = element("h2", { id: "d-title" });
    this.where = element("span", { className: "soft" });
    const box = element("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      this.marked = box.checked;
      this.show(...this.last);
    });
    this.note = element("span");
    const next = button("→", "Next example", () => on.step(1));
    next.autofocus = true;
    this.bar = element("div", { className: "bar" },
      this.title, this.where, element("span", { className: "grow" }),
      element("label", {}, box, " ", this.note),
      button("copy as JSON", "copy as JSON", () => this.copy()),
      button("←", "Previous example", () => on.step(-1)),
      next,
      button("✕", "Close", () => dialog.close()));
    this.content = element("div", { className: "content" });
    dialog.append(this.bar, this.content);
    dialog.addEventListener("close", on.closed);
    dialog.addEventListener("keydown", (event) => {
      if (event.target.closest("pre, input")) return;
      const by = { ArrowLeft: -1, k: -1, ArrowRight: 1, j: 1 }[event.key];
      if (by) {
        event.preventDefault();
        on.step(by);
      }
    });
  }

  async show(number, position, total, state) {
    this.last = [number, position, total, state];
    const example = await loadExample(this.index, number);
    if (this.last[0] !== number) return;
    this.example = example;
    const { index } = this;
    const against = state.a === state.b ? index.baseline : state.b;
    this.title.textContent = index.ids[number];
    this.where.textContent = position >= 0 ? `${position + 1} of ${total}` : "";
    this.note.textContent = `mark what differs from ${index.variants[against]}`;
    const order = [...new Set([against, state.a, ...index.variants.keys()])];
    const facts = [...example.slices, ...(example.cluster ? [`cluster ${example.cluster}`] : []), ...(example.abstain === null ? [] : [example.abstain ? "should abstain" : "should answer"])];
    this.content.replaceChildren(
      element("p", { className: "chips" }, ...facts.map((fact) => element("span", { textContent: fact }))),
      ...recordView("input", example.input),
      ...recordView("target", example.target),
      ...titled("evidence wanted", example.evidence?.join("\n") ?? null),
      ...titled("tool calls wanted", callLines(example.calls)),
      ...(example.metadata ? [element("details", {}, element("summary", { textContent: "metadata" }), textBlock(example.metadata))] : []),
      element("h3", { textContent: "outputs" }),
      element("div", { className: "sides" }, ...order.map((variant) => sideView(index, example, variant, this.marked ? against : variant, state.m, number))),
    );
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
  }

  async copy() {
    const trials = this.example.trials.map(({ variant, ...rest }) => ({ variant: this.index.variants[variant], ...rest }));
    await navigator.clipboard?.writeText(JSON.stringify({ ...this.example, trials }, null, 2));
  }
}
