// How a live trial came to its outcome: its steps in order, what each was asked and gave. Every
// text in them was titled and cut by steps.py.

/** One step; its texts open on demand. */
function stepView([name, took, texts]) {
  const head = [element("b", {}, element("bdi", { textContent: name })), element("span", { className: "took", textContent: ` ${took}` })];
  if (!texts.length) return element("li", {}, ...head);
  const details = element("details", {}, element("summary", {}, ...head));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(...texts.flatMap(([title, text]) => titled(title, text, "h5")));
  });
  return element("li", {}, details);
}

/** A trial's trace: facts, rejections, steps. @param {[string, string[], [string, string, [string, string][]][]]} trace */
function traceView([facts, rejections, steps]) {
  return [
    element("h4", { textContent: "steps" }),
    ...(facts ? [element("p", { className: "took", textContent: facts })] : []),
    ...rejections.map((reason) => element("p", { className: "rejected", textContent: `rejected: ${reason}` })),
    element("ol", { className: "steps" }, ...steps.map(stepView)),
  ];
}
