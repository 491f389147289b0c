// Keyboard shortcuts and the dialog that lists them.
import { byId, fill, h } from "./dom.js";
import { focusTranscript, player, steps } from "./watch.js";

const HELP = [
  ["/", "search"], ["a", "ask"], ["j k", "next and previous in the list"], ["Enter", "open it"],
  ["Space", "play or pause"], ["← →", "5 seconds back or on"], [", .", "a frame back or on"], ["l", "repeat the span"],
  ["t", "find in the transcript"], ["+ - 0", "zoom the timeline, show all"], ["Esc", "leave a field, close the player"], ["?", "this help"],
];

export function startKeys({ focusQuery, say }) {
  const dialog = byId("help");
  fill(dialog, h("h2", { id: "help-title" }, "Keyboard shortcuts"),
    h("dl", {}, HELP.map(([keys, what]) => h("div", {}, h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, what)))),
    h("form", { method: "dialog" }, h("button", { class: "go" }, "Close")));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  byId("help-button").addEventListener("click", () => dialog.showModal());
  const keys = {
    "/": () => focusQuery("search"), a: () => focusQuery("ask"), "?": () => dialog.showModal(),
    j: () => focusCard(1), k: () => focusCard(-1), Enter: openCard,
    " ": () => player()?.toggle(), ArrowLeft: steps.back, ArrowRight: steps.forward, ",": steps.frameBack, ".": steps.frameForward,
    l: () => player()?.video && say(player().loop()), t: focusTranscript,
    "+": () => player()?.timeline?.zoom(1.6), "-": () => player()?.timeline?.zoom(1 / 1.6),
    0: () => player()?.timeline?.view(0, player().video.duration),
    Escape: leave,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || dialog.open) return;
    const target = event.target;
    if (event.key !== "Escape" && isTyping(target)) return;
    // What has the focus keeps the keys that it knows itself; a link knows no space.
    if (event.key === " " && target.closest("button, summary, video, input")) return;
    if (event.key === "Enter" && target.closest("button, summary, video, input, a")) return;
    if (event.key.startsWith("Arrow") && target.closest("video, [role=list]")) return;
    const act = keys[event.key];
    if (!act) return;
    if (act(event) !== false) event.preventDefault();
  });
}

const isTyping = (target) => target.closest("input:not([type=radio], [type=checkbox]), textarea, select") !== null;

function focusCard(step) {
  const cards = [...byId("list").querySelectorAll("li.card")].filter((card) => card.offsetParent !== null);
  if (!cards.length) return false;
  const now = cards.indexOf(document.activeElement?.closest("li.card"));
  const next = cards[now < 0 ? (step > 0 ? 0 : cards.length - 1) : Math.min(Math.max(now + step, 0), cards.length - 1)];
  next.querySelector("a.cover").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function openCard() {
  const link = document.activeElement?.closest("li.card")?.querySelector("a.cover");
  if (!link) return false;
  link.click();
  return true;
}

function leave() {
  const open = document.querySelector("details.exports[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  } else if (isTyping(document.activeElement)) document.activeElement.blur();
  else byId("close-player")?.click();
}
