// The page's data: gzip + base64 blocks, unpacked on demand. Written by payload.py.

/** The text of a block. @param {string} id @returns {Promise<string>} */
async function unpack(id) {
  const base64 = document.getElementById(id).textContent;
  const bytes = Uint8Array.fromBase64
    ? Uint8Array.fromBase64(base64)
    : Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

const CACHED_CHUNKS = 8;
/** @type {Map<number, Promise<string[]>>} the chunks used last, the latest at the end */
const chunkCache = new Map();

/** The lines of a chunk: two per example. @param {number} number */
function chunkLines(number) {
  const found = chunkCache.get(number) ?? unpack(`chunk-${number}`).then((text) => text.split("\n"));
  chunkCache.delete(number);
  chunkCache.set(number, found);
  if (chunkCache.size > CACHED_CHUNKS) chunkCache.delete(chunkCache.keys().next().value);
  return found;
}

/** Which chunk holds an example. @param {number[]} starts @param {number} example */
function chunkOf(starts, example) {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= example) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Everything about one example, named. */
async function loadExample(index, number) {
  const chunk = chunkOf(index.chunks, number);
  const lines = await chunkLines(chunk);
  const at = 2 * (number - index.chunks[chunk]);
  const [id, input, target, said, notes] = JSON.parse(lines[at]);
  const [slices, cluster, evidence, calls, abstain, metadata, trials] = JSON.parse(lines[at + 1]);
  return {
    id, input, target, slices, cluster, evidence, calls, abstain, metadata,
    trials: trials.map(([variant, repeat, status, took, scores, extra, trace = null], i) => ({
      variant, repeat, status, took, scores, extra, trace, notes: notes[i],
      output: status === 0 ? said[i][0] : null,
      calls: said[i][status === 0 ? 1 : 2] ?? null,
      evidence: said[i][status === 0 ? 2 : 3] ?? null,
      error: status === 0 ? null : said[i].slice(0, 2),
    })),
  };
}

/** The examples whose texts hold `query`, ignoring case. Calls `progress` with a share. */
async function searchEverything(index, query, progress) {
  const escaped = JSON.stringify(query).slice(1, -1).toLowerCase();
  const found = new Set();
  const total = index.chunks.length;
  const ahead = new Map(); // a few chunks are unpacked (off this thread) while one is read
  for (let chunk = 0; chunk < total; chunk += 1) {
    for (let next = chunk; next < Math.min(chunk + 4, total); next += 1) {
      if (!ahead.has(next)) ahead.set(next, unpack(`chunk-${next}`));
    }
    const text = (await ahead.get(chunk)).toLowerCase();
    ahead.delete(chunk);
    const lines = text.includes(escaped) ? text.split("\n") : [];
    for (let i = 0; i < lines.length; i += 2) {
      if (lines[i].includes(escaped)) found.add(index.chunks[chunk] + i / 2);
    }
    progress((chunk + 1) / total);
  }
  return found;
}

/** Creates an element; text goes in as text, never as markup. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("data-") || key.startsWith("aria-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A JSON value as a reader would see it. */
function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}
