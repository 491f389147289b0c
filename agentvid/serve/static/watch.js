// The player with its timeline and transcript, for one video.
import { Failure, failureOf, get, GONE, mediaPath, videoPath } from "./api.js";
import { problem } from "./cards.js";
import { byId, fill, h, icon } from "./dom.js";
import { exportMenu } from "./exports.js";
import { go, listQuery, videoUrl } from "./route.js";
import { Rows } from "./rows.js";
import { onMarks, shared } from "./state.js";
import { Timeline } from "./timeline.js";
import { clock, length } from "./times.js";
import { Transcript } from "./transcript.js";

const STEP_SECONDS = 5;
const FRAME_SECONDS = 1 / 25;
const LOOK_MILLISECONDS = 1000;
const CAPTIONED = ["speech", "caption"];
let current = null;
onMarks((marks) => current?.timeline?.setMarks(marks));

export const player = () => current;

/** Show a video in `root` at the span `at`; keeps the player if it is the one that is there. */
export async function showVideo(root, id, at) {
  if (current?.id === id) return current.seek(at?.start ?? 0, at?.end ?? null, at !== null);
  closeVideo();
  const watch = new Watch(root, id);
  current = watch;
  await watch.open();
  if (current === watch && watch.video) watch.seek(at?.start ?? 0, at?.end ?? null, true);
  return undefined;
}

export function closeVideo() {
  current?.close();
  current = null;
}

class Watch {
  constructor(root, id) {
    this.root = root;
    this.id = id;
    this.stopped = new AbortController();
    this.at = 0;
    this.span = null;
  }

  async open() {
    fill(this.root, h("p", { class: "muted" }, "Opening the video…"));
    try {
      this.video = await get(videoPath(this.id), {}, this.stopped.signal);
    } catch (failure) {
      if (failure.name === "AbortError") return;
      const told = failure.status === 404 ? new Failure("This video is not in the library.", "It may have been removed.") : failure;
      fill(this.root, h("div", { class: "watch-main" }, h("div", { class: "watch-head" }, h("h1", {}, this.id), h("span", { class: "muted" }), this.closeLink()), problem(told)));
      return;
    }
    this.build();
    const rows = new Rows(this.id, (loaded) => {
      this.transcript.update(loaded);
      this.timeline.setRows(loaded);
    });
    rows.load(this.stopped.signal);
  }

  closeLink() {
    const query = listQuery();
    return h("a", { class: "quiet square", href: query ? `/?${query}` : "/", "aria-label": "Close the player", title: "Close the player (Esc)", id: "close-player" }, icon("close"));
  }

  build() {
    const { video } = this;
    this.stage = h("div", { class: "stage" }, this.screen());
    const lanes = h("div", { class: "timeline" });
    const transcript = h("section", { class: "transcript", "aria-label": "Transcript" });
    fill(this.root,
      h("div", { class: "watch-main" },
        h("div", { class: "watch-head" },
          h("h1", {}, video.name),
          h("span", { class: "muted" }, length(video.duration)), exportMenu({ video }), this.closeLink()),
        this.stage, this.spanBar(), lanes, this.chapters()),
      transcript);
    const onSeek = (start, end) => go(videoUrl(this.id, start, end), { replace: true });
    this.timeline = new Timeline(lanes, this.zoomTools, video, { onSeek });
    this.timeline.setMarks(shared.marks);
    this.transcript = new Transcript(transcript, { onSeek });
    document.title = `${video.name} - agentvid`;
  }

  screen() {
    const { video } = this;
    if (!video.playable) {
      this.element = null;
      return h("p", { class: "no-screen" }, video.state === "missing"
        ? "The file is not where it was, so there is nothing to play. What was read from it is here."
        : "There is no file to play: this video was imported as text. What was read from it is here.");
    }
    const tracks = CAPTIONED.filter((track) => video.tracks?.[track]).map((track) =>
      h("track", { kind: "subtitles", label: track, srclang: "und", src: `${mediaPath(this.id)}/${track}.vtt` }));
    const element = h("video", { controls: true, preload: "metadata", playsinline: true, "aria-label": video.name, src: mediaPath(this.id) }, tracks);
    this.element = element;
    element.addEventListener("timeupdate", () => this.onTime());
    element.addEventListener("seeked", () => this.onTime());
    element.addEventListener("play", () => this.onPlay());
    element.addEventListener("error", () => this.onError());
    element.addEventListener("loadedmetadata", () => { for (const told of this.stage.querySelectorAll(".problem, .converting")) told.remove(); });
    this.waitForCopy();
    return element;
  }

  copyState() {
    return get(`${mediaPath(this.id)}/copy`, {}, this.stopped.signal);
  }

  /** Tells how far the copy is that browsers play, where one has to be made; when it is there, the player takes it. */
  async waitForCopy(isMade = false) {
    const mine = {};
    this.waiting = mine;
    const bar = h("progress", { max: 1, "aria-label": "Converting" });
    const text = h("span", {});
    const told = h("p", { class: "converting", role: "status" }, text, bar);
    let wasMade = isMade;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
      if (this.waiting !== mine || this.stopped.signal.aborted || this.element.readyState >= HTMLMediaElement.HAVE_METADATA) return told.remove();
      let state;
      try {
        state = await this.copyState();
      } catch {
        return told.remove();  // onError says what is wrong
      }
      if (state.is_being_made) {
        wasMade = true;
        bar.value = state.progress;
        text.textContent = `Converting for the browser, ${Math.floor(100 * state.progress)} %`;
        if (!told.isConnected) this.stage.append(told);
      } else if (wasMade) {
        told.remove();
        return this.element.error && this.reload();
      } else if (this.element.error) return undefined;
    }
  }

  spanBar() {
    this.spanText = h("strong", {}, clock(0, true));
    this.atEnd = h("select", { id: "at-end", "aria-label": "At the end of the span" },
      h("option", { value: "on" }, "play on"), h("option", { value: "pause" }, "pause"), h("option", { value: "loop" }, "loop"));
    this.again = h("button", { type: "button", class: "quiet", hidden: true, on: { click: () => this.seek(this.span.start, this.span.end, true) } }, "From its start");
    this.clip = h("a", { class: "quiet", download: true, hidden: true }, "Save clip");
    this.endField = h("label", { class: "at-end", hidden: true }, h("span", {}, "at its end"), this.atEnd);
    this.zoomTools = h("div", { class: "zoom" });
    return h("div", { class: "span-bar" }, this.spanText, this.endField, this.again, this.clip, this.zoomTools);
  }

  chapters() {
    const { chapters } = this.video;
    if (!chapters?.length) return null;
    return h("details", { class: "chapters" }, h("summary", {}, `Chapters (${chapters.length})`),
      h("ol", {}, chapters.map((chapter) => h("li", {},
        h("button", { type: "button", class: "link", on: { click: () => go(videoUrl(this.id, chapter.start, chapter.end), { replace: true }) } }, clock(chapter.start)),
        h("span", {}, chapter.title || "…")))));
  }

  /** Stand at `start`, exactly; `end` closes the span. `isAsked` is false when the address names no time. */
  seek(start, end, isAsked) {
    if (!isAsked || !this.video) return;
    const seconds = Math.min(Math.max(start, 0), this.video.duration);
    this.span = end ? { start: seconds, end } : null;
    this.isArmed = this.span !== null;
    this.showSpan(seconds);
    this.transcript.isFollowing = true;
    this.transcript.back.hidden = true;
    this.timeline.reveal(seconds);
    this.show(seconds);
    if (!this.element) return;
    if (this.element.readyState >= HTMLMediaElement.HAVE_METADATA) this.element.currentTime = seconds;
    else this.element.addEventListener("loadedmetadata", () => { this.element.currentTime = seconds; }, { once: true });
  }

  showSpan(seconds) {
    const { span } = this;
    this.spanText.textContent = span ? `${clock(span.start, true)}–${clock(span.end, true)}` : clock(seconds, true);
    this.endField.hidden = !span || !this.element;
    this.again.hidden = !span || !this.element;
    this.clip.hidden = !span || !this.element;
    if (span) this.clip.href = `${mediaPath(this.id)}/clip.mp4?start=${span.start}&end=${span.end}`;
  }

  show(seconds) {
    this.at = seconds;
    this.timeline.move(seconds);
    this.transcript.move(seconds);
    if (!this.span) this.spanText.textContent = clock(seconds, true);
  }

  onTime() {
    const seconds = this.element.currentTime;
    const { span } = this;
    if (span && (seconds < span.start - 0.5 || seconds > span.end + 0.5)) this.isArmed = false;
    this.show(seconds);
  }

  /** While it plays the end of the span is watched every frame: `timeupdate` comes four times a second only. */
  onPlay() {
    const watchEnd = () => {
      if (this.element.paused || this.stopped.signal.aborted) return;
      if (this.isArmed && this.element.currentTime >= this.span.end) this.onEnd();
      requestAnimationFrame(watchEnd);
    };
    requestAnimationFrame(watchEnd);
  }

  onEnd() {
    if (this.atEnd.value === "loop") this.element.currentTime = this.span.start;
    else {
      this.isArmed = false;
      if (this.atEnd.value === "pause") this.element.pause();
    }
  }

  async onError() {
    // It gave up waiting for the copy: waitForCopy takes it from here.
    if ((await this.copyState().catch(() => null))?.is_being_made) return void this.waitForCopy(true);
    let failure = new Failure("The browser cannot play this video.", "Search and transcript still work.");
    try {
      const response = await fetch(mediaPath(this.id), { headers: { Range: "bytes=0-0" } });
      if (response.ok) await response.body?.cancel();
      else failure = await failureOf(response);
    } catch {
      failure = new Failure(...GONE);
    }
    if (this.stopped.signal.aborted) return;
    this.stage.querySelector(".problem")?.remove();
    this.stage.append(problem(failure, () => this.reload()));
  }

  reload() {
    if (this.stopped.signal.aborted) return;
    this.stage.querySelector(".problem")?.remove();
    this.element.load();
    this.waitForCopy();
    this.seek(this.span?.start ?? this.at, this.span?.end ?? null, true);
  }

  toggle() {
    if (!this.element) return;
    if (this.element.paused) this.element.play().catch(() => {});
    else this.element.pause();
  }

  step(seconds) {
    const there = Math.min(Math.max(this.at + seconds, 0), this.video.duration);
    if (this.element) this.element.currentTime = there;
    else this.show(there);
  }

  loop() {
    if (!this.span) return "Choose a span first: a hit, a citation or a chapter.";
    this.atEnd.value = this.atEnd.value === "loop" ? "on" : "loop";
    this.isArmed = true;
    return this.atEnd.value === "loop" ? "The span repeats." : "The span plays on.";
  }

  close() {
    this.stopped.abort();
    this.element?.pause();
    this.element?.removeAttribute("src");
    this.element?.load();
    this.timeline?.close();
    this.transcript?.close();
    document.title = "agentvid";
    fill(this.root);
  }
}

export const steps = {
  back: () => current?.video && current.step(-STEP_SECONDS),
  forward: () => current?.video && current.step(STEP_SECONDS),
  frameBack: () => current?.video && current.step(-FRAME_SECONDS),
  frameForward: () => current?.video && current.step(FRAME_SECONDS),
};
export const focusTranscript = () => byId("transcript-search")?.focus();
