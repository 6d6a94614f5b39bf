// Which examples are shown, in which order; and the same state in the page's address.

const DEFAULTS = { a: 0, b: 0, m: 0, s: 0, f: "", st: "", o: "", q: "", deep: 0, x: -1 };

const TIE = 1e-12;

/**
 * Finding of example `i` for variants a against b, as the comparison counts it: win, tie or loss.
 * A tie too where only one of them has something to count; none where a score is missing.
 */
function findingOf(index, state, i) {
  const values = index.values[state.m];
  const a = values[state.a][i];
  const b = values[state.b][i];
  if (Number.isNaN(a) || Number.isNaN(b)) {
    const uncounted = index.uncounted[state.m];
    const known = !Number.isNaN(a) || !Number.isNaN(b);
    return known && (uncounted[state.a].has(i) || uncounted[state.b].has(i)) ? "tie" : "none";
  }
  const gain = (a - b) * (index.metrics[state.m].up ? 1 : -1);
  if (Math.abs(gain) <= TIE) return "tie";
  return gain > 0 ? "win" : "loss";
}

/** The finding filters on offer for the chosen pair and metric: [value, words]. */
function findingChoices(index, state) {
  const a = index.variants[state.a];
  const b = index.variants[state.b];
  const choices = [["", "any"]];
  if (state.a !== state.b) {
    const binary = index.metrics[state.m]?.binary && index.repeats === 1;
    choices.push(
      ["win", binary && index.metrics[state.m].up ? `${a} right, ${b} wrong` : `${a} better`],
      ["loss", binary && index.metrics[state.m].up ? `${b} right, ${a} wrong` : `${a} worse`],
      ["tie", "same score"],
      ["differs", "differs"],
    );
  }
  choices.push(["low", `${a} not at its best`], ["none", "without a score"]);
  return choices;
}

function matchesFinding(index, state, i) {
  if (!state.f) return true;
  if (state.f === "low") {
    const best = index.metrics[state.m].up ? 1 : 0;
    const value = index.values[state.m][state.a][i];
    return !Number.isNaN(value) && Math.abs(value - best) > 1e-9;
  }
  const finding = findingOf(index, state, i);
  return state.f === "differs" ? finding === "win" || finding === "loss" : finding === state.f;
}

const STATUS_CHOICES = [["", "any"], ["0", "all answered"], ["1", "some system failure"], ["2", "some infrastructure failure"]];

function matchesStatus(index, state, i) {
  if (!state.st) return true;
  const seen = index.status.map((line) => line[i]);
  return state.st === "0" ? seen.every((status) => status === "0") : seen.includes(state.st);
}

const ORDER_CHOICES = [["", "by id"], ["loss", "largest loss first"], ["gain", "largest gain first"], ["low", "lowest score first"]];

/** The examples to show, in order. `found` holds the hits of a full-text search, or null. */
function select(index, state, found) {
  const query = state.deep ? "" : state.q.toLowerCase();
  const members = state.s ? index.members[state.s] : index.all;
  const kept = members.filter(
    (i) =>
      (!query || index.searchable[i].includes(query)) &&
      (!found || found.has(i)) &&
      matchesFinding(index, state, i) &&
      matchesStatus(index, state, i),
  );
  return ordered(index, state, kept);
}

function ordered(index, state, kept) {
  if (!state.o) return kept;
  const up = index.metrics[state.m].up ? 1 : -1;
  const values = index.values[state.m];
  const key = {
    loss: (i) => (values[state.a][i] - values[state.b][i]) * up,
    gain: (i) => (values[state.b][i] - values[state.a][i]) * up,
    low: (i) => values[state.a][i] * up,
  }[state.o];
  const known = (value) => (Number.isNaN(value) ? Infinity : value);
  return [...kept].sort((i, j) => known(key(i)) - known(key(j)) || i - j);
}

/** Counts of win, tie and loss under the other filters: what the buttons above the list say. */
function tally(index, state, found) {
  const counts = { win: 0, tie: 0, loss: 0, none: 0 };
  for (const i of select(index, { ...state, f: "", o: "" }, found)) counts[findingOf(index, state, i)] += 1;
  return counts;
}

/** The state as the page's address: only what differs from the usual. */
function toHash(state, usual) {
  const said = Object.entries(state).filter(([key, value]) => value !== usual[key]);
  return `#?${new URLSearchParams(said.map(([key, value]) => [key, String(value)]))}`;
}

/** The state that an address holds; positions outside the run are dropped. */
function fromHash(hash, usual, index) {
  const state = { ...usual };
  const limits = { a: index.variants.length, b: index.variants.length, m: index.metrics.length, s: index.slices.length, x: index.ids.length, deep: 2 };
  for (const [key, text] of new URLSearchParams(hash.slice(2))) {
    if (key in limits) {
      const number = Number(text);
      if (Number.isInteger(number) && number >= 0 && number < limits[key]) state[key] = number;
    } else if (key in usual) state[key] = text;
  }
  const allowed = { f: ["", "win", "loss", "tie", "differs", "low", "none"], st: ["", "0", "1", "2"], o: ["", "loss", "gain", "low"] };
  for (const key of Object.keys(allowed)) if (!allowed[key].includes(state[key])) state[key] = "";
  return state;
}
