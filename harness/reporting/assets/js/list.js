// The list of examples: only the rows in sight exist, however many examples there are.

class ExampleList {
  /** @param {HTMLElement} root @param {object} index @param {(example: number) => void} open */
  constructor(root, index, open) {
    this.index = index;
    this.open = open;
    this.shown = [];
    this.metric = 0;
    this.drawn = new Map();
    root.style.setProperty("--columns", String(index.variants.length));
    const many = index.variants.length > 5;
    root.style.setProperty("--mark", many ? "58px" : index.variants.length > 3 ? "92px" : "130px");
    this.head = element("div", { className: many ? "head many" : "head", role: "row" });
    for (const name of ["id", "input", ...index.variants]) {
      this.head.append(element("span", { role: "columnheader", title: name, textContent: name }));
    }
    this.body = element("div", { className: "body", role: "rowgroup", tabIndex: 0 });
    this.body.setAttribute("aria-label", "Examples, scrollable");
    this.space = element("div", { role: "presentation" });
    this.body.append(this.space);
    root.append(element("div", { role: "rowgroup" }, this.head), this.body);
    this.root = root;
    this.body.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw(true)).observe(this.body);
  }

  /** Show these examples with the scores of a metric. */
  show(examples, metric) {
    this.shown = examples;
    this.metric = metric;
    this.root.setAttribute("aria-rowcount", String(examples.length + 1));
    this.body.scrollTop = 0;
    this.draw(true);
  }

  /** Bring a position into sight. */
  reveal(position) {
    const top = position * this.rowHeight();
    if (top < this.body.scrollTop || top + this.rowHeight() > this.body.scrollTop + this.body.clientHeight) {
      this.body.scrollTop = Math.max(0, top - this.body.clientHeight / 3);
    }
  }

  rowHeight() {
    return matchMedia("(max-width: 860px)").matches ? 84 : 36;
  }

  draw(anew = false) {
    const height = this.rowHeight();
    if (anew) {
      for (const row of this.drawn.values()) row.remove();
      this.drawn.clear();
      this.space.style.height = `${this.shown.length * height}px`;
      this.space.replaceChildren();
      if (!this.shown.length) {
        this.space.style.height = "60px";
        this.space.append(element("p", { className: "empty", textContent: "No example fits these filters." }));
        return;
      }
    }
    const first = Math.max(0, Math.floor(this.body.scrollTop / height) - 6);
    const last = Math.min(this.shown.length, Math.ceil((this.body.scrollTop + this.body.clientHeight) / height) + 6);
    for (const [position, row] of this.drawn) {
      if (position < first || position >= last) {
        row.remove();
        this.drawn.delete(position);
      }
    }
    for (let position = first; position < last; position += 1) {
      if (!this.drawn.has(position)) {
        const row = this.row(position);
        row.style.top = `${position * height}px`;
        this.drawn.set(position, row);
        this.body.append(row);
      }
    }
  }

  row(position) {
    const { index } = this;
    const i = this.shown[position];
    const button = element("button", { type: "button", textContent: index.ids[i], title: index.ids[i] });
    const row = element(
      "div",
      { className: "item", role: "row", "aria-rowindex": String(position + 2), "data-example": String(i) },
      element("span", { role: "cell" }, button),
      element("span", { className: "preview", role: "cell", textContent: index.previews[i] }),
      ...index.variants.map((name, variant) => {
        const [symbol, css, words] = scoreMark(index, this.metric, variant, i);
        const cell = element("span", { className: `score ${css}`, role: "cell", textContent: symbol, title: `${name}: ${words}` });
        cell.setAttribute("data-name", name);
        return cell;
      }),
    );
    row.addEventListener("click", () => this.open(i));
    return row;
  }
}

/** A score as [symbol, class, words]: ✓ and ✗ for right and wrong, else the number. */
function scoreMark(index, metric, variant, i) {
  const status = index.status[variant][i];
  if (status === "1") return ["!", "fail", "the system gave no answer"];
  if (status === "2") return ["⌀", "none", "failed outside the system"];
  const value = index.values[metric]?.[variant][i];
  if (index.uncounted[metric]?.[variant].has(i)) return ["–", "none", "nothing to count"];
  if (value === undefined || Number.isNaN(value)) return ["–", "none", "no score"];
  const { binary, up } = index.metrics[metric];
  if (binary && value === (up ? 1 : 0)) return [up ? "✓" : "✓ 0", "yes", up ? "right" : "0, as it should be"];
  if (binary && value === (up ? 0 : 1)) return [up ? "✗" : "✗ 1", "no", up ? "wrong" : "1"];
  const text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
  return [text, "", text];
}
