// The page comes alive: index, filters, list and detail, kept in step with the address.

const byId = (id) => document.getElementById(id);

/**
 * The index with what the filters need: lower-cased text, values as numbers (NaN where there is
 * none), and which examples have a score but nothing to count.
 */
async function loadIndex() {
  const index = JSON.parse(await unpack("index"));
  const blanks = (line) => new Set(line.flatMap((value, i) => (value === false ? [i] : [])));
  index.uncounted = index.values.map((metric) => metric.map(blanks));
  index.values = index.values.map((metric) => metric.map((line) => Float64Array.from(line, (value) => (typeof value === "number" ? value : NaN))));
  index.all = index.ids.map((_, i) => i);
  index.searchable = index.ids.map((id, i) => `${id} ${index.previews[i]}`.toLowerCase());
  return index;
}

function fill(select, choices, chosen) {
  select.replaceChildren(...choices.map(([value, words]) => element("option", { value: String(value), textContent: words })));
  select.value = String(chosen);
}

class Page {
  constructor(index) {
    this.index = index;
    const other = index.variants.findIndex((_, i) => i !== index.baseline);
    this.usual = { ...DEFAULTS, a: Math.max(other, 0), b: index.baseline, m: index.primary };
    this.state = { ...this.usual };
    this.found = null;
    this.list = new ExampleList(byId("list"), index, (example) => this.update({ x: example }));
    this.detail = new Detail(byId("detail"), index, {
      step: (by) => this.step(by),
      closed: () => this.state.x >= 0 && this.update({ x: -1 }),
    });
    for (const id of ["f-a", "f-b"]) byId(id).parentElement.hidden = index.variants.length < 2;
    this.listen();
  }

  listen() {
    const boxes = { a: "f-a", b: "f-b", m: "f-metric", s: "f-slice", f: "f-find", st: "f-status", o: "f-sort" };
    for (const [key, id] of Object.entries(boxes)) {
      const numeric = "abms".includes(key);
      byId(id).addEventListener("change", (event) => this.update({ [key]: numeric ? Number(event.target.value) : event.target.value }));
    }
    byId("f-text").addEventListener("input", (event) => this.update({ q: event.target.value, deep: 0 }));
    byId("f-deep").addEventListener("click", () => this.update({ q: byId("f-text").value, deep: 1 }));
    byId("f-clear").addEventListener("click", () => this.update({ ...this.usual }));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    addEventListener("hashchange", () => this.follow(true));
  }

  /** Take the state from the address, if it holds one. */
  follow(scroll) {
    if (!location.hash.startsWith("#?")) return;
    const state = fromHash(location.hash, this.usual, this.index);
    if (scroll && state.x < 0) byId("examples").scrollIntoView();
    this.update(state);
  }

  async update(change) {
    const before = this.state;
    this.state = { ...before, ...change };
    const { state } = this;
    const hash = toHash(state, this.usual);
    if (hash !== "#?" || location.hash.startsWith("#?")) history.replaceState(null, "", hash);
    if (state.deep && state.q) await this.search();
    else this.found = null;
    if (this.state !== state) return;
    const filtered = Object.keys(state).some((key) => key !== "x" && state[key] !== before[key]);
    if (filtered || !this.shown) this.draw();
    this.drawDetail();
  }

  async search() {
    const { state } = this;
    if (this.searched !== state.q) {
      byId("f-deep").disabled = true;
      const hits = await searchEverything(this.index, state.q, (share) => {
        byId("shown").textContent = `searching ${Math.round(100 * share)}%`;
      });
      byId("f-deep").disabled = false;
      this.searched = state.q;
      this.hits = hits;
    }
    this.found = this.hits;
  }

  draw() {
    const { index, state } = this;
    this.shown = select(index, state, this.found);
    const names = index.variants.map((name, i) => [i, name]);
    fill(byId("f-slice"), index.slices.map((name, i) => [i, i ? name : "all examples"]), state.s);
    fill(byId("f-metric"), index.metrics.map((metric, i) => [i, metric.id]), state.m);
    fill(byId("f-a"), names, state.a);
    fill(byId("f-b"), names, state.b);
    fill(byId("f-find"), findingChoices(index, state), state.f);
    fill(byId("f-status"), STATUS_CHOICES, state.st);
    fill(byId("f-sort"), ORDER_CHOICES, state.o);
    if (byId("f-text").value !== state.q) byId("f-text").value = state.q;
    const total = index.ids.length.toLocaleString("en");
    byId("shown").textContent = `${this.shown.length.toLocaleString("en")} of ${total}${this.found ? ", searched everywhere" : ""}`;
    this.drawCounts();
    this.list.show(this.shown, state.m);
  }

  drawCounts() {
    const { index, state } = this;
    if (state.a === state.b || !index.metrics.length) return byId("counts").replaceChildren();
    const counts = tally(index, state, this.found);
    const words = new Map(findingChoices(index, state));
    const button = (key, symbol) => {
      const made = element("button", { type: "button", textContent: `${symbol} ${words.get(key)}: ${counts[key].toLocaleString("en")}`, "aria-pressed": String(state.f === key) });
      made.addEventListener("click", () => this.update({ f: this.state.f === key ? "" : key }));
      return made;
    };
    const pair = (index.confounded ?? []).find(([a, b]) => (a === state.a && b === state.b) || (a === state.b && b === state.a));
    const note = pair ? [element("span", { className: "confounded", textContent: `◊ ${pair[2]}` })] : [];
    byId("counts").replaceChildren(button("win", "▲"), button("loss", "▼"), button("tie", "="), button("none", "–"), ...note);
  }

  drawDetail() {
    const { x } = this.state;
    if (x < 0) {
      if (byId("detail").open) byId("detail").close();
      return;
    }
    const position = this.shown.indexOf(x);
    if (position >= 0) this.list.reveal(position);
    this.detail.show(x, position, this.shown.length, this.state);
  }

  step(by) {
    const position = this.shown.indexOf(this.state.x) + by;
    if (position >= 0 && position < this.shown.length) this.update({ x: this.shown[position] });
  }
}

async function start() {
  foldWhereNarrow(document.querySelectorAll("details.fold"));
  const index = await loadIndex();
  const page = new Page(index);
  page.draw();
  page.follow(false);
  document.documentElement.dataset.ready = "yes";
  const tables = JSON.parse(await unpack("tables"));
  chooseMatrix(byId("slices-metric"), byId("slices-table"), tables.slices, index.variants);
  chooseMatrix(byId("wins-metric"), byId("wins-table"), tables.wins, index.variants);
}

start();
