// Times are seconds on the video's own clock; spans are half-open: their end does not belong to them.

/** "0:08", "1:02:03"; with `tenths` "0:08.5". */
export function clock(seconds, tenths = false) {
  const scale = tenths ? 10 : 1;
  const whole = Math.floor(Math.max(0, seconds) * scale + 1e-6);
  const total = Math.floor(whole / scale);
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const text = hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
  return tenths ? `${text}.${whole % 10}` : text;
}

export const span = (part) => `${clock(part.start)}–${clock(part.end)}`;

/** "1 h 40 min", "12 min", "36 s": how long something is. */
export function length(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes / 60} h`;
}

/** Seconds of "83.5", "1:23.5" or "1:02:03"; null for "" and NaN for anything else. */
export function parseTime(text) {
  const clean = text.trim();
  if (!clean) return null;
  if (!/^\d+(:\d{1,2}){0,2}(\.\d+)?$/.test(clean)) return NaN;
  return clean.split(":").reduce((total, part) => total * 60 + Number(part), 0);
}

/** `{start, end}` of the fragment "#t=12.3,15" (Media Fragments); null where there is none. */
export function parseFragment(hash) {
  const match = /^#t=(?:npt:)?([\d.:]*)(?:,([\d.:]+))?$/.exec(hash);
  if (!match) return null;
  const start = parseTime(match[1] || "0");
  const end = match[2] ? parseTime(match[2]) : null;
  if (Number.isNaN(start) || Number.isNaN(end)) return null;
  return { start, end: end !== null && end > start ? end : null };
}

const shortest = (seconds) => String(Number(seconds.toFixed(3)));

export const fragment = (start, end) => (end ? `#t=${shortest(start)},${shortest(end)}` : `#t=${shortest(start)}`);
