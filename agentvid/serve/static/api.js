// The JSON API of `agentvid serve`. Every failure becomes a Failure with one clear line and, where known, the way out.

export class Failure extends Error {
  constructor(message, hint = "", status = 0) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

export const GONE = ["The server does not answer.", "Is agentvid serve still running? Start it again, then try again."];

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(...GONE);
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

/** What the server says of a response that is an error. */
export async function failureOf(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    // Not one of the server's own answers: the status has to say it.
  }
  const message = typeof told.error === "string" ? told.error : `The server answered ${response.status}.`;
  return new Failure(message, typeof told.hint === "string" ? told.hint : "", response.status);
}

export async function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, one);
    }
  }
  const text = query.toString();
  return (await request(text ? `${path}?${text}` : path, { signal })).json();
}

export async function post(path, body, signal = undefined) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

/**
 * Ask; calls `onStart(id)`, and `onEvent(name, data)` for every event of the stream. Aborting the signal cancels the run;
 * `stopAsk(id)` ends it with the answer as far as it is.
 */
export async function ask(body, onStart, onEvent, signal) {
  const response = await post("/api/ask", body, signal);
  onStart(response.headers.get("Ask-Id"));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure(...GONE);
    }
    if (part.done) return;
    waiting += part.value;
    const blocks = waiting.split(/\r?\n\r?\n/);
    waiting = blocks.pop();
    for (const block of blocks) deliver(block, onEvent);
  }
}

export const stopAsk = (id) => post(`/api/ask/${encodeURIComponent(id)}/stop`, {});

function deliver(block, onEvent) {
  let name = "message";
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  if (data.length) onEvent(name, JSON.parse(data.join("\n")));
}

export const videoPath = (id) => `/api/videos/${encodeURIComponent(id)}`;
export const mediaPath = (id) => `/media/${encodeURIComponent(id)}`;
