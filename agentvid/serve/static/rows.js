// The rows of a video's tracks, read page by page while they are already shown: ten hours of speech are 20,000 rows.
import { get, videoPath } from "./api.js";

/** The first page is small, so that something is there at once. */
const FIRST_PAGE = 500;
const PAGE = 5000;

export class Rows {
  /** Rows `{id, start, end, track, text, confidence}` in order of time; `onChange` is called after every page. */
  constructor(videoId, onChange) {
    this.all = [];
    this.isWhole = false;
    this.failure = null;
    this.videoId = videoId;
    this.onChange = onChange;
  }

  async load(signal) {
    let cursor = null;
    try {
      do {
        const page = await get(`${videoPath(this.videoId)}/observations`, { limit: cursor ? PAGE : FIRST_PAGE, cursor }, signal);
        this.all.push(...page.rows);
        cursor = page.next;
        if (cursor) this.onChange(this);
      } while (cursor);
      this.all.sort((one, other) => one.start - other.start || one.id - other.id);
      this.isWhole = true;
    } catch (failure) {
      if (failure.name === "AbortError") return;
      this.failure = failure;
    }
    this.onChange(this);
  }

  /** The tracks there are, with the number of rows of each. */
  tracks() {
    const counts = new Map();
    for (const row of this.all) counts.set(row.track, (counts.get(row.track) ?? 0) + 1);
    return counts;
  }
}

/** The number of the last item that starts at or before `seconds`; -1 if none does. Items are in order of start. */
export function lastBefore(items, seconds) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].start <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
