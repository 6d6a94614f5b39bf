/* The server: one question at a time, each answered or told as an error. */
const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
const TOKEN = meta("harness-token");

async function ask(action, body) {
  let reply;
  try {
    reply = await fetch(`/api/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Harness-Token": TOKEN },
      body: JSON.stringify(body),
      credentials: "omit",
    });
  } catch {
    throw new Error("the review's server does not answer; has it ended?");
  }
  const answer = await reply.json().catch(() => ({ error: `status ${reply.status}` }));
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

/* What a tab remembers over a reload: the name alone. Everything else is with the server. */
const remembered = () => { try { return sessionStorage.getItem("reviewer"); } catch { return null; } };
const remember = (name) => { try { sessionStorage.setItem("reviewer", name); } catch { /* then it is asked again */ } };
