// A question while it is worked on, its answer with numbered citations, and the trace of how it was found.
import { ask, get, stopAsk } from "./api.js";
import { problem, spanCard } from "./cards.js";
import { fill, h } from "./dom.js";
import { exportMenu } from "./exports.js";
import { count } from "./lists.js";
import { go, read, videoUrl } from "./route.js";
import { setMarks, videoOf } from "./state.js";
import { clock, length, span } from "./times.js";

/** Answers of this visit, by trace id: a reload reads them from their traces. */
const answers = new Map();

/** How an answer says that somebody stopped it. */
const INTERRUPTED = "interrupted";

/** A name for a conversation that no other has: the time, and some chance. */
export function newThread() {
  const chance = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
  return `page-${new Date().toISOString().slice(0, 16).replace(/[-:]/g, "")}-${chance}`;
}

/** Ask and show it as it goes: appends to `root`; `abort` ends it with nothing. Resolves to what is to be said aloud. */
export async function runAsk(root, body, signal, abort, onTrace) {
  const steps = h("ol", { class: "steps" });
  const draft = h("p", { class: "draft", hidden: true });
  const status = h("p", { class: "status", role: "status" }, h("span", { class: "pulse", "aria-hidden": "true" }), h("span", {}, "Starting"));
  let isStopping = false;
  let onStart;
  const started = new Promise((resolve) => { onStart = resolve; });
  const show = (text) => { if (!isStopping) status.lastChild.textContent = text; };
  const stopButton = h("button", { type: "button" }, "Stop");
  // The first time ends it with the answer as far as it is, the second time at once.
  stopButton.addEventListener("click", async () => {
    if (isStopping) return abort();
    show("Ending with the answer so far");
    isStopping = true;
    stopButton.textContent = "Stop now";
    return stopAsk(await started).catch(() => {});  // it has just ended, or its stream tells what is wrong
  });
  const turn = h("article", { class: "turn" },
    h("h2", { class: "question" }, body.question),
    h("div", { class: "running" }, status, stopButton), draft,
    h("details", { class: "work", open: true }, h("summary", {}, "Steps"), steps));
  root.append(turn);
  turn.scrollIntoView({ block: "nearest" });
  let answer = null;
  let failure = null;
  try {
    await ask(body, onStart, (name, data) => {
      if (name === "answer") answer = data;
      else if (name === "error") failure = Object.assign(new Error(data.error), { hint: data.hint ?? "" });
      else showStep(name, data, { steps, draft, show });
    }, signal);
    if (!answer && !failure) failure = Object.assign(new Error("The answer did not arrive."), { hint: "Ask again." });
  } catch (error) {
    failure = error.name === "AbortError" ? Object.assign(new Error("Stopped."), { hint: "" }) : error;
  }
  turn.querySelector(".running").remove();
  draft.remove();
  turn.querySelector(".work").open = false;
  if (failure) {
    turn.append(problem(failure));
    return failure.message;
  }
  const result = { ...answer, thread: body.thread ?? "", choices: body.choices ?? [] };
  answers.set(answer.trace_id, result);
  turn.querySelector(".work").before(answerView(result));
  onTrace(answer.trace_id);
  if (answer.trace_id && read().list === "ask") go(keepVideo({ trace: answer.trace_id }), { replace: true });
  showMarks(result);
  turn.append(...footer(result));
  return answer.abstained ? `No answer. ${answer.answer}` : answer.answer;
}

/** The address of another list with the same video beside it. */
export function keepVideo(parameters) {
  const { video, at } = read();
  const query = new URLSearchParams(parameters).toString();
  return video ? videoUrl(video, at?.start ?? null, at?.end ?? null, query) : `/?${query}`;
}

function showStep(name, data, { steps, draft, show }) {
  const text = data.detail ?? "";
  if (name === "token") {
    draft.hidden = false;
    draft.append(data.text ?? "");
    return show("Writing; not checked yet");
  }
  if (name === "program") {
    steps.append(h("li", { class: "step" }, h("span", {}, "Program"), h("pre", { class: "program" }, data.program ?? text)));
    return show("Running the program");
  }
  if (name === "tool") {
    steps.append(h("li", { class: "step" }, h("code", {}, `${data.tool}(${argumentsText(data.arguments)})`),
      h("span", { class: "muted" }, [foundText(data.found), secondsText(data.seconds)].filter(Boolean).join(", "))));
    return show(`Ran ${data.tool}`);
  }
  if (!text && name !== "stage") return undefined;
  const label = data.node ?? name;
  steps.append(h("li", { class: "step" }, h("span", {}, label), text && h("span", { class: "muted" }, text)));
  return show(STAGES[label] ?? label);
}

const STAGES = {
  route: "Choosing a way", plan: "Planning", execute: "Looking", check: "Checking what was found",
  compose: "Writing the answer", cite: "Checking the citations", caption: "Describing pictures",
};

const secondsText = (seconds) => (typeof seconds === "number" ? `${seconds.toFixed(2)} s` : "");

function foundText(found) {
  if (found === null || found === undefined) return "";
  return typeof found === "number" ? `${found} found` : brief(found, 120);
}

function argumentsText(values) {
  if (!values) return "";
  if (typeof values === "string") return brief(values, 160);
  return Object.entries(values).map(([name, value]) => `${name}=${brief(value, 80)}`).join(", ");
}

function brief(value, most) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function answerView(result) {
  const numbers = new Map(result.evidence.map((item, index) => [item.id, index + 1]));
  const said = result.claims.length
    ? result.claims.map((claim) => h("p", { class: "claim" }, claim.text, " ", claim.evidence.map((id) => citation(result, id, numbers))))
    : h("p", { class: "claim" }, result.answer);
  return h("div", { class: result.abstained ? "answer abstained" : "answer" },
    result.abstained && h("p", { class: "verdict" }, result.stopped ? "No answer: it ended before one was found." : "No answer: nothing found bears one out."),
    result.choice !== null && result.choice !== undefined && h("p", { class: "choice" }, "Choice: ", h("strong", {}, result.choice)),
    said,
    result.stopped && h("p", { class: "note" }, `Ended early: ${result.stopped === INTERRUPTED ? "you stopped it" : result.stopped}.`),
    h("p", { class: "muted" }, result.abstained ? "" : `Confidence ${Math.round(result.confidence * 100)} %`),
    result.evidence.length > 0 && h("h3", {}, result.abstained ? "Nearest moments" : "Evidence"),
    h("ul", { class: "cards" }, result.evidence.map((item) =>
      spanCard({ ...item, video: item.name ?? item.video, text: item.quote }, { query: result.question, number: numbers.get(item.id) }))));
}

function citation(result, id, numbers) {
  const item = result.evidence.find((one) => one.id === id);
  if (!item) return null;
  const number = numbers.get(id);
  const label = `Evidence ${number}: ${videoOf(item.video_id, item.name).name} at ${span(item)}`;
  // A link of this page, made when it is clicked: the list beside the player may have got an address since.
  return h("a", { class: "cite", href: videoUrl(item.video_id, item.start, item.end), "aria-label": label, title: label,
    on: { click: (event) => { event.currentTarget.href = videoUrl(item.video_id, item.start, item.end); } } }, String(number));
}

const showMarks = (result) => setMarks({ evidence: result.evidence.map((item, index) => ({ ...item, text: item.quote, number: index + 1 })) });

function footer(result) {
  const { coverage, usage } = result;
  const spent = [secondsText(usage.seconds), count(usage.tool_calls, "tool call"), usage.llm_calls && count(usage.llm_calls, "model call"),
    usage.input_tokens && `${usage.input_tokens + usage.output_tokens} tokens`, usage.money && `cost ${usage.money}`];
  return [
    h("section", { class: "coverage" },
      h("h3", {}, "What was looked at"),
      h("p", {}, `${count(coverage.videos, "video")}, ${length(coverage.seconds)}; tracks: ${coverage.tracks.join(", ") || "none"}.`),
      coverage.missing.length > 0 && h("ul", { class: "missing" }, coverage.missing.map((line) => h("li", {}, withCode(line)))),
      coverage.gaps.length > 0 && h("details", {}, h("summary", {}, `${count(coverage.gaps.length, "gap")} that no track could read`),
        h("ul", {}, coverage.gaps.map((gap) => h("li", {}, gapText(gap))))),
      h("p", { class: "muted" }, spent.filter(Boolean).join(", "))),
    h("div", { class: "more" }, traceDetails(result.trace_id), result.trace_id && exportMenu({ trace: result.trace_id })),
  ];
}

function gapText(gap) {
  if (typeof gap === "string") return gap;
  return `${gap.name ?? (gap.video_id ? videoOf(gap.video_id).name : "")} ${span(gap)} ${gap.track ?? ""} ${gap.reason ?? ""}`.trim();
}

/** Commands in back-quotes as code. */
const withCode = (text) => text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));

function traceDetails(id) {
  if (!id) return null;
  const body = h("div", { class: "trace" });
  const details = h("details", {}, h("summary", {}, "Program and trace"), body);
  details.addEventListener("toggle", async () => {
    if (!details.open || body.childElementCount) return;
    try {
      fill(body, traceView(await get(`/api/traces/${encodeURIComponent(id)}`)));
    } catch (failure) {
      fill(body, problem(failure));
    }
  });
  return details;
}

function traceView(trace) {
  const programs = trace.programs?.length ? trace.programs : [{ program: trace.program ?? "", error: "" }];
  return [
    programs.map((attempt) => [h("pre", { class: "program" }, attempt.program), attempt.error && h("p", { class: "problem" }, attempt.error)]).flat(),
    h("ol", { class: "steps" }, (trace.steps ?? []).map((step) => h("li", { class: "step" },
      h("details", {},
        h("summary", {}, h("code", {}, step.name ? `${step.name} = ${step.expression}` : step.expression),
          h("span", { class: "muted" }, `${step.type}, ${count(step.items ?? 0, "item")}, ${secondsText(step.seconds)}`)),
        h("pre", { class: "value" }, brief(JSON.stringify(step.value, null, 1), 20000)))))),
    (trace.rejected ?? []).length > 0 && h("section", {}, h("h3", {}, "Rejected"),
      h("ul", {}, trace.rejected.map((claim) => h("li", {}, typeof claim === "string" ? claim : `${claim.text ?? ""} (${claim.verdict ?? ""} ${claim.reason ?? ""})`)))),
    (trace.looks ?? []).length > 0 && h("section", {}, h("h3", {}, "Pictures looked at"),
      h("ul", {}, trace.looks.map((look) => h("li", {}, brief(look, 400))))),
    h("p", { class: "muted" }, [trace.planner && `planner ${trace.planner}`, trace.composer && `composer ${trace.composer}`, trace.model && `model ${trace.model}`,
      trace.versions?.agentvid && `agentvid ${trace.versions.agentvid}`, `trace ${trace.trace_id}`].filter(Boolean).join(", ")),
  ].flat();
}

/** The answer that the address names. */
export async function showAnswer(root, id, signal) {
  let result = answers.get(id);
  if (!result) {
    const trace = await get(`/api/traces/${encodeURIComponent(id)}`, {}, signal);
    if (!trace.result) {
      fill(root, h("article", { class: "turn" }, h("h2", { class: "question" }, trace.question ?? ""),
        problem({ message: trace.error || "This question has no answer.", hint: trace.hint ?? "" }), traceDetails(id)));
      return null;
    }
    result = { ...trace.result, trace_id: id, thread: trace.thread ?? "", choices: trace.choices ?? [] };
    answers.set(id, result);
  }
  fill(root, earlierLink(result.thread), h("article", { class: "turn" }, h("h2", { class: "question" }, result.question), answerView(result), footer(result)));
  showMarks(result);
  return result.thread;
}

function earlierLink(thread) {
  return thread ? h("p", { class: "earlier" }, h("a", { href: `/?thread=${encodeURIComponent(thread)}` }, "The whole conversation")) : null;
}

/** The turns of a conversation; the last one's cited spans are marked on the timeline. */
export async function showThread(root, name, signal) {
  const { turns } = await get(`/api/threads/${encodeURIComponent(name)}`, {}, signal);
  fill(root, h("div", { class: "heading" }, h("h1", {}, "Conversation"), h("p", { class: "muted" }, name)),
    turns.map((turn) => h("article", { class: "turn" },
      h("h2", { class: "question" }, turn.question),
      h("div", { class: turn.abstained ? "answer abstained" : "answer" }, h("p", { class: "claim" }, turn.answer),
        h("p", { class: "cited" }, turn.evidence.map((item) => h("a", { class: "chip", href: videoUrl(item.video_id, item.start, item.end) },
          `${videoOf(item.video_id).name} ${clock(item.start)}`)))),
      turn.program && h("details", {}, h("summary", {}, "Program"), h("pre", { class: "program" }, turn.program)))));
  setMarks({ evidence: (turns.at(-1)?.evidence ?? []).map((item, index) => ({ ...item, text: "", number: index + 1 })) });
}

/** A box to go on with a conversation. */
export function followUp(thread, onAsk) {
  const input = h("input", { id: "follow-up", autocomplete: "off", placeholder: "And after that?" });
  const form = h("form", { class: "follow-up" }, h("label", { for: "follow-up" }, "Ask a follow-up"),
    h("div", {}, input, h("button", { type: "submit", class: "go" }, "Ask")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const question = input.value.trim();
    if (question) onAsk({ question, thread });
  });
  return form;
}

export const askingUrl = () => keepVideo({ view: "ask" });
