// Lists beside the player: the library, hits of a search, conversations, files to index.
import { get, post } from "./api.js";
import { problem, spanCard, videoCard } from "./cards.js";
import { fill, h } from "./dom.js";
import { loadLibrary, setMarks, shared } from "./state.js";
import { length } from "./times.js";

const POLL_MILLISECONDS = 700;
const MEGABYTE = 1e6;
/** The reason of files that a stopped job did not read. */
const STOPPED = "stopped";

export async function showLibrary(root) {
  const videos = [...shared.videos.values()];
  const seconds = videos.reduce((total, video) => total + video.duration, 0);
  if (!videos.length) {
    const canIndex = shared.library.may?.index;
    fill(root, h("div", { class: "empty" }, h("h1", {}, "The library is empty"),
      canIndex ? h("p", {}, h("a", { class: "button", href: "/?view=inbox" }, "Add videos"))
        : h("p", {}, "Add videos in a terminal: ", h("code", {}, "agentvid index FILE"), ". Or start ", h("code", {}, "agentvid serve --media FOLDER"), " to add them here.")));
    return;
  }
  const filter = h("input", { type: "search", id: "name-filter", placeholder: "Filter by name", autocomplete: "off", "aria-label": "Filter by name" });
  const grid = h("ul", { class: "grid" });
  const show = () => {
    const wanted = filter.value.trim().toLowerCase();
    const found = videos.filter((video) => video.name.toLowerCase().includes(wanted));
    fill(grid, found.slice(0, shown).map(videoCard));
    more.hidden = found.length <= shown;
    none.hidden = found.length > 0;
  };
  let shown = 60;
  const more = h("button", { type: "button", on: { click: () => { shown += 120; show(); } } }, "Show more");
  const none = h("p", { class: "muted" }, "No video has that name.");
  filter.addEventListener("input", show);
  fill(root, h("div", { class: "heading" },
    h("h1", {}, "Library"),
    h("p", { class: "muted" }, `${count(videos.length, "video")}, ${length(seconds)}`),
    videos.length > 8 && filter), notes(), grid, none, more);
  show();
}

const notes = () => (shared.library.notes ?? []).map((note) => h("p", { class: "note" }, note));

export const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

export async function showSearch(root, query, signal) {
  const q = query.get("q");
  const parameters = { q, k: query.get("k"), from: query.get("from"), to: query.get("to"), level: query.get("level") };
  const started = performance.now();
  const found = await get("/api/search", { ...parameters, video: query.getAll("video"), track: query.getAll("track") }, signal);
  const hits = found.hits.map((hit) => ({ ...hit, video: hit.name ?? hit.video }));
  setMarks({ hits });
  const isFiltered = [...query.keys()].some((name) => name !== "q" && name !== "k");
  fill(root, h("div", { class: "heading" }, h("h1", { class: "quoted" }, q),
    h("p", { class: "muted" }, hits.length ? `${count(hits.length, "hit")}, best first` : "Nothing found"),
    Object.entries(found.spelling).map(([word, other]) => h("p", { class: "muted" }, `${word}: searched as ${other}`))),
    hits.length
      ? h("ul", { class: "cards" }, hits.map((hit) => spanCard(hit, { query: q })))
      : h("p", {}, isFiltered ? "No moment fits. Try without the filters." : "No moment fits. Try other words, or ask a question."));
  performance.measure("search", { start: started, end: performance.now() });
  return `${count(hits.length, "hit")} for ${q}`;
}

export async function showThreads(root, signal) {
  const { threads } = await get("/api/threads", {}, signal);
  fill(root, h("div", { class: "heading" }, h("h1", {}, "Conversations")),
    threads.length
      ? h("ul", { class: "rows" }, threads.map((thread) => h("li", {},
        h("a", { href: `/?thread=${encodeURIComponent(thread.thread)}` },
          h("span", { class: "text" }, thread.question || "…"),
          h("span", { class: "muted" }, `${thread.thread}, ${count(thread.turns, "question")}`)))))
      : h("p", {}, "None yet. Ask something: every question starts one."));
}

/** `report`: what the last job did, below the files that are still not in the library. */
export async function showInbox(root, signal, report = []) {
  const [{ files }, { jobs }] = await Promise.all([get("/api/inbox", {}, signal), get("/api/jobs", {}, signal)]);
  const status = h("div", { class: "job", "aria-live": "polite" }, report);
  const button = h("button", { type: "submit", class: "go" }, "Index");
  const boxes = files.map((file) => h("li", {}, h("label", {},
    h("input", { type: "checkbox", name: "file", value: file.file_id, checked: files.length <= 20 }),
    h("span", { class: "name" }, file.name), h("span", { class: "muted" }, size(file.bytes)))));
  const form = h("form", { class: "inbox" }, h("ul", { class: "rows" }, boxes), h("p", {}, button));
  const run = async (start) => {
    button.disabled = true;
    try {
      await follow(await start(), status, signal);
      await loadLibrary();
      root.dispatchEvent(new CustomEvent("library", { bubbles: true }));
      await showInbox(root, signal, [...status.childNodes]);
      // The button that had the focus is gone.
      if (document.activeElement === document.body) root.querySelector("button.go")?.focus();
    } catch (failure) {
      if (failure.name === "AbortError") return;
      fill(status, problem(failure));
    }
    button.disabled = false;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = [...form.querySelectorAll("input:checked")].map((input) => input.value);
    if (!chosen.length) return void fill(status, h("p", {}, "Choose a file first."));
    run(async () => (await (await post("/api/jobs", { files: chosen }, signal)).json()).job_id);
  });
  fill(root, h("div", { class: "heading" }, h("h1", {}, "Add videos"), h("p", { class: "muted" }, `${count(files.length, "file")} not in the library yet`)),
    files.length ? form : h("p", {}, "Every file of the folders of this server is in the library."), status);
  // One that was begun before, here or elsewhere.
  if (jobs.length) run(() => jobs[0].job_id);
}

const size = (bytes) => (bytes < MEGABYTE / 10 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / MEGABYTE).toFixed(1)} MB`);

/** Show how far a job is until it is over, with a button that stops it. */
async function follow(id, status, signal) {
  const path = `/api/jobs/${encodeURIComponent(id)}`;
  const bar = h("progress", { max: 1, "aria-label": "Indexing" });
  const text = h("p", {});
  const trouble = h("p", {});
  // It keeps the focus while it stops: a disabled button would lose it, and asking again does no harm.
  const stop = h("button", { type: "button" }, "Stop");
  stop.addEventListener("click", async () => {
    try {
      await post(`${path}/stop`, {}, signal);
      stop.textContent = "Stopping…";
    } catch (failure) {
      if (failure.name !== "AbortError") fill(trouble, problem(failure));
    }
  });
  fill(status, h("div", { class: "running" }, text, stop), bar, trouble);
  for (;;) {
    const job = await get(path, {}, signal);
    // Of the file that is being read, the share that its stage has done counts for the bar.
    const share = job.seconds_total > 0 ? Math.min(job.seconds_done / job.seconds_total, 1) : 0;
    bar.max = job.total;
    bar.value = job.done + share;
    text.textContent = job.state === "queued" ? "Waiting for the job before it"
      : [`File ${Math.min(job.done + 1, job.total)} of ${job.total}`, job.file, job.stage].filter(Boolean).join(", ");
    if (!["queued", "running"].includes(job.state)) return fill(status, reportOf(job));
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
    signal?.throwIfAborted();
  }
}

function reportOf(job) {
  const report = job.report ?? {};
  const indexed = report.indexed ?? [];
  const troubles = [...(report.failed ?? []), ...(report.skipped ?? []).filter((one) => one.reason !== STOPPED)];
  const isStopped = job.state === "stopped";
  return [
    h("p", {}, h("strong", {}, `${isStopped ? "Stopped. " : ""}${count(indexed.length, "video")} indexed`),
      indexed.map((video) => [" ", h("a", { href: `/v/${encodeURIComponent(video.video_id)}` }, video.name ?? video.video_id)]).flat()),
    isStopped && h("p", {}, `${count(job.total - job.done, "file")} not read; index again to go on.`),
    job.error && h("p", { class: "problem" }, `${job.error} ${job.hint ?? ""}`),
    troubles.map((one) => h("p", { class: "problem" }, `${one.name ?? ""}: ${one.error ?? one.reason} ${one.hint ?? ""}`)),
  ].flat();
}
