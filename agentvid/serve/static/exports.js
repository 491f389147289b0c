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

const link = (url, text) => h("li", {}, h("a", { href: url, download: true }, text));
const fits = (subject) => registry.filter((format) => format.subjects.includes(subject));
const titleOf = (format, of = "") => h("span", {}, h("strong", {}, format.name), ` ${of || format.about}`);

function ofAnswer(trace) {
  return fits("answer").map((format) =>
    link(`/api/answers/${encodeURIComponent(trace)}/export/${encodeURIComponent(format.name)}`, titleOf(format)));
}

function ofVideo(video) {
  const base = `/api/videos/${encodeURIComponent(video.video_id)}/export`;
  const tracks = Object.keys(video.tracks ?? {});
  const canWrite = (format) => video.playable || !format.needs_files;
  return [
    ...fits("chapters").filter(canWrite).map((format) => link(`${base}/${encodeURIComponent(format.name)}`, titleOf(format, "chapters"))),
    ...fits("track").filter(canWrite).flatMap((format) => tracks.map((track) =>
      link(`${base}/${encodeURIComponent(format.name)}?track=${encodeURIComponent(track)}`, titleOf(format, track)))),
  ];
}
