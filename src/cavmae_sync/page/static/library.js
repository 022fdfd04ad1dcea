/** The library: what is in it, what failed, what is offline; adding folders; files by name. */
import { api } from "./api.js";
import { tried } from "./actions.js";
import { field } from "./ask.js";
import { h, openDialog } from "./dom.js";
import { changed, on, show, state } from "./state.js";
import { S } from "./strings.js";
import { clock } from "./timecode.js";

/** @import * as T from "./types.js" */

const LOOK_EVERY_MS = 2000;
const LOOK_SELDOM_MS = 15_000;
/** Seconds of a file that stand in the player when it is opened without a moment. */
const FIRST_SECONDS = 4;

/** Ask for the state of the library, again and again. */
export async function followStatus() {
  const status = await api.status().catch(() => null);
  if (status !== null && JSON.stringify(status) !== JSON.stringify(state.status)) {
    state.status = status;
    changed("status");
  }
  setTimeout(followStatus, status?.indexing.is_running || status?.num_pending ? LOOK_EVERY_MS : LOOK_SELDOM_MS);
}

/** The line about the library at the top. @param {HTMLElement} root */
export function makeStatusLine(root) {
  const tell = () => {
    const status = state.status;
    if (status === null) return;
    const texts = [
      S.library.counts(status.num_files, status.clip_seconds / 3600),
      status.indexing.is_running ? S.library.adding : "",
      status.num_pending > 0 ? S.library.waiting(status.num_pending) : "",
      status.num_failed > 0 ? S.library.failed(status.num_failed) : "",
      status.num_offline > 0 ? S.library.offline(status.num_offline) : "",
    ];
    root.textContent = texts.filter(Boolean).join(" · ");
  };
  on("status", tell);
}

export const openAdding = () => openLibrary("add");

/** @param {"add" | "files" | "state"} first What to go to. */
export function openLibrary(first) {
  const path = field("add-path", S.library.addPath, "text");
  const said = h("p", { class: "said", role: "alert" });
  const progress = h("p", { class: "note", role: "status" });
  const add = async () => {
    said.textContent = "";
    if (path.input.value.trim() === "") {
      path.input.focus();
      return;
    }
    try {
      await api.addFolder(path.input.value.trim());
      progress.textContent = S.library.adding;
      void followOnce();
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  path.input.addEventListener("keydown", (event) => event.key === "Enter" && add());
  const files = fileList();
  const facts = h("div", {});
  const tell = stateParts(facts, said, progress);
  let numFiles = state.status?.num_files;
  const forget = on("status", () => {
    tell();
    if (state.status?.num_files !== numFiles) files.refresh();
    numFiles = state.status?.num_files;
  });
  tell();
  const dialog = openDialog(
    S.library.title,
    S.library.close,
    facts,
    h("section", {}, h("h3", {}, S.library.add), h("div", { class: "row" }, path.label, h("button", { type: "button", class: "main", id: "add-folder", onclick: add }, S.library.addButton)), said, progress),
    h("section", {}, h("h3", {}, S.library.files), files.element),
    failures(),
  );
  dialog.addEventListener("close", forget);
  dialog.addEventListener("close-for-file", () => {
    dialog.dataset["focus"] = "viewer";
    dialog.close();
  });
  if (first === "add") path.input.focus();
  if (first === "files") files.focus();
}

async function followOnce() {
  const status = await tried(() => api.status());
  if (status === null) return;
  state.status = status;
  changed("status");
}

/**
 * The state of the library. What is returned writes it anew, in place, so that the focus stays where it is.
 *
 * @param {HTMLElement} facts
 * @param {HTMLElement} said
 * @param {HTMLElement} progress
 */
function stateParts(facts, said, progress) {
  const counts = h("p", {});
  const model = h("p", { class: "note" });
  const roots = h("ul", { class: "roots" });
  const update = h("button", { type: "button", id: "update-library" }, S.library.update);
  update.addEventListener("click", async () => {
    await tried(() => api.update());
    await followOnce();
  });
  facts.append(counts, model, roots, update);
  return () => {
    const status = state.status;
    if (status === null) return;
    const running = status.indexing;
    progress.textContent = running.is_running ? `${S.library.adding}: ${running.about}` : "";
    if (running.error) said.textContent = running.error;
    counts.textContent = `${S.library.counts(status.num_files, status.clip_seconds / 3600)} · ${status.library}`;
    const limits = status.trained_on === null ? "" : S.library.trainedOn(status.trained_on);
    model.textContent = `${S.library.model}: ${status.encoder}, ${status.weights.slice(0, 12)}. ${limits}`;
    roots.replaceChildren(...status.roots.map(rootRow));
    update.disabled = running.is_running && document.activeElement !== update;
  };
}

/** @param {T.Status["roots"][number]} root */
function rootRow(root) {
  const row = h("li", {}, h("strong", {}, root.name), ` ${root.path} · ${S.library.found(root.num_files)}`);
  if (root.is_offline) row.append(h("span", { class: "warning" }, ` ${S.library.rootOffline}`));
  return row;
}

function fileList() {
  const name = h("input", { type: "search", id: "file-filter", "aria-label": S.library.filter, placeholder: S.library.filter });
  const count = h("p", { class: "note", role: "status" });
  const list = h("ul", { class: "files" });
  const more = h("button", { type: "button", class: "quiet", hidden: true }, S.library.more);
  let turn = 0;
  /** @param {boolean} isMore */
  const fill = async (isMore) => {
    const mine = (turn += 1);
    const found = await api.files(name.value, isMore ? list.childElementCount : 0).catch(() => null);
    if (found === null || mine !== turn) return;
    count.textContent = S.library.found(found.num_files);
    const rows = found.files.map((file) => fileRow(file));
    if (isMore) list.append(...rows);
    else list.replaceChildren(...rows);
    more.hidden = list.childElementCount >= found.num_files;
  };
  name.addEventListener("input", () => fill(false));
  more.addEventListener("click", () => fill(true));
  void fill(false);
  return { element: h("div", {}, name, count, list, more), focus: () => name.focus(), refresh: () => fill(false) };
}

/** @param {T.Listed} file */
function fileRow(file) {
  const open = h("button", { type: "button", class: "quiet file", "aria-label": `${S.library.openFile} ${file.path}` }, `${file.root}/${file.path}`);
  open.addEventListener("click", () => {
    const place = { root: file.root, path: file.path, is_offline: file.is_offline };
    open.dispatchEvent(new Event("close-for-file", { bubbles: true }));
    show({
      content: file.content, places: [place], start_seconds: 0, stop_seconds: Math.min(FIRST_SECONDS, file.seconds),
      offset_seconds: 0, score: 0, sound: null, picture: null, probability: null,
    });
  });
  const senses = file.has_sound ? (file.has_picture ? "" : S.library.soundOnly) : S.library.silentOnly;
  return h("li", {}, open, h("span", { class: "note" }, [clock(file.seconds), senses, file.is_offline ? S.results.offline : ""].filter(Boolean).join(" · ")));
}

function failures() {
  const body = h("ul", { class: "failures" });
  const part = h("details", {}, h("summary", {}, `${S.library.failures} (${state.status?.num_failed ?? 0})`), body);
  part.addEventListener("toggle", async () => {
    if (!part.open) return;
    const rows = await api.failures().catch(() => []);
    const made = rows.map((row) => h("li", {}, h("strong", {}, `${row.root}/${row.path}`), ` ${row.message ?? row.reason ?? ""}`));
    body.replaceChildren(...(made.length > 0 ? made : [h("li", {}, S.library.noFailures)]));
  });
  return part;
}

/** @param {string} id */
export const libraryButton = (id) =>
  h("button", { type: "button", id, class: "quiet", onclick: () => openLibrary("state") }, S.library.open);

