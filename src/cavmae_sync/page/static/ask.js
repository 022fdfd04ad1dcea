/** The question: a file, a picture that is pasted, the microphone, words, a class; and options. */
import { api } from "./api.js";
import { ask, askAgain, onError } from "./actions.js";
import { byId, h } from "./dom.js";
import { openLibrary } from "./library.js";
import { Recorder } from "./recorder.js";
import { on, state } from "./state.js";
import { S } from "./strings.js";

/** @import * as T from "./types.js" */

const PICTURE = /^image\//;
const SOUND = /^audio\//;

/** @type {Recorder} */
let recorder;
/** @type {() => T.Options} */
let readOptions = () => ({});

/** Options as they are set. @returns {T.Options} */
export const options = () => readOptions();

/** Stop and forget a recording. Returns whether there was one. */
export function dropRecording() {
  if (!recorder.isRunning) return false;
  recorder.drop();
  return true;
}

export function makeAsk() {
  const root = byId("ask");
  const kind = select("ask-kind", S.ask.kind, [["", S.ask.kindVideo], ["sound", S.ask.kindSound], ["picture", S.ask.kindPicture]]);
  const file = h("input", {
    type: "file",
    id: "ask-file",
    class: "unseen",
    tabIndex: -1,
    "aria-hidden": "true",
    accept: "audio/*,video/*,image/*,.npz,.parquet,.mkv,.mxf",
    onchange: () => file.files?.[0] && askFile(file.files[0], kind.input.value),
  });
  const choose = h("button", { type: "button", id: "ask-choose", class: "main", onclick: () => file.click() }, S.ask.choose);
  const record = h("button", { type: "button", id: "ask-record", onclick: toggleRecording }, S.ask.record);
  const browse = h("button", { type: "button", id: "ask-browse", onclick: () => openLibrary("files") }, S.ask.browse);
  const drop = h(
    "div",
    { class: "drop", id: "drop" },
    h("p", { class: "drop-text" }, S.ask.drop),
    h("div", { class: "row" }, choose, record, browse, file),
    h("div", { class: "row" }, kind.label),
    h("p", { class: "said", id: "ask-said", role: "alert" }),
  );
  const words = h("div", { id: "ask-words" });
  root.setAttribute("aria-label", S.ask.label);
  root.replaceChildren(drop, words, makeOptions());
  recorder = new Recorder(
    (seconds) => {
      record.textContent = `${S.ask.stop} (${S.ask.recording(seconds)})`;
    },
    (sound, isFull) => {
      record.textContent = S.ask.record;
      record.setAttribute("aria-pressed", "false");
      if (sound === null) return;
      if (isFull) byId("ask-said").textContent = S.ask.tooLong;
      ask((how) => api.byFile("sound", sound, S.ask.record, how), options());
    },
  );
  onError((message) => {
    byId("ask-said").textContent = message;
  });
  listenForDrops(drop, () => kind.input.value);
  const waiting = h("p", { class: "note", role: "status" });
  drop.append(waiting);
  on("busy", () => {
    root.classList.toggle("busy", state.isBusy);
    waiting.textContent = state.isBusy ? S.ask.searching : "";
  });
  on("status", () => fillFromStatus(words, [choose, record]));
}

/** @param {File} file @param {string} wanted */
function askFile(file, wanted) {
  const kind = kindOf(file, wanted);
  ask((how) => api.byFile(kind, file, file.name, how), options());
}

/** @param {File} file @param {string} wanted @returns {T.Kind} */
function kindOf(file, wanted) {
  if (/\.(npz|parquet)$/i.test(file.name)) return "vectors";
  if (PICTURE.test(file.type)) return "picture";
  if (SOUND.test(file.type) || wanted === "sound") return "sound";
  return "video";
}

async function toggleRecording() {
  const button = byId("ask-record");
  if (recorder.isStarting) return;
  if (recorder.isRunning) {
    recorder.stop();
    return;
  }
  if (!window.isSecureContext) {
    byId("ask-said").textContent = S.ask.insecure;
    return;
  }
  try {
    await recorder.start();
    button.textContent = S.ask.stop;
    button.setAttribute("aria-pressed", "true");
  } catch {
    byId("ask-said").textContent = S.ask.noMicrophone;
  }
}

/** @param {HTMLElement} drop @param {() => string} wanted */
function listenForDrops(drop, wanted) {
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) askFile(file, wanted());
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (!file) return;
    event.preventDefault();
    askFile(file, wanted());
  });
}

/** @param {HTMLElement} words @param {HTMLButtonElement[]} media */
function fillFromStatus(words, media) {
  const status = state.status;
  if (status === null || words.dataset["filled"] === `${status.has_words} ${status.classes}`) return;
  words.dataset["filled"] = `${status.has_words} ${status.classes}`;
  for (const button of media) button.disabled = !status.takes_media;
  const parts = [];
  if (!status.takes_media) parts.push(h("p", { class: "note" }, S.ask.noMedia));
  if (status.has_words) {
    const text = h("input", { type: "search", id: "ask-text", maxLength: 2000, "aria-label": S.ask.words, placeholder: S.ask.words });
    const go = () => text.value.trim() && ask((how) => api.byText(text.value, how), options());
    text.addEventListener("keydown", (event) => event.key === "Enter" && go());
    parts.push(h("div", { class: "row" }, text, h("button", { type: "button", onclick: go }, S.ask.wordsButton)));
  }
  if (status.classes.length > 0) {
    const pick = select("ask-class", S.ask.classes, [["", S.ask.pickClass], ...status.classes.map((name) => /** @type {[string, string]} */ ([name, name]))]);
    pick.input.addEventListener("change", () => pick.input.value && ask((how) => api.byClass(pick.input.value, how), options()));
    parts.push(h("div", { class: "row" }, pick.label));
  }
  words.replaceChildren(...parts);
}

/** Options below the question; a change asks again. */
function makeOptions() {
  const by = select("ask-by", S.ask.by, [["", S.ask.byAsked], ["sound", S.ask.bySound], ["picture", S.ask.byPicture], ["both", S.ask.byBoth]]);
  const root = select("ask-root", S.ask.roots, [["", S.ask.anyRoot]]);
  const folder = field("ask-folder", S.ask.folder, "text");
  const has = select("ask-has", S.ask.has, [["", S.ask.hasAny], ["sound", S.ask.hasSound], ["picture", S.ask.hasPicture], ["both", S.ask.hasBoth]]);
  const after = field("ask-after", S.ask.after, "date");
  const before = field("ask-before", S.ask.before, "date");
  const shown = h("output", { for: "ask-cutoff" }, "95 %");
  const cutoff = h("input", { type: "range", id: "ask-cutoff", min: "50", max: "99.9", step: "0.1", value: "95" });
  cutoff.addEventListener("input", () => {
    shown.textContent = `${Number(cutoff.value)} %`;
  });
  readOptions = () => ({
    by: /** @type {T.By | null} */ (by.input.value || null),
    top: 20,
    cutoff: Number(cutoff.value) / 100,
    root: root.input.value ? [root.input.value] : [],
    folder: folder.input.value,
    has: has.input.value === "both" ? ["sound", "picture"] : has.input.value ? [/** @type {"sound"} */ (has.input.value)] : [],
    after: after.input.value || null,
    before: before.input.value || null,
  });
  for (const input of [by.input, root.input, folder.input, has.input, after.input, before.input, cutoff])
    input.addEventListener("change", () => askAgain(options()));
  on("status", () => fillRoots(root.input));
  return h(
    "details",
    { class: "filters" },
    h("summary", {}, S.ask.filters),
    h(
      "div",
      { class: "fields" },
      by.label, root.label, folder.label, has.label, after.label, before.label,
      h("label", { class: "field", for: "ask-cutoff" }, h("span", {}, S.ask.cutoff), cutoff, shown),
    ),
  );
}

/** @param {HTMLSelectElement} root */
function fillRoots(root) {
  const names = (state.status?.roots ?? []).map((each) => each.name);
  if ([...root.options].slice(1).map((each) => each.value).join("\n") === names.join("\n")) return;
  const chosen = root.value;
  root.replaceChildren(h("option", { value: "" }, S.ask.anyRoot), ...names.map((name) => h("option", { value: name }, name)));
  root.value = names.includes(chosen) ? chosen : "";
}

/** @param {string} id @param {string} label @param {[string, string][]} choices */
export function select(id, label, choices) {
  const input = h("select", { id }, ...choices.map(([value, text]) => h("option", { value }, text)));
  return { input, label: h("label", { class: "field", for: id }, h("span", {}, label), input) };
}

/** @param {string} id @param {string} label @param {string} type */
export function field(id, label, type) {
  const input = h("input", { id, type });
  return { input, label: h("label", { class: "field", for: id }, h("span", {}, label), input) };
}
