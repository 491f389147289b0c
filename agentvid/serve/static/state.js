// What several parts of the page know together: the videos, and the spans that the list beside the player points at.
import { get } from "./api.js";

export const shared = { library: {}, videos: new Map(), marks: { hits: [], evidence: [] } };
const listeners = new Set();

/** Counts and videos of the library, read again after something was indexed. */
export async function loadLibrary() {
  const [library, found] = await Promise.all([get("/api/library"), get("/api/videos")]);
  shared.library = library;
  shared.videos = new Map(found.videos.map((video) => [video.video_id, video]));
}

/** What is known of a video, also of one that is not there any more. */
export function videoOf(id, name = "") {
  return shared.videos.get(id) ?? { video_id: id, name: name || id, duration: 0, tracks: {}, playable: false, state: "gone" };
}

export function setMarks(marks) {
  shared.marks = { hits: [], evidence: [], ...marks };
  for (const listener of listeners) listener(shared.marks);
}

export const onMarks = (listener) => listeners.add(listener);
