/** Keys of the whole page. While somebody writes, or a dialog is open, they mean what they always mean. */
import { askLike, stepResult } from "./actions.js";
import { dropRecording, options } from "./ask.js";
import { byId, h, openDialog } from "./dom.js";
import { state, toggleSelected } from "./state.js";
import { S } from "./strings.js";
import { markCurrent, undo } from "./teach.js";
import { openExport } from "./tray.js";
import { closeOverlay, closeViewer, goIn, player, setIn, setOut, toggleMap } from "./viewer.js";

export function openHelp() {
  openDialog(
    S.help.title,
    S.help.close,
    h("dl", { class: "keys" }, ...S.help.rows.flatMap(([keys, what]) => [h("dt", {}, keys), h("dd", {}, what)])),
  );
}

/** @type {Record<string, () => void>} */
const always = {
  "/": () => byId("ask-choose").focus(),
  "?": openHelp,
  e: openExport,
  Escape: () => {
    if (dropRecording() || closeOverlay()) return;
    if (state.current !== null) closeViewer();
  },
  ArrowUp: () => stepResult(-1),
  ArrowDown: () => stepResult(1),
};

/** @type {Record<string, () => void>} */
const withMoment = {
  " ": () => player().toggle(),
  k: () => player().toggle(),
  j: () => player().slower(),
  l: () => player().faster(),
  ArrowLeft: () => player().stepFrame(-1),
  ArrowRight: () => player().stepFrame(1),
  "Shift+ArrowLeft": () => player().seek(player().seconds - 1),
  "Shift+ArrowRight": () => player().seek(player().seconds + 1),
  i: setIn,
  o: setOut,
  Home: goIn,
  Enter: toggleSelected,
  m: toggleMap,
  s: () => askLike(["sound"], options()),
  p: () => askLike(["picture"], options()),
  b: () => askLike([], options()),
  y: () => markCurrent(true),
  n: () => markCurrent(false),
  x: () => markCurrent(null),
  u: () => undo(),
};

export function listenForKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event)) return;
    const isShifted = event.shiftKey && event.key.startsWith("Arrow");
    const key = isShifted ? `Shift+${event.key}` : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = always[key] ?? (state.current === null ? undefined : withMoment[key]);
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}

/** Whether a key belongs to what has the focus. @param {KeyboardEvent} event */
function isWriting(event) {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (document.querySelector("dialog[open]") !== null) return true;
  if (target instanceof HTMLInputElement) return target.type !== "checkbox" || event.key === " ";
  if (target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement) return true;
  const isPressed = event.key === " " || event.key === "Enter";
  // On the moment that is in the player already, they play it and select it.
  if (target.matches('.open[aria-current="true"]')) return false;
  return isPressed && target.closest("button, a, summary, label") !== null;
}
