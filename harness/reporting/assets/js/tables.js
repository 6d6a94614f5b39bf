// Tables that can show another metric. Every text in them was written by view.py.

/** Stands folded on a narrow screen what would hide the verdict; open on a wide one and on paper. */
function foldWhereNarrow(parts) {
  const narrow = matchMedia("screen and (max-width: 860px)");
  const open = (is) => parts.forEach((part) => { part.open = is; });
  narrow.addEventListener("change", () => open(!narrow.matches));
  addEventListener("beforeprint", () => open(true));
  if (narrow.matches) open(false);
}

/** Let a select box choose which matrix a table shows. */
function chooseMatrix(select, table, matrices, variants) {
  select?.addEventListener("change", () => {
    const { rows } = matrices[Number(select.value)];
    table.tBodies[0].replaceChildren(...rows.map((row) => matrixRow(row, variants)));
  });
}

function matrixRow(row, variants) {
  const heading = element("th", { scope: "row" }, element("bdi", { textContent: row.name }));
  if (row.n) heading.append(" ", element("small", { textContent: `n ${row.n}` }));
  if (row.note) heading.append(" ", element("small", { className: "note", textContent: row.note }));
  return element("tr", {}, heading, ...row.cells.map((cell, i) => matrixCell(cell, variants[i])));
}

function matrixCell(cell, name) {
  const made = element("td", { className: `cell ${cell.tone} s${cell.strength}`, title: cell.sentence, "data-label": name });
  if (!cell.link) {
    made.textContent = cell.text;
    return made;
  }
  const value = element("data", { value: cell.value === null ? "" : String(cell.value), textContent: cell.text });
  const link = element("a", { href: cell.link }, value);
  if (cell.delta || cell.symbol) link.append(" ", element("span", { className: "delta", textContent: cell.delta ? `${cell.symbol} ${cell.delta}` : cell.symbol }));
  made.append(link);
  return made;
}
