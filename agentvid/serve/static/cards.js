// Cards of the lists: a video, and a span with its stills, words and actions.
import { mediaPath } from "./api.js";
import { h, marked, still } from "./dom.js";
import { videoUrl } from "./route.js";
import { videoOf } from "./state.js";
import { clock, length, span } from "./times.js";

const STILLS = 5;
const STILL_WIDTH = 160;

/** Where in a video a picture stands for all of it: not the black of the first frame. */
const TELLING_SHARE = 0.1;

export function videoCard(video) {
  const tracks = Object.entries(video.tracks ?? {}).map(([track, count]) => chip(track, `${count}`));
  return h("li", { class: "card video" },
    h("a", { href: videoUrl(video.video_id, null, null, ""), class: "cover" },
      h("span", { class: "frame" },
        video.playable ? still(video, video.duration * TELLING_SHARE, 320) : h("span", { class: "still none" }, "text only"),
        h("span", { class: "badge" }, clock(video.duration))),
      h("span", { class: "name" }, video.name)),
    h("p", { class: "tracks" }, tracks.length ? tracks : h("span", { class: "muted" }, "nothing was read from it")),
    video.state && video.state !== "ready" && h("p", { class: "state" }, stateText(video.state)));
}

function stateText(state) {
  const said = {
    partial: "Parts of it could not be read.",
    missing: "The file is not where it was; what was read from it still answers.",
    failed: "It could not be read.",
    gone: "It is not in the library any more.",
  };
  return said[state] ?? state;
}

export const chip = (track, more = "") => h("span", { class: "chip", data: { track } }, more ? `${track} ${more}` : track);

/** Stills over a span: one for every part of it, fewer for a short one. */
export function filmstrip(video, part) {
  if (!video.playable) return null;
  const seconds = part.end - part.start;
  const count = Math.max(1, Math.min(STILLS, Math.ceil(seconds / 2)));
  return h("span", { class: "strip", "aria-hidden": "true" },
    Array.from({ length: count }, (_, number) => still(video, part.start + (seconds * (number + 0.5)) / count, STILL_WIDTH)));
}

/** A hit or a piece of evidence: `part` has video_id, start, end, track and text; `number` is its citation, if any. */
export function spanCard(part, { query = "", number = 0, canPlay = true } = {}) {
  const video = videoOf(part.video_id, part.video);
  const name = `${number ? `${number}: ` : ""}${video.name} at ${span(part)}`;
  const actions = [h("button", { type: "button", class: "link", on: { click: copyLink(part) } }, "Copy link")];
  if (video.playable && canPlay) {
    const clip = `${mediaPath(part.video_id)}/clip.mp4?start=${part.start}&end=${part.end}`;
    actions.unshift(h("a", { href: clip, download: true }, "Save clip"));
  }
  return h("li", { class: "card span", tabindex: -1, data: { video: part.video_id, start: part.start, end: part.end } },
    h("a", { class: "cover", href: videoUrl(part.video_id, part.start, part.end), "aria-label": name },
      filmstrip(video, part),
      h("span", { class: "line" },
        number > 0 && h("span", { class: "number" }, String(number)),
        h("strong", {}, span(part)), h("span", { class: "name" }, video.name), chip(part.track)),
      h("span", { class: "text" }, marked(part.text, query))),
    h("p", { class: "actions" }, h("span", { class: "muted" }, length(part.end - part.start)), actions));
}

function copyLink(part) {
  return async (event) => {
    const button = event.currentTarget;
    const url = new URL(videoUrl(part.video_id, part.start, part.end, ""), window.location.href).href;
    try {
      await navigator.clipboard.writeText(url);
      button.textContent = "Copied";
    } catch {
      button.replaceWith(h("input", { class: "copied", value: url, readonly: true, "aria-label": "Link" }));
    }
  };
}

/** One clear line about what went wrong, with the way out and, where it helps, a button. */
export function problem(failure, again = null) {
  return h("div", { class: "problem", role: "alert" },
    h("p", {}, h("strong", {}, failure.message), failure.hint && h("span", {}, ` ${failure.hint}`)),
    again && h("button", { type: "button", on: { click: again } }, "Try again"));
}
