/* Everything from outside is put in as text; no markup is ever made of it. */
const $$ = (id) => document.getElementById(id);
const MOST = 20000;
const WORDS = { left: "left is better", right: "right is better", tie: "tie", cannot_judge: "cannot judge" };

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function body(text, label) {
  const looksLikeCode = /^\s*[[{]/.test(text) || /\n {2,}\S/.test(text);
  const pre = make("pre", text.slice(0, MOST), { "data-text": "", "aria-label": label });
  if (looksLikeCode) pre.className = "code";
  if (text.length <= MOST) return [pre];
  const more = make("button", `show all ${text.length.toLocaleString("en")} characters`, { type: "button" });
  more.addEventListener("click", () => { pre.textContent = text; more.remove(); pre.focus(); });
  pre.tabIndex = 0;
  return [pre, more];
}

function fill(id, texts, empty = "nothing is known") {
  const parts = texts.flatMap(([what, text]) => [
    ...(what ? [make("h4", what)] : []),
    ...(text ? body(text, what || "text") : [make("p", "(empty)", { class: "empty" })]),
  ]);
  $$(id).replaceChildren(...(parts.length ? parts : [make("p", empty, { class: "empty" })]));
  /* What scrolls must be in reach of the keyboard. */
  requestAnimationFrame(() => {
    for (const pre of $$(id).querySelectorAll("pre")) {
      if (pre.scrollHeight > pre.clientHeight + 1) { pre.tabIndex = 0; pre.setAttribute("role", "region"); }
      else if (!pre.hasAttribute("tabindex")) pre.removeAttribute("aria-label");
    }
  });
}

function criteriaRows(criteria) {
  const rows = criteria.map(([name, meaning], number) => {
    const row = make("div", undefined, { class: "criterion", role: "radiogroup", "aria-labelledby": `criterion-${number}` });
    const title = make("div", name, { class: "name", id: `criterion-${number}` });
    if (meaning) title.append(make("small", meaning));
    const picks = make("div", undefined, { class: "picks" });
    for (const [value, word] of [["left", "left"], ["tie", "tie"], ["right", "right"], ["", "–"]]) {
      const label = make("label", undefined);
      const input = make("input", undefined, { type: "radio", name: `criterion-${number}`, value });
      if (!value) { input.checked = true; input.setAttribute("aria-label", "not judged"); label.title = "not judged"; }
      label.append(input, word);
      picks.append(label);
    }
    row.append(title, picks);
    return row;
  });
  $$("criteria-rows").replaceChildren(...rows);
}

const radios = (number) => [...document.getElementsByName(`criterion-${number}`)];

function setCriteria(criteria, said) {
  criteria.forEach(([name], number) => {
    for (const radio of radios(number)) radio.checked = radio.value === (said[name] ?? "");
  });
}

function readCriteria(criteria) {
  const picked = criteria.map(([name], number) => [name, radios(number).find((r) => r.checked)?.value]);
  return Object.fromEntries(picked.filter(([, value]) => value));
}

function showVote(vote) {
  for (const button of document.querySelectorAll("[data-verdict]")) {
    button.setAttribute("aria-pressed", String(button.dataset.verdict === vote));
  }
  for (const side of ["left", "right"]) $$(side).parentElement.classList.toggle("chosen", vote === side);
}

function table(heads, rows) {
  const made = make("table");
  const head = made.createTHead().insertRow();
  heads.forEach((text, i) => head.append(make("th", text, { scope: "col", class: i ? "n" : "" })));
  const rest = made.createTBody();
  for (const [first, ...cells] of rows) {
    const row = rest.insertRow();
    row.append(make("th", first, { scope: "row", class: "names" }), ...cells.map((cell) => make("td", cell, { class: "n" })));
  }
  return made;
}

function showSummary(summary) {
  const { said, n, agreement, reviewers } = summary;
  $$("end-title").textContent = `All ${n} examples have your label.`;
  $$("tally").textContent = `You said: left ${said.left}, right ${said.right}, tie ${said.tie}, cannot judge ${said.cannot_judge}. Labels are kept in labels.jsonl in the run's folder.`;
  const parts = [make("h2", "Reviewers"), table(["name", "labelled"], reviewers.map(([name, k]) => [name, `${k} of ${n}`]))];
  parts.push(make("h2", "Agreement"));
  if (agreement.length) {
    parts.push(
      table(
        ["reviewers", "examples in common", "same verdict", "Cohen's kappa"],
        agreement.map((a) => [a.reviewers.join(" and "), String(a.n), `${(100 * a.share).toFixed(0)} %`, a.kappa === null ? "–" : a.kappa.toFixed(2).replace("-", "−")]),
      ),
      make("p", "Of the examples that both could judge. Kappa is 1 for full agreement and 0 for as much as chance alone would give.", { class: "soft" }),
    );
  } else {
    parts.push(make("p", "Nobody else has judged these examples yet.", { class: "soft" }));
  }
  $$("agreement").replaceChildren(...parts);
}
