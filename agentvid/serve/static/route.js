// The address is the whole state of the page: the path says which video plays, the query what is listed beside it, the
// fragment the second. So links, the back button and a reload all lead to the same place.
import { fragment, parseFragment } from "./times.js";

const FILTERS = ["q", "k", "video", "track", "from", "to", "level"];

/** `{video, at, list, query}`; list: "library", "search", "answer", "ask", "thread", "threads", "inbox" or "" (none). */
export function read(location = window.location) {
  const match = /^\/v\/([^/]+)$/.exec(location.pathname);
  const query = new URLSearchParams(location.search);
  const video = match ? decoded(match[1]) : null;
  return { video, at: parseFragment(location.hash), list: listOf(query, video), query };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function listOf(query, video) {
  if (query.get("q")) return "search";
  if (query.get("trace")) return "answer";
  if (query.get("thread")) return "thread";
  const view = query.get("view");
  if (["ask", "threads", "inbox"].includes(view)) return view;
  return video ? "" : "library";
}

/** What is listed now, to be carried along in links to videos. */
export function listQuery() {
  const kept = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(window.location.search)) {
    if ([...FILTERS, "trace", "thread", "view"].includes(name)) kept.append(name, value);
  }
  return kept.toString();
}

/** The address of a second of a video, with the list that is shown now (or `query`) beside it. */
export function videoUrl(id, start = null, end = null, query = listQuery()) {
  const time = start === null ? "" : fragment(start, end);
  return `/v/${encodeURIComponent(id)}${query ? `?${query}` : ""}${time}`;
}

/** The address of a list; the video that plays stays. */
export function listUrl(parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, one);
    }
  }
  return `/?${query}`;
}

let changed = () => {};

export function go(url, { replace = false } = {}) {
  const isSame = new URL(url, window.location.href).href === window.location.href;
  if (replace || isSame) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  changed();
}

/** Calls `onChange` now and whenever the address changes; links of the page no longer load it anew. */
export function start(onChange) {
  changed = onChange;
  window.addEventListener("popstate", onChange);
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!link || !isPlain || event.defaultPrevented || link.hasAttribute("download") || link.target) return;
    const url = new URL(link.href);
    if (url.origin !== window.location.origin || !/^\/(v\/[^/]+)?$/.test(url.pathname)) return;
    event.preventDefault();
    go(url.pathname + url.search + url.hash);
  });
  onChange();
}
