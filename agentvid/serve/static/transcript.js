// What was said, shown or read, beside the player: follows playback, can be searched, and holds any number of rows.
// Rows live in blocks; a block has its row elements only while it is near what can be seen, and keeps its height else.
import { fill, h } from "./dom.js";
import { lastBefore } from "./rows.js";
import { clock } from "./times.js";

const BLOCK = 40;
/** A row's height is guessed by its letters until it is there. */
const LINE_PIXELS = 22.5;
const PADDING_PIXELS = 12;
const LETTER_PIXELS = 7.3;
const TIME_PIXELS = 90;
const FEW_PIXELS = 24;
const AN_HOUR = 3600;
const NEAR = "600px 0px";
const SPOKEN_FIRST = ["speech", "caption", "ocr"];
/** Times are compared with the half a frame that a player may stand before the second that it was sent to. */
const TOLERANCE_SECONDS = 0.02;

export class Transcript {
  constructor(root, { onSeek }) {
    this.root = root;
    this.onSeek = onSeek;
    this.rows = [];
    this.shown = [];
    this.query = "";
    this.current = -1;
    this.isFollowing = true;
    this.build();
  }

  build() {
    this.select = h("select", { "aria-label": "Track", on: { change: () => this.show() } });
    this.search = h("input", { type: "search", id: "transcript-search", placeholder: "Find in transcript", "aria-label": "Find in transcript", autocomplete: "off",
      on: { input: () => this.show(), keydown: (event) => this.onSearchKey(event) } });
    this.told = h("p", { class: "muted told", role: "status" });
    this.back = h("button", { type: "button", class: "follow", hidden: true, on: { click: () => this.follow() } }, "Follow playback");
    this.list = h("div", { class: "blocks", role: "list", "aria-label": "Transcript", tabindex: 0 });
    for (const event of ["wheel", "touchmove", "pointerdown"]) {
      this.list.addEventListener(event, () => this.unfollow(), { passive: true });
    }
    this.list.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("keydown", (event) => {
      if (["PageUp", "PageDown", "Home", "End", "ArrowUp", "ArrowDown"].includes(event.key)) this.unfollow();
    });
    this.seen = new IntersectionObserver((entries) => entries.forEach((entry) => this.onNear(entry)), { root: this.list, rootMargin: NEAR });
    fill(this.root, h("div", { class: "bar" }, this.select, this.search), this.told, this.list, this.back);
  }

  /** New rows came: keeps the track that was chosen. */
  update(rows) {
    this.rows = rows.all;
    const tracks = rows.tracks();
    const before = this.select.value;
    const names = [...tracks.keys()].sort();
    fill(this.select, names.map((name) => h("option", { value: name }, name)),
      names.length > 1 && h("option", { value: "" }, "all tracks"));
    const first = SPOKEN_FIRST.find((name) => tracks.has(name)) ?? names[0] ?? "";
    this.select.value = this.hasTracks ? before : first;
    this.hasTracks = names.length > 0;
    this.failure = rows.failure;
    this.isWhole = rows.isWhole;
    this.show();
  }

  show() {
    const track = this.select.value;
    this.query = this.search.value.trim();
    const wanted = this.query.toLowerCase();
    this.shown = this.rows.filter((row) => (!track || row.track === track) && (!wanted || row.text.toLowerCase().includes(wanted)));
    this.current = -1;
    this.seen.disconnect();
    const blocks = [];
    for (let first = 0; first < this.shown.length; first += BLOCK) {
      const block = h("div", { class: "block", role: "presentation", data: { first } });
      block.style.setProperty("height", `${this.guess(first)}px`);
      blocks.push(block);
    }
    const top = this.list.scrollTop;
    fill(this.list, blocks);
    this.list.classList.toggle("hours", this.shown.length > 0 && this.shown.at(-1).start >= AN_HOUR);
    if (!this.isFollowing) this.list.scrollTop = top;
    for (const block of blocks) this.seen.observe(block);
    this.told.textContent = this.status(wanted);
    this.move(this.at ?? 0);
  }

  /** How high the block of rows from `first` on will be. */
  guess(first) {
    const letters = Math.max(10, (this.list.clientWidth - TIME_PIXELS) / LETTER_PIXELS);
    const rows = this.shown.slice(first, first + BLOCK);
    return rows.reduce((height, row) => height + PADDING_PIXELS + LINE_PIXELS * Math.max(1, Math.ceil(row.text.length / letters)), 0);
  }

  status(wanted) {
    if (this.failure) return this.failure.message;
    if (wanted) return this.shown.length ? `${this.shown.length} rows with these letters` : "No row has these letters.";
    if (!this.isWhole) return `Reading, ${this.rows.length} rows so far`;
    return this.rows.length ? `${this.shown.length} rows` : "Nothing was read from this video.";
  }

  onNear(entry) {
    const block = entry.target;
    if (entry.isIntersecting) {
      this.fillBlock(block);
      // Blocks that got their true heights must not push away what is followed.
      if (this.isFollowing && Number(block.dataset.first) <= this.current) this.settle();
    }
    else if (block.childElementCount && !block.contains(document.activeElement)) {
      block.style.setProperty("height", `${block.offsetHeight}px`);
      block.replaceChildren();
    }
  }

  fillBlock(block) {
    if (block.childElementCount) return;
    const first = Number(block.dataset.first);
    const isMixed = !this.select.value;
    fill(block, this.shown.slice(first, first + BLOCK).map((row, index) =>
      h("div", { role: "listitem", class: first + index === this.current ? "row now" : "row", data: { index: first + index } },
        h("button", { type: "button", "aria-label": `Play at ${clock(row.start)}` }, clock(row.start)),
        h("span", { class: "text" }, isMixed && h("span", { class: "chip", data: { track: row.track } }, row.track),
          this.query ? markedLetters(row.text, this.query) : row.text))));
    block.style.removeProperty("height");
  }

  rowElement(index) {
    const block = this.list.children[Math.floor(index / BLOCK)];
    if (!block) return null;
    this.fillBlock(block);
    return block.children[index % BLOCK] ?? null;
  }

  onClick(event) {
    const row = event.target.closest(".row");
    if (!row || String(window.getSelection())) return;
    const { start, end } = this.shown[Number(row.dataset.index)];
    this.isFollowing = true;
    this.back.hidden = true;
    this.onSeek(start, end);
  }

  onSearchKey(event) {
    if (event.key === "Enter" && this.shown.length) {
      event.preventDefault();
      const next = this.shown.find((row) => row.start > (this.at ?? 0) + TOLERANCE_SECONDS) ?? this.shown[0];
      this.onSeek(next.start, next.end);
    }
  }

  /** Playback stands at `seconds`. */
  move(seconds) {
    this.at = seconds;
    const found = lastBefore(this.shown, seconds + TOLERANCE_SECONDS);
    if (found === this.current) return;
    const before = this.current;
    this.current = found;
    this.list.querySelector(".row.now")?.classList.remove("now");
    if (found < 0) return;
    const isNear = this.list.querySelector(`[data-index="${found}"]`);
    if (!this.isFollowing && !isNear) return;
    const row = this.rowElement(found);
    row?.classList.add("now");
    if (this.isFollowing && row) this.reveal(row, Math.abs(found - before) < BLOCK && before >= 0);
  }

  /** Scrolls the list, and never the page around it. */
  reveal(row, isSmooth) {
    const away = row.getBoundingClientRect().top - this.list.getBoundingClientRect().top;
    const top = this.list.scrollTop + away - this.list.clientHeight / 3;
    const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.list.scrollTo({ top, behavior: isSmooth && !isStill ? "smooth" : "instant" });
    this.isSmooth = isSmooth;
  }

  settle() {
    cancelAnimationFrame(this.settling);
    this.settling = requestAnimationFrame(() => {
      const row = this.list.querySelector(".row.now");
      if (!row || !this.isFollowing || this.isSmooth) return;
      const away = row.getBoundingClientRect().top - this.list.getBoundingClientRect().top - this.list.clientHeight / 3;
      if (Math.abs(away) > FEW_PIXELS) this.list.scrollTop += away;
    });
  }

  unfollow() {
    if (!this.isFollowing || this.list.scrollHeight <= this.list.clientHeight) return;
    this.isFollowing = false;
    this.back.hidden = false;
  }

  follow() {
    this.isFollowing = true;
    this.back.hidden = true;
    this.current = -1;
    this.move(this.at ?? 0);
  }

  close() {
    this.seen.disconnect();
  }
}

function markedLetters(text, query) {
  const parts = [];
  const lower = text.toLowerCase();
  const wanted = query.toLowerCase();
  // Where lowering changes lengths the places would be wrong; such a text is shown as it is.
  if (lower.length !== text.length) return text;
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), h("mark", {}, text.slice(at, at + wanted.length)));
    from = at + wanted.length;
  }
  return [...parts, text.slice(from)];
}
