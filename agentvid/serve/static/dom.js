// Elements from data. Text of videos, models and people becomes text nodes and nothing else: no markup is ever parsed.

/**
 * An element. `properties`: attributes, and `class`, `on: {event: handler}`, `data: {name: value}`; false, null and
 * undefined leave an attribute out, true sets it empty. Children are nodes or text; null and false are skipped.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") element.className = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  close: "M4 4l8 8M12 4l-8 8",
  loop: "M3 7a5 5 0 0 1 9-2l1 1M13 3v3h-3M13 9a5 5 0 0 1-9 2l-1-1M3 13v-3h3",
  minus: "M3 8h10",
  plus: "M3 8h10M8 3v10",
  whole: "M2 8h12M4.5 5.5L2 8l2.5 2.5M11.5 5.5L14 8l-2.5 2.5",
};

/** A 16-pixel drawing that says nothing to screen readers: the button around it has the label. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A still of a video that leaves quietly when it cannot be made: `start` in seconds, `width` in pixels. */
export function still(video, seconds, width, text = "") {
  const image = h("img", {
    class: "still", alt: text, width, height: Math.round((width * 9) / 16), loading: "lazy", decoding: "async",
    src: `/media/${encodeURIComponent(video.video_id)}/still/${Math.max(0, Math.round(seconds * 1000))}.jpg?width=${width}`,
  });
  image.addEventListener("error", () => image.replaceWith(h("span", { class: "still none" }, "no picture")));
  return image;
}

const WORD = /[\p{L}\p{N}]+/gu;
const SHORTEST_STEM = 3;

/** Text with the words of a query marked, also where only their endings differ. */
export function marked(text, query) {
  const stems = new Set((query.toLowerCase().match(WORD) ?? []).filter((word) => !STOP.has(word)).map(stem));
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(WORD)) {
    if (!stems.has(stem(match[0].toLowerCase()))) continue;
    parts.push(text.slice(from, match.index), h("mark", {}, match[0]));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

const STOP = new Set("a an and are as at be by did do does for from had has have how in is it its of on or that the their there they this to was were what when where which who why with".split(" "));

function stem(word) {
  const short = word.replace(/(?:ing|ed|es|s|ies|y)$/u, "");
  return short.length >= SHORTEST_STEM ? short : word;
}
