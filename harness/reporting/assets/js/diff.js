// What one text says differently from another, word by word.

const MAX_DIFF_CELLS = 4_000_000;

/** Runs of ["same" | "ins" | "del", text] that turn `before` into `after`; null if too long. */
function wordDiff(before, after) {
  const split = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
  const a = split(before);
  const b = split(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const middleA = a.slice(head, a.length - tail);
  const middleB = b.slice(head, b.length - tail);
  if ((middleA.length + 1) * (middleB.length + 1) > MAX_DIFF_CELLS) return null;
  return joined([
    ...a.slice(0, head).map((word) => ["same", word]),
    ...longestCommon(middleA, middleB),
    ...a.slice(a.length - tail).map((word) => ["same", word]),
  ]);
}

/** The longest common subsequence by dynamic programming, as runs. */
function longestCommon(a, b) {
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i * width + j] = a[i] === b[j]
        ? length[(i + 1) * width + j + 1] + 1
        : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  const runs = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      runs.push(["same", a[i]]);
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && length[(i + 1) * width + j] >= length[i * width + j + 1])) {
      runs.push(["del", a[i]]);
      i += 1;
    } else {
      runs.push(["ins", b[j]]);
      j += 1;
    }
  }
  return runs;
}

/** Neighbouring runs as one; white space between two changes belongs to the change. */
function joined(runs) {
  const result = [];
  let removed = "";
  let added = "";
  const flush = () => {
    if (removed) result.push(["del", removed]);
    if (added) result.push(["ins", added]);
    removed = added = "";
  };
  runs.forEach(([kind, word], i) => {
    const between = kind === "same" && (removed || added) && !word.trim() && runs[i + 1] && runs[i + 1][0] !== "same";
    if (kind === "del" || between) removed += word;
    if (kind === "ins" || between) added += word;
    if (kind !== "same" || between) return;
    flush();
    if (result.length && result.at(-1)[0] === "same") result.at(-1)[1] += word;
    else result.push(["same", word]);
  });
  flush();
  return result;
}
