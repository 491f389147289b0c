// What can be taken away: of an answer, or of a video. The server's registry says which formats there are.
import { get } from "./api.js";
import { problem } from "./cards.js";
import { fill, h } from "./dom.js";

let registry = null;

/** A menu of downloads for `{trace}` or for `{video}`. */
export function exportMenu({ trace = "", video = null }) {
  const list = h("ul", { class: "menu" });
  const details = h("details", { class: "exports" }, h("summary", {}, "Export"), list);
  details.addEventListener("toggle", async () => {
    if (!details.open || list.childElementCount) return;
    try {
      registry ??= (await get("/api/exports")).exports;
      fill(list, trace ? ofAnswer(trace) : ofVideo(video));
    } catch (failure) {
      fill(list, h("li", {}, problem(failure)));
    }
  });
  return details;
}

const fits = (subject) => registry.filter((format) => format.subjects.includes(subject));
const link = (url, format, ...text) => h("a", { href: url, download: true, title: format.about }, text);

function ofAnswer(trace) {
  return fits("answer").map((format) => h("li", {},
    link(`/api/answers/${encodeURIComponent(trace)}/export/${encodeURIComponent(format.name)}`, format, h("strong", {}, format.name), ` ${format.about}`)));
}

/** A line for the chapters and for every track, with all formats that hold it. */
function ofVideo(video) {
  const base = `/api/videos/${encodeURIComponent(video.video_id)}/export`;
  const line = (of, subject, query) => h("li", { class: "of" }, h("strong", {}, of),
    h("span", {}, fits(subject).filter((format) => video.playable || !format.needs_files)
      .map((format) => link(`${base}/${encodeURIComponent(format.name)}${query}`, format, format.name))));
  return [
    video.chapters?.length > 0 && line("chapters", "chapters", ""),
    ...Object.keys(video.tracks ?? {}).map((track) => line(track, "track", `?track=${encodeURIComponent(track)}`)),
  ];
}

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.exports[open]")) if (!open.contains(event.target)) open.open = false;
});
