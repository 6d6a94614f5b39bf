/* One reviewer going through the queue. `votes` are theirs, by example; `item` is on the screen. */
const state = { reviewer: "", criteria: [], votes: [], number: 0, item: null, drafts: new Map(), undo: [], busy: false, amending: null };
const votes = () => state.votes.filter(Boolean).length;
const isEnd = () => !$$("end").hidden;

function trouble(error, what = "") {
  $$("trouble").textContent = error ? `${what}${error.message}` : "";
  $$("trouble").hidden = !error;
  if (error) $$("trouble").scrollIntoView({ block: "nearest" });
}

/* One thing at a time: what is pressed meanwhile is not taken for the next example. Only what was
   changed on leaving a field is waited for, or a click that leaves it would be lost. */
async function alone(action, what = "") {
  await state.amending;
  await exclusive(action, what);
}

async function exclusive(action, what) {
  if (state.busy) return;
  state.busy = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    await action();
    trouble(null);
  } catch (error) {
    trouble(error, what);
  } finally {
    state.busy = false;
    document.body.removeAttribute("aria-busy");
  }
}

function progress() {
  const n = state.votes.length;
  $$("progress").hidden = false;
  $$("bar").max = n;
  $$("bar").value = votes();
  $$("count").textContent = `${votes()} of ${n} labelled`;
}

async function begin(reviewer) {
  const found = await ask("start", { reviewer });
  state.reviewer = found.reviewer;
  state.criteria = found.criteria;
  state.votes = found.votes;
  remember(found.reviewer);
  $$("naming").hidden = true;
  $$("who").textContent = `reviewer: ${found.reviewer}`;
  $$("question").textContent = found.question;
  criteriaRows(found.criteria);
  progress();
  const first = state.votes.indexOf(null);
  await (first < 0 ? finish() : open(first, votes() ? `Welcome back: ${votes()} labelled before.` : ""));
}

async function open(number, said = "") {
  keepDraft();
  const item = await ask("item", { reviewer: state.reviewer, number });
  state.number = number;
  state.item = item;
  state.votes[number] = item.vote;
  const draft = state.drafts.get(number) ?? item;
  $$("end").hidden = true;
  $$("work").hidden = false;
  $$("place").textContent = `Example ${number + 1} of ${state.votes.length}`;
  document.title = `${number + 1} of ${state.votes.length} · Blind review`;
  $$("example").textContent = item.example;
  fill("input", item.input);
  fill("left", item.left);
  fill("right", item.right);
  ["left", "right"].forEach((side, i) => $$(side).classList.toggle("failed", item.failed[i]));
  $$("same").hidden = !item.identical;
  $$("comment").value = draft.comment;
  setCriteria(state.criteria, draft.criteria);
  showVote(item.vote);
  progress();
  hide();
  $$("back").disabled = number === 0;
  $$("said").textContent = said;
  scrollTo(0, 0);
  $$("place").focus({ preventScroll: true });
}

async function finish() {
  const summary = await ask("summary", { reviewer: state.reviewer });
  if (!summary.done) return open(Math.max(0, state.votes.indexOf(null)));
  keepDraft();
  state.item = null;
  showSummary(summary);
  $$("work").hidden = true;
  $$("end").hidden = false;
  document.title = "Done · Blind review";
  scrollTo(0, 0);
  $$("end-title").focus();
}

const given = () => ({ criteria: readCriteria(state.criteria), comment: $$("comment").value });

function keepDraft() {
  if (state.item && !state.item.vote) state.drafts.set(state.number, given());
}

async function send(verdict, also = given()) {
  const { reviewer, number, item } = state;
  await ask("vote", { reviewer, number, verdict, ...also, revealed: item.revealed });
  item.vote = state.votes[number] = verdict;
  Object.assign(item, also);
  state.drafts.delete(number);
  showVote(verdict);
  progress();
}

const vote = (verdict) => alone(async () => {
  const { item, number } = state;
  if (!item) return;
  const before = item.vote;
  const { criteria, comment } = item;
  await send(verdict);
  state.undo.push({ number, verdict: before, criteria, comment });
  const kept = `Kept: ${WORDS[verdict]}. u undoes it.`;
  const next = unlabelled(number);
  if (before) $$("said").textContent = kept;
  else if (next === null) await finish();
  else await open(next, `Example ${number + 1} kept: ${WORDS[verdict]}. u undoes it.`);
}, "Not kept: ");

/* A comment or a criterion that comes after the verdict is kept with it. */
const amend = () => {
  if (!state.item?.vote) return;
  state.amending = exclusive(async () => {
    await send(state.item.vote);
    $$("said").textContent = "Kept.";
  }, "Not kept: ");
};

const undo = () => alone(async () => {
  const last = state.undo.at(-1);
  if (!last) {
    if (!isEnd()) $$("said").textContent = "Nothing to undo: no verdict was given on this page.";
    return;
  }
  await open(last.number);
  const now = given();
  await send(last.verdict, last.verdict ? { criteria: last.criteria, comment: last.comment } : now);
  setCriteria(state.criteria, state.item.criteria);
  $$("comment").value = state.item.comment;
  state.undo.pop();
  $$("said").textContent = last.verdict ? `Undone: ${WORDS[last.verdict]} again.` : "Undone: no verdict.";
}, "Not undone: ");

/* The next example without a label, from here on and round the end; null if there is none. */
function unlabelled(from) {
  const n = state.votes.length;
  for (let step = 1; step <= n; step += 1) {
    if (!state.votes[(from + step) % n]) return (from + step) % n;
  }
  return null;
}

const move = (step) => alone(async () => {
  if (isEnd()) return step < 0 ? open(state.votes.length - 1) : undefined;
  const number = state.number + step;
  if (number >= 0 && number < state.votes.length) return open(number);
  if (number < 0) return undefined;
  const left = unlabelled(state.number);
  if (left === null) return finish();
  $$("said").textContent = "This is the last example; n goes to the next one without a label.";
  return undefined;
});

const jump = () => alone(async () => {
  const next = unlabelled(state.number);
  return next === null ? finish() : open(next);
});

function hide() {
  $$("hidden-part").hidden = true;
  $$("reveal").setAttribute("aria-expanded", "false");
  $$("reveal").querySelector("span").textContent = "show target and evidence";
}

const reveal = () => alone(async () => {
  if (!state.item) return;
  if (!$$("hidden-part").hidden) { hide(); return; }
  const { reviewer, number } = state;
  const found = await ask("hidden", { reviewer, number });
  state.item.revealed = true;
  $$("hidden-part").hidden = false;
  fill("wanted", found.wanted, "no target and no evidence are known");
  fill("left-rests", found.left, "no evidence is known");
  fill("right-rests", found.right, "no evidence is known");
  $$("reveal").setAttribute("aria-expanded", "true");
  $$("reveal").querySelector("span").textContent = "hide target and evidence";
  $$("hidden-part").scrollIntoView({ block: "nearest" });
});

const KEYS = {
  1: () => vote("left"), 2: () => vote("right"), 0: () => vote("tie"), x: () => vote("cannot_judge"),
  j: () => move(1), k: () => move(-1), ArrowRight: () => move(1), ArrowLeft: () => move(-1),
  n: jump, u: undo, r: reveal,
  c: () => { $$("comment").focus(); },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.matches("textarea, input:not([type=radio])")) {
    if (event.key === "Escape" && event.target.id === "comment") $$("place").focus({ preventScroll: true });
    return;
  }
  if (event.key === "?") {
    event.preventDefault();
    if ($$("help").open) $$("help").close(); else $$("help").showModal();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isChoice = event.target.matches("input[type=radio]") && key.startsWith("Arrow");
  const action = Object.hasOwn(KEYS, key) ? KEYS[key] : null;
  if (!action || isChoice || $$("help").open || !state.reviewer || event.repeat) return;
  event.preventDefault();
  action();
});

for (const button of document.querySelectorAll("[data-verdict]")) button.addEventListener("click", () => vote(button.dataset.verdict));
$$("comment").addEventListener("change", amend);
$$("criteria").addEventListener("change", amend);
$$("back").addEventListener("click", () => move(-1));
$$("on").addEventListener("click", () => move(1));
$$("again").addEventListener("click", () => move(-1));
$$("reveal").addEventListener("click", reveal);
$$("open-help").addEventListener("click", () => $$("help").showModal());
$$("naming").addEventListener("submit", (event) => {
  event.preventDefault();
  alone(() => begin($$("name").value));
});

alone(async () => {
  const name = meta("harness-reviewer") || remembered();
  if (name) {
    await begin(name);
  } else {
    $$("naming").hidden = false;
    $$("name").focus();
  }
}).then(() => { document.documentElement.dataset.ready = "yes"; });
