/** Selected moments, and their way to the edit. */
import { api, download } from "./api.js";
import { tried } from "./actions.js";
import { field, select } from "./ask.js";
import { announce, byId, h, openDialog } from "./dom.js";
import { changed, fileOf, on, state } from "./state.js";
import { S } from "./strings.js";
import { clock } from "./timecode.js";

let lastTitle = S.tray.defaultTitle;

export function makeTray() {
  on("selected", render);
  render();
}

function render() {
  const root = byId("tray");
  const count = state.selected.size;
  root.hidden = count === 0;
  root.setAttribute("aria-label", S.tray.label);
  root.replaceChildren(
    h("span", {}, S.tray.selected(count)),
    h("button", { type: "button", class: "main", id: "tray-export", onclick: openExport }, S.tray.export),
    h("button", { type: "button", class: "quiet", id: "tray-clear", onclick: clear }, S.tray.clear),
  );
}

function clear() {
  state.selected.clear();
  changed("selected");
}

export async function openExport() {
  if (state.selected.size === 0) {
    announce(S.tray.empty);
    return;
  }
  const formats = await tried(() => api.formats());
  if (formats === null) return;
  const format = select("export-format", S.tray.format, formats.map((each) => [each.name, each.about]));
  const name = field("export-title", S.tray.name, "text");
  name.input.value = lastTitle;
  const said = h("p", { class: "said", role: "alert" });
  const told = h("p", { class: "note", role: "status" });
  const save = async () => {
    said.textContent = "";
    const chosen = formats.find((each) => each.name === format.input.value);
    try {
      const content = await api.export(body(format.input.value, name.input.value));
      const file = `${safe(name.input.value)}${chosen?.suffix ?? ""}`;
      download(content, file);
      lastTitle = name.input.value;
      told.textContent = S.tray.done(file);
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  const dialog = openDialog(
    S.tray.title,
    S.library.close,
    moments(() => dialog.close()),
    format.label,
    name.label,
    said,
    told,
    h("button", { type: "button", class: "main", id: "export-save", onclick: save }, S.tray.download),
  );
  format.input.focus();
}

/** @param {string} format @param {string} title */
function body(format, title) {
  // A page of evidence names the question only where one question found them all.
  const asked = [...state.selected.values()].map((each) => each.asked);
  const one = asked.every((each) => each?.query === asked[0]?.query) ? asked[0] : null;
  return {
    format,
    title,
    query: one?.query ?? null,
    options: one?.options ?? {},
    moments: [...state.selected.values()].map(({ hit, from, to, note }) => ({
      content: hit.content,
      start_seconds: from,
      stop_seconds: to,
      offset_seconds: hit.offset_seconds,
      sound: hit.sound,
      picture: hit.picture,
      // What a class says of a moment is no probability of a search.
      probability: "how" in hit ? null : hit.probability,
      note,
    })),
  };
}

/** @param {() => void} onEmpty */
function moments(onEmpty) {
  const list = h("ol", { class: "chosen" });
  for (const [key, chosen] of state.selected) {
    const note = h("input", { type: "text", "aria-label": `${S.tray.note}: ${fileOf(chosen.hit)} ${clock(chosen.from)}`, placeholder: S.tray.note, value: chosen.note });
    note.addEventListener("input", () => {
      chosen.note = note.value;
    });
    const row = h("li", {}, h("span", {}, `${fileOf(chosen.hit)} ${clock(chosen.from)} – ${clock(chosen.to)}`), note);
    const remove = h("button", { type: "button", class: "quiet", "aria-label": `${S.tray.remove} ${fileOf(chosen.hit)} ${clock(chosen.from)}` }, S.tray.remove);
    remove.addEventListener("click", () => {
      state.selected.delete(key);
      row.remove();
      changed("selected");
      if (state.selected.size === 0) onEmpty();
    });
    row.append(remove);
    list.append(row);
  }
  return list;
}

/** Name of a file that every system takes. @param {string} title */
function safe(title) {
  return title.replace(/[^\p{L}\p{N} _.-]+/gu, "-").replace(/^[.\s-]+|[.\s-]+$/g, "").slice(0, 80) || "moments";
}
