// The one box at the top: search or ask, with the filters and options of each.
import { byId, fill, h, icon } from "./dom.js";
import { go, listUrl, read } from "./route.js";
import { shared, videoOf } from "./state.js";
import { parseTime } from "./times.js";

const scope = new Set();
let onAsk = () => {};
let said = () => {};

const mode = () => document.querySelector("input[name=mode]:checked").value;

export function startForm({ ask, say }) {
  onAsk = ask;
  said = say;
  byId("query-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (mode() === "ask") submitAsk();
    else submitSearch();
  });
  for (const input of document.querySelectorAll("input[name=mode]")) input.addEventListener("change", showMode);
  byId("options-button").addEventListener("click", () => showOptions(byId("options").hidden));
  byId("scope").addEventListener("change", (event) => {
    if (event.target.value) scope.add(event.target.value);
    showScope();
  });
  showMode();
}

export function showOptions(isOpen) {
  byId("options").hidden = !isOpen;
  byId("options-button").setAttribute("aria-expanded", String(isOpen));
}

export function setMode(name) {
  document.querySelector(`input[name=mode][value=${name}]`).checked = true;
  showMode();
}

function showMode() {
  const isAsk = mode() === "ask";
  byId("query").placeholder = isAsk ? "Ask about what is said, shown or happens" : "Find a moment";
  byId("submit").textContent = isAsk ? "Ask" : "Search";
  byId("options-button").textContent = isAsk ? "Options" : "Filters";
  byId("options").dataset.mode = mode();
}

/** What the library has decides what the form offers. */
export function refreshForm() {
  const tracks = Array.isArray(shared.library.tracks) ? shared.library.tracks : Object.keys(shared.library.tracks ?? {});
  const chosen = new Set(checkedTracks());
  fill(byId("tracks"), tracks.map((track) => h("label", {}, h("input", { type: "checkbox", value: track, checked: chosen.has(track) }), track)));
  // The server asks one model, or none: the page only says which.
  byId("model-field").hidden = !shared.library.may?.model;
  byId("model").textContent = shared.library.may?.model ?? "";
  byId("inbox-link").hidden = !shared.library.may?.index;
  showScope();
}

function showScope() {
  const select = byId("scope");
  const rest = [...shared.videos.values()].filter((video) => !scope.has(video.video_id));
  fill(select, h("option", { value: "" }, scope.size ? "add a video" : "all videos"),
    rest.map((video) => h("option", { value: video.video_id }, video.name)));
  const chips = [...scope].map((id) => {
    const name = videoOf(id).name;
    return h("button", { type: "button", class: "chip", "aria-label": `Remove ${name}`, on: { click: () => { scope.delete(id); showScope(); select.focus(); } } }, name, icon("close"));
  });
  fill(byId("scope-chips"), chips, select);
}

const checkedTracks = () => [...byId("tracks").querySelectorAll("input:checked")].map((input) => input.value);

function submitSearch() {
  const q = byId("query").value.trim();
  if (!q) return refuse(byId("query"), "Write what to search for.");
  const times = {};
  for (const name of ["from", "to"]) {
    times[name] = parseTime(byId(name).value);
    if (Number.isNaN(times[name])) {
      showOptions(true);
      return refuse(byId(name), `${byId(name).value} is no time; write seconds, 1:23 or 1:02:03.`);
    }
  }
  if (times.from !== null && times.to !== null && times.to <= times.from) {
    showOptions(true);
    return refuse(byId("to"), "To has to be after From.");
  }
  const k = byId("k").value;
  said("");
  showOptions(false);
  go(listUrl({ q, video: [...scope], track: checkedTracks(), ...times, level: byId("level").value, k: k === "10" ? "" : k }));
}

function submitAsk() {
  const question = byId("query").value.trim();
  if (!question) return refuse(byId("query"), "Write a question.");
  const choices = byId("choices").value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (choices.length === 1) {
    showOptions(true);
    return refuse(byId("choices"), "Give two choices or more, or none.");
  }
  const seconds = Number(byId("seconds").value);
  said("");
  showOptions(false);
  const body = { question };
  if (scope.size) body.videos = [...scope];
  if (choices.length) body.choices = choices;
  if (byId("verify").value) body.verify = byId("verify").value;
  if (seconds > 0) body.budget = { seconds };
  onAsk(body);
}

function refuse(input, text) {
  input.setAttribute("aria-invalid", "true");
  input.addEventListener("input", () => input.removeAttribute("aria-invalid"), { once: true });
  input.focus();
  said(text);
}

/** Show what the address says, so that the box and the list agree after Back or a link. */
export function showQuery() {
  const { list, query } = read();
  if (list !== "search") return;
  setMode("search");
  byId("query").value = query.get("q");
  byId("from").value = query.get("from") ?? "";
  byId("to").value = query.get("to") ?? "";
  byId("level").value = query.get("level") ?? "";
  byId("k").value = query.get("k") ?? "10";
  const tracks = query.getAll("track");
  for (const input of byId("tracks").querySelectorAll("input")) input.checked = tracks.includes(input.value);
  scope.clear();
  for (const id of query.getAll("video")) scope.add(id);
  showScope();
}
