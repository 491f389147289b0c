// Reads the address and shows what it names: a list, a video, or both side by side.
import { askingUrl, followUp, newThread, runAsk, showAnswer, showThread } from "./answer.js";
import { problem } from "./cards.js";
import { byId, fill } from "./dom.js";
import { refreshForm, setMode, showQuery, startForm } from "./form.js";
import { startKeys } from "./keys.js";
import { showInbox, showLibrary, showSearch, showThreads } from "./lists.js";
import { go, read, start } from "./route.js";
import { loadLibrary, setMarks } from "./state.js";
import { closeVideo, showVideo } from "./watch.js";

const list = byId("list");
const LIST_NAMES = { search: "Hits", answer: "Answer", ask: "Answer", thread: "Conversation", threads: "Conversations", inbox: "Add videos" };
let shownList = null;
let shownVideo = null;
let listWork = new AbortController();
/** The question that is worked on, and the conversation that its answer is shown in. */
let asking = null;

const say = (text) => { byId("said").textContent = text; };

/** One clear line above everything; "" takes it away. */
function tell(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function showPanel(name) {
  byId("main").dataset.panel = name;
  for (const button of byId("tabs").children) button.setAttribute("aria-pressed", String(button.dataset.panel === name));
}

function arrange(route) {
  const hasBoth = route.video !== null && route.list !== "";
  byId("main").dataset.shows = hasBoth ? "both" : route.video === null ? "list" : "video";
  byId("main").dataset.list = route.list;
  byId("watch").hidden = route.video === null;
  list.hidden = route.list === "";
  byId("tabs").hidden = !hasBoth;
  byId("tabs").firstElementChild.textContent = LIST_NAMES[route.list] ?? "Library";
  if (!hasBoth) showPanel(route.video === null ? "list" : "transcript");
  for (const link of document.querySelectorAll(".nav a")) {
    if (link.dataset.list === route.list) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function render() {
  const route = read();
  const wasBoth = byId("main").dataset.shows === "both";
  arrange(route);
  if (!wasBoth && byId("main").dataset.shows === "both") showPanel("list");
  showQuery();
  const video = route.video === null ? closeVideo() : showVideo(byId("watch"), route.video, route.at);
  await Promise.all([video, renderList(route)]);
  if (route.video !== null && route.video !== shownVideo) document.querySelector(".watch-head")?.scrollIntoView({ block: "nearest" });
  shownVideo = route.video;
  pointOut(route);
}

/** The card of the span that plays stands out. */
function pointOut({ video, at }) {
  for (const card of list.querySelectorAll("li.card.span")) {
    card.classList.toggle("at", card.dataset.video === video && at !== null && Math.abs(Number(card.dataset.start) - at.start) < 0.002 &&
      (at.end === null || Math.abs(Number(card.dataset.end) - at.end) < 0.002));
  }
}

async function renderList(route) {
  const key = `${route.list}?${route.query}`;
  if (key === shownList) return;
  const isSameAnswer = asking?.trace !== undefined && route.list === "answer";
  shownList = key;
  if (isSameAnswer && route.query.get("trace") === asking.trace) return;
  if (route.list === "ask" && asking) return;
  listWork.abort();
  listWork = new AbortController();
  asking?.stop();
  asking = null;
  if (route.list === "") return void setMarks({});
  const { signal } = listWork;
  if (!["search", "answer", "thread"].includes(route.list)) setMarks({});
  list.setAttribute("aria-busy", "true");
  try {
    const said = await SHOW[route.list](route.query, signal);
    if (!signal.aborted && said) say(said);
  } catch (failure) {
    if (signal.aborted || failure.name === "AbortError") return;
    setMarks({});
    fill(list, problem(failure, () => { shownList = null; render(); }));
  } finally {
    if (!signal.aborted) list.removeAttribute("aria-busy");
  }
}

const SHOW = {
  library: () => showLibrary(list),
  search: (query, signal) => showSearch(list, query, signal),
  threads: (_, signal) => showThreads(list, signal),
  inbox: (_, signal) => showInbox(list, signal),
  ask: () => { go("/", { replace: true }); },
  async thread(query, signal) {
    await showThread(list, query.get("thread"), signal);
    if (!signal.aborted) list.append(followUp(query.get("thread"), ask));
  },
  async answer(query, signal) {
    const thread = await showAnswer(list, query.get("trace"), signal);
    if (!signal.aborted && thread) list.append(followUp(thread, ask));
  },
};

/** Ask and show; a follow-up goes below what is there, a new question takes its place. */
async function ask(body) {
  const isFollowUp = Boolean(body.thread);
  asking?.stop();
  listWork.abort();
  listWork = new AbortController();
  const work = new AbortController();
  const mine = { stop: () => work.abort(), trace: undefined };
  asking = mine;
  const thread = body.thread || newThread();
  list.querySelector(".follow-up")?.remove();
  list.removeAttribute("aria-busy");
  if (!isFollowUp) fill(list);
  go(askingUrl());
  setMarks({});
  showPanel("list");
  const said = await runAsk(list, { ...body, thread }, work.signal, mine.stop, (trace) => { mine.trace = trace; });
  if (asking !== mine) return;
  say(said);
  list.append(followUp(thread, ask));
}

function begin() {
  startForm({ ask, say: tell });
  startKeys({ focusQuery: (mode) => { setMode(mode); byId("query").focus(); byId("query").select(); }, say });
  byId("tabs").addEventListener("click", (event) => { if (event.target.dataset.panel) showPanel(event.target.dataset.panel); });
  list.addEventListener("library", refreshForm);
  openLibrary();
}

let isStarted = false;

async function openLibrary() {
  try {
    await loadLibrary();
  } catch (failure) {
    fill(list, problem(failure, openLibrary));
    return;
  }
  refreshForm();
  performance.mark("library");
  if (!isStarted) start(render);
  isStarted = true;
}

begin();
