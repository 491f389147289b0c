// The whole video in a few lanes: chapters, shots, how dense each track is, hits and evidence. Pointing at it shows the
// picture and the time, a click goes there; it can be zoomed, since ten hours do not fit a screen.
import { fill, h, icon, still } from "./dom.js";
import { lastBefore } from "./rows.js";
import { clock, span } from "./times.js";

const RULER = 20;
const GAP = 4;
const BIN_PIXELS = 3;
const LEAST_VIEW_SECONDS = 4;
const ZOOM = 1.6;
const TICKS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000];
const TICK_PIXELS = 84;
const STILL_WIDTH = 160;
const STILL_WAIT_MILLISECONDS = 120;
/** A span of a second in ten hours would be no pixel wide. */
const LEAST_MARK_PIXELS = 4;

export class Timeline {
  constructor(root, tools, video, { onSeek }) {
    this.video = video;
    this.onSeek = onSeek;
    this.duration = Math.max(video.duration, 0.1);
    this.from = 0;
    this.to = this.duration;
    this.tracks = new Map();
    this.marks = { hits: [], evidence: [] };
    this.at = 0;
    this.build(root, tools);
  }

  build(root, tools) {
    this.canvas = h("canvas", { class: "lanes", role: "slider", tabindex: 0, "aria-label": "Timeline", "aria-valuemin": 0,
      "aria-valuemax": Math.round(this.duration), "aria-valuenow": 0, "aria-valuetext": clock(0),
      "aria-keyshortcuts": "ArrowLeft ArrowRight + - 0" });
    this.head = h("div", { class: "playhead", "aria-hidden": "true" });
    this.tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    const button = (name, label, act) => h("button", { type: "button", class: "quiet square", "aria-label": label, title: label, on: { click: act } }, icon(name));
    this.shown = h("span", { class: "muted" });
    fill(tools, this.shown, button("minus", "Zoom out", () => this.zoom(1 / ZOOM)),
      button("whole", "Show all", () => this.view(0, this.duration)), button("plus", "Zoom in", () => this.zoom(ZOOM)));
    this.area = h("div", { class: "area" }, this.canvas, this.head, this.tip);
    fill(root, this.area);
    this.sized = new ResizeObserver(() => this.draw());
    this.sized.observe(this.area);
    this.theme = window.matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.draw();
    this.theme.addEventListener("change", this.redraw);
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    canvas.addEventListener("pointerleave", () => this.hideTip());
    canvas.addEventListener("pointerdown", (event) => {
      this.drag = { x: event.clientX, from: this.from, to: this.to, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointerup", (event) => {
      const wasClick = this.drag && !this.drag.moved;
      this.drag = null;
      if (wasClick) this.onClick(event);
    });
    canvas.addEventListener("pointercancel", () => { this.drag = null; });
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  setRows(rows) {
    const tracks = new Map();
    for (const row of rows.all) {
      if (!tracks.has(row.track)) tracks.set(row.track, []);
      tracks.get(row.track).push(row);
    }
    this.tracks = new Map([...tracks].sort(([one], [other]) => (one < other ? -1 : 1)));
    this.draw();
  }

  setMarks(marks) {
    const ours = (items) => items.filter((item) => item.video_id === this.video.video_id);
    this.marks = { hits: ours(marks.hits), evidence: ours(marks.evidence) };
    this.draw();
  }

  lanes() {
    const lanes = [];
    if (this.video.chapters?.length) lanes.push({ name: "chapters", height: 20, items: this.video.chapters, paint: paintChapters });
    if (this.video.shots?.length) lanes.push({ name: "shots", height: 10, items: this.video.shots, paint: paintShots });
    for (const [track, items] of this.tracks) lanes.push({ name: track, height: 16, items, paint: paintDensity, colour: `--track-${track}` });
    if (this.video.gaps?.length) lanes.push({ name: "gaps", height: 8, items: this.video.gaps, paint: paintMarks, colour: "--warn" });
    if (this.marks.hits.length) lanes.push({ name: "hits", height: 14, items: this.marks.hits, paint: paintMarks, colour: "--accent", isMark: true });
    if (this.marks.evidence.length) lanes.push({ name: "evidence", height: 14, items: this.marks.evidence, paint: paintMarks, colour: "--evidence", isMark: true });
    return lanes;
  }

  draw() {
    const width = this.area.clientWidth;
    if (!width) return;
    const lanes = this.lanes();
    let top = RULER;
    for (const lane of lanes) {
      lane.top = top;
      top += lane.height + GAP;
    }
    this.laid = lanes;
    this.gutter = width < 480 ? 58 : 70;
    this.width = width;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(top * ratio);
    this.canvas.style.setProperty("height", `${top}px`);
    this.head.style.setProperty("height", `${top}px`);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim() || style.getPropertyValue("--track-other").trim();
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, top);
    pen.font = `11px ${getComputedStyle(this.area).fontFamily}`;
    pen.textBaseline = "middle";
    this.paintRuler(pen, colour, top);
    const brush = { pen, colour, x: (seconds) => this.x(seconds), left: this.gutter, right: width, from: this.from, to: this.to };
    for (const lane of lanes) {
      pen.fillStyle = colour("--muted");
      pen.fillText(lane.name, 0, lane.top + lane.height / 2, this.gutter - 8);
      pen.fillStyle = colour("--lane");
      pen.fillRect(this.gutter, lane.top, width - this.gutter, lane.height);
      pen.save();
      pen.beginPath();
      pen.rect(this.gutter, lane.top, width - this.gutter, lane.height);
      pen.clip();
      lane.paint(lane, brush);
      pen.restore();
    }
    this.shown.textContent = this.isWhole() ? "" : `${clock(this.from)}–${clock(this.to)}`;
    this.placeHead();
  }

  isWhole() {
    return this.to - this.from >= this.duration - 1e-6;
  }

  x(seconds) {
    return this.gutter + ((seconds - this.from) / (this.to - this.from)) * (this.width - this.gutter);
  }

  secondsAt(event) {
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    const share = (x - this.gutter) / (this.width - this.gutter);
    return Math.min(Math.max(this.from + share * (this.to - this.from), 0), this.duration);
  }

  paintRuler(pen, colour, bottom) {
    const wanted = ((this.to - this.from) * TICK_PIXELS) / (this.width - this.gutter);
    const step = TICKS.find((tick) => tick >= wanted) ?? TICKS.at(-1);
    for (let tick = Math.ceil(this.from / step) * step; tick <= this.to; tick += step) {
      const x = Math.round(this.x(tick)) + 0.5;
      pen.fillStyle = colour("--line");
      pen.fillRect(x - 0.5, RULER - 5, 1, bottom - RULER + 5);
      const text = clock(tick, step < 1);
      if (x + pen.measureText(text).width + 4 > this.width) continue;
      pen.fillStyle = colour("--muted");
      pen.fillText(text, x + 3, 8);
    }
  }

  placeHead() {
    const isSeen = this.at >= this.from && this.at <= this.to;
    this.head.hidden = !isSeen;
    if (isSeen && this.width) this.head.style.setProperty("transform", `translateX(${this.x(this.at)}px)`);
  }

  /** Playback stands at `seconds`; a zoomed view turns the page when the playhead leaves it. */
  move(seconds) {
    const wasSeen = this.at >= this.from && this.at <= this.to;
    this.at = seconds;
    this.canvas.setAttribute("aria-valuenow", String(Math.round(seconds)));
    this.canvas.setAttribute("aria-valuetext", clock(seconds));
    if (wasSeen && !this.drag && (seconds > this.to || seconds < this.from)) this.reveal(seconds);
    else this.placeHead();
  }

  /** A jump: the view goes where the player went. */
  reveal(seconds) {
    if (seconds >= this.from && seconds <= this.to) return;
    const half = (this.to - this.from) / 2;
    this.view(seconds - half / 4, seconds + half * 1.75);
  }

  view(from, to) {
    const size = Math.min(Math.max(to - from, LEAST_VIEW_SECONDS), this.duration);
    this.from = Math.min(Math.max(from, 0), this.duration - size);
    this.to = this.from + size;
    this.draw();
  }

  zoom(factor, around = this.at >= this.from && this.at <= this.to ? this.at : (this.from + this.to) / 2) {
    const size = (this.to - this.from) / factor;
    const share = (around - this.from) / (this.to - this.from);
    this.view(around - size * share, around + size * (1 - share));
  }

  onWheel(event) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 200), this.secondsAt(event));
    } else if (!this.isWhole() && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const shift = (event.deltaX / (this.width - this.gutter)) * (this.to - this.from);
      this.view(this.from + shift, this.to + shift);
    }
  }

  onKey(event) {
    const act = {
      "+": () => this.zoom(ZOOM), "=": () => this.zoom(ZOOM), "-": () => this.zoom(1 / ZOOM), 0: () => this.view(0, this.duration),
      Home: () => this.onSeek(0, null), End: () => this.onSeek(this.duration, null),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  laneAt(event) {
    const y = event.clientY - this.canvas.getBoundingClientRect().top;
    return (this.laid ?? []).find((lane) => y >= lane.top && y < lane.top + lane.height + GAP);
  }

  itemAt(lane, seconds) {
    const slack = lane.isMark ? (LEAST_MARK_PIXELS / (this.width - this.gutter)) * (this.to - this.from) : 0;
    if (lane.isMark) return lane.items.find((item) => seconds >= item.start - slack && seconds < item.end + slack);
    const item = lane.items[lastBefore(lane.items, seconds)];
    return item && seconds < item.end ? item : undefined;
  }

  onClick(event) {
    const seconds = this.secondsAt(event);
    const lane = this.laneAt(event);
    const item = lane?.isMark ? this.itemAt(lane, seconds) : undefined;
    if (item) this.onSeek(item.start, item.end);
    else this.onSeek(seconds, null);
  }

  onMove(event) {
    if (this.drag && event.buttons) {
      const away = event.clientX - this.drag.x;
      if (Math.abs(away) > 4) this.drag.moved = true;
      if (this.drag.moved && !this.isWhole()) {
        const shift = (away / (this.width - this.gutter)) * (this.drag.to - this.drag.from);
        this.view(this.drag.from - shift, this.drag.to - shift);
        return this.hideTip();
      }
    }
    return this.showTip(event);
  }

  showTip(event) {
    const seconds = this.secondsAt(event);
    const lane = this.laneAt(event);
    const item = lane && this.itemAt(lane, seconds);
    const text = item ? item.title || item.text || item.reason || `${lane.name} ${span(item)}` : "";
    const line = h("span", {}, h("strong", {}, clock(seconds, true)), text && h("span", { class: "said" }, text));
    const at = item && lane.isMark ? item.start : this.rounded(seconds);
    if (this.tipAt !== at) {
      this.tipAt = at;
      clearTimeout(this.tipTimer);
      this.picture?.remove();
      this.picture = null;
      if (this.video.playable) {
        this.tipTimer = setTimeout(() => {
          this.picture = still(this.video, at, STILL_WIDTH);
          this.picture.loading = "eager";
          this.tip.prepend(this.picture);
        }, STILL_WAIT_MILLISECONDS);
      }
    }
    this.tip.lastElementChild?.matches("span:not(.still)") ? this.tip.lastElementChild.replaceWith(line) : this.tip.append(line);
    this.tip.hidden = false;
    const half = this.tip.offsetWidth / 2;
    const x = event.clientX - this.area.getBoundingClientRect().left;
    this.tip.style.setProperty("transform", `translateX(${Math.min(Math.max(x, half), this.width - half) - half}px)`);
  }

  /** Stills are asked for at round times, so that pointing near the same place finds them in the cache. */
  rounded(seconds) {
    const grain = Math.max((this.to - this.from) / 100, 0.2);
    return Math.round(seconds / grain) * grain;
  }

  hideTip() {
    clearTimeout(this.tipTimer);
    this.tipAt = null;
    this.tip.hidden = true;
  }

  close() {
    clearTimeout(this.tipTimer);
    this.sized.disconnect();
    this.theme.removeEventListener("change", this.redraw);
  }
}

/** Items are in order of start: those before the view are skipped, but for one that may reach into it. */
function* inView(items, { from, to }) {
  for (let index = Math.max(0, lastBefore(items, from)); index < items.length && items[index].start <= to; index++) yield items[index];
}

function paintChapters(lane, brush) {
  const { pen, colour, x, left, right } = brush;
  let number = 0;
  for (const chapter of lane.items) {
    number += 1;
    if (chapter.end < brush.from || chapter.start > brush.to) continue;
    const [start, end] = [Math.max(x(chapter.start), left), Math.min(x(chapter.end), right)];
    pen.fillStyle = colour(number % 2 ? "--chapter" : "--chapter-other");
    pen.fillRect(start, lane.top, Math.max(end - start - 1, 1), lane.height);
    if (end - start < 56) continue;
    pen.save();
    pen.beginPath();
    pen.rect(start, lane.top, end - start - 6, lane.height);
    pen.clip();
    pen.fillStyle = colour("--text");
    pen.fillText(chapter.title || clock(chapter.start), start + 5, lane.top + lane.height / 2 + 0.5);
    pen.restore();
  }
}

function paintShots(lane, brush) {
  const { pen, colour, x } = brush;
  const pixels = (brush.right - brush.left) / Math.max(1, lane.items.length * ((brush.to - brush.from) / (lane.items.at(-1).end || 1)));
  if (pixels < BIN_PIXELS) return paintDensity({ ...lane, items: lane.items.map(({ start }) => ({ start, end: start })), colour: "--shot" }, brush);
  pen.fillStyle = colour("--shot");
  for (const shot of inView(lane.items, brush)) pen.fillRect(x(shot.start), lane.top + 2, Math.max(x(shot.end) - x(shot.start) - 1.5, 1), lane.height - 4);
  return undefined;
}

/** A bar for every few pixels: as high as the share of its seconds that has rows. */
function paintDensity(lane, brush) {
  const { pen, colour, x, left, right } = brush;
  const bins = new Float32Array(Math.ceil((right - left) / BIN_PIXELS) + 1);
  for (const row of inView(lane.items, brush)) {
    const start = Math.max(x(row.start) - left, 0);
    const end = Math.max(Math.min(Math.max(x(row.end) - left, start + 1), right - left), 0);
    const last = Math.floor(end / BIN_PIXELS);
    for (let bin = Math.floor(start / BIN_PIXELS); bin <= last && bin < bins.length; bin++) {
      const overlap = Math.min(end, (bin + 1) * BIN_PIXELS) - Math.max(start, bin * BIN_PIXELS);
      bins[bin] += overlap / BIN_PIXELS;
    }
  }
  pen.fillStyle = colour(lane.colour);
  for (let bin = 0; bin < bins.length; bin++) {
    if (!bins[bin]) continue;
    const height = Math.max(2, Math.min(bins[bin], 1) * (lane.height - 4));
    pen.fillRect(left + bin * BIN_PIXELS, lane.top + lane.height - 2 - height, BIN_PIXELS, height);
  }
}

function paintMarks(lane, brush) {
  const { pen, colour, x } = brush;
  for (const item of lane.items) {
    const width = Math.max(x(item.end) - x(item.start), LEAST_MARK_PIXELS);
    // Hits may overlap: two are darker than one.
    pen.globalAlpha = item.number ? 1 : 0.5;
    pen.fillStyle = colour(lane.colour);
    pen.beginPath();
    pen.roundRect(x(item.start), lane.top + 1, width, lane.height - 2, 2);
    pen.fill();
    if (item.number && width > 14) {
      pen.fillStyle = colour("--on-mark");
      pen.fillText(String(item.number), x(item.start) + 4, lane.top + lane.height / 2 + 0.5);
    }
  }
}
