/** Teaching a class: yes and no on moments, the next ones to mark, what it finds, how sure that is. */
import { api } from "./api.js";
import { showView, stepResult, tried } from "./actions.js";
import { field, select } from "./ask.js";
import { announce, byId, h, openDialog } from "./dom.js";
import { changed, fileOf, nameOf, on, show, state } from "./state.js";
import { S } from "./strings.js";
import { clock } from "./timecode.js";

/** @import * as T from "./types.js" */

const NUM_PROPOSALS = 12;
const NUM_RANKED = 60;

/** @param {HTMLElement} root Where the state of the class stands. */
export function makeTeach(root) {
  on("teaching", () => render(root));
  render(root);
}

/** @type {ReturnType<typeof build> | null} */
let parts = null;

function build() {
  return {
    title: h("strong", {}),
    counts: h("span", { class: "note" }),
    state: h("p", { id: "teach-state", role: "status" }),
    ranked: h("button", { type: "button", id: "teach-ranked", onclick: ranked }, S.teach.ranked),
    undo: h("button", { type: "button", id: "teach-undo", onclick: undo }, S.teach.undo),
    csv: h("a", { class: "button", download: "" }, S.teach.csv),
    raven: h("a", { class: "button", download: "" }, S.teach.raven),
    command: h("p", { class: "note" }),
  };
}

/** Made once; then texts change in place, so that the focus stays where it is. @param {HTMLElement} root */
function render(root) {
  const taught = state.teaching;
  root.hidden = taught === null;
  if (taught === null) return;
  if (parts === null) {
    parts = build();
    root.setAttribute("aria-label", S.teach.title);
    root.replaceChildren(
      parts.title,
      parts.counts,
      parts.state,
      h("button", { type: "button", class: "main", id: "teach-next", onclick: next }, S.teach.next),
      parts.ranked,
      parts.undo,
      parts.csv,
      parts.raven,
      h("button", { type: "button", class: "quiet", onclick: leave }, S.teach.leave),
      parts.command,
    );
  }
  parts.title.textContent = S.teach.teaching(taught.name);
  parts.counts.textContent = S.teach.marks(taught.num_yes, taught.num_no);
  parts.state.textContent = taught.precision === null ? taught.state : S.teach.precision(taught.precision);
  parts.ranked.disabled = !taught.is_fitted;
  parts.undo.disabled = taught.num_marks === 0;
  parts.csv.href = api.marksFile(taught.name, "csv");
  parts.raven.href = api.marksFile(taught.name, "raven");
  parts.command.textContent = taught.is_fitted ? S.teach.command(taught.probe) : "";
}

/** Forget what belongs to the class before: its marks, and the list that it made. */
function clear() {
  state.marked.clear();
  if (state.view?.found === null) {
    state.view = null;
    changed("view");
  }
}

function leave() {
  state.teaching = null;
  clear();
  changed("teaching");
}

/**
 * Yes and no of a moment.
 *
 * @param {T.Hit} hit
 * @param {(isMatch: boolean | null) => unknown} [onMark] What a button does; marks the moment as it is unless given.
 */
export function markButtons(hit, onMark = (isMatch) => mark(hit, isMatch)) {
  const at = clock(hit.start_seconds);
  /** @param {boolean | null} isMatch @param {string} text @param {string} label */
  const one = (isMatch, text, label) =>
    h("button", { type: "button", class: isMatch === true ? "yes" : "no", "aria-label": label, "data-mark": String(isMatch), onclick: () => onMark(isMatch) }, text);
  const name = fileOf(hit);
  const made = h(
    "div",
    { class: "marks" },
    one(true, S.teach.yes, S.teach.yesOf(name, at)),
    one(false, S.teach.no, S.teach.noOf(name, at)),
    one(null, S.teach.unsure, S.teach.unsureOf(name, at)),
  );
  showMarks(made, hit);
  return made;
}

/** Which of the buttons is pressed. @param {Element} buttons @param {T.Hit} hit */
export function showMarks(buttons, hit) {
  const given = String(state.marked.get(nameOf(hit)));
  for (const button of buttons.querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(button.dataset["mark"] === given));
}

/** @type {Promise<unknown>} */
let before = Promise.resolve();

/**
 * Marks are sent one after the other, so that the last answer is that of the last mark.
 *
 * @param {() => Promise<T.Taught>} work
 */
function inTurn(work) {
  const mine = before.then(() => tried(work));
  before = mine;
  return mine;
}

/** @param {T.Hit} hit @param {boolean | null} isMatch */
async function mark(hit, isMatch) {
  const taught = state.teaching;
  if (taught === null) return;
  const proposal = /** @type {T.Proposal} */ (hit);
  const row = {
    content: hit.content, start_seconds: hit.start_seconds, stop_seconds: hit.stop_seconds, is_match: isMatch,
    how: proposal.how ?? "search", score: proposal.how === undefined ? null : hit.probability,
  };
  state.marked.delete(nameOf(hit)); // so that it stands last, for undo
  state.marked.set(nameOf(hit), isMatch); // shown at once; learning takes a moment
  changed("marked");
  const after = await inTurn(() => api.mark(taught.name, [row]));
  if (state.teaching?.name !== taught.name) return; // another class by now
  if (after === null) state.marked.delete(nameOf(hit));
  else state.teaching = after;
  changed("marked");
  changed("teaching");
  if (after === null) return;
  announce(`${isMatch === null ? S.teach.unsure : isMatch ? S.teach.yes : S.teach.no}. ${S.teach.marks(after.num_yes, after.num_no)}`);
}

/** Mark the moment in the player, and go on to the next. @param {boolean | null} isMatch */
export async function markCurrent(isMatch) {
  const current = state.current;
  if (current === null || state.teaching === null) return;
  const { hit, from, to } = current;
  const isTrimmed = from !== hit.start_seconds || to !== hit.stop_seconds;
  /** @type {T.Proposal} */
  const trimmed = { ...hit, start_seconds: from, stop_seconds: to, how: "own", probability: null };
  stepResult(1); // at once: the next key is about the next moment
  await mark(isTrimmed ? trimmed : hit, isMatch);
}

export async function undo() {
  const taught = state.teaching;
  if (taught === null) return;
  const after = await inTurn(() => api.undo(taught.name));
  if (after === null || state.teaching?.name !== taught.name) return;
  const last = [...state.marked.keys()].pop();
  if (last !== undefined) state.marked.delete(last);
  state.teaching = after;
  changed("marked");
  changed("teaching");
}

async function next() {
  const taught = state.teaching;
  if (taught === null) return;
  await before;
  const hits = await tried(() => api.proposals(taught.name, NUM_PROPOSALS));
  if (hits === null) return;
  showView({ found: null, hits, title: S.teach.proposals, options: {} });
  const first = hits[0];
  if (first !== undefined) show(first);
}

async function ranked() {
  const taught = state.teaching;
  if (taught === null) return;
  const hits = await tried(() => api.ranked(taught.name, NUM_RANKED));
  if (hits !== null) showView({ found: null, hits, title: S.teach.rankedTitle, options: {} });
}

/** Choose a class to teach, or begin one. */
export async function openTeach() {
  const known = (await tried(() => api.taughtAll())) ?? [];
  const name = field("teach-name", S.teach.name, "text");
  const sense = select("teach-sense", S.teach.sense, [["sound", S.teach.senseSound], ["picture", S.teach.sensePicture], ["both", S.teach.senseBoth]]);
  const said = h("p", { class: "said", role: "alert" });
  /** @param {() => Promise<T.Taught>} work */
  const use = async (work) => {
    said.textContent = "";
    try {
      const taught = await work();
      clear();
      state.teaching = taught;
      changed("teaching");
      dialog.close();
      byId("teaching").querySelector("button")?.focus();
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  const begin = () => {
    if (/^[\p{L}\p{N}][\p{L}\p{N} _-]{0,63}$/u.test(name.input.value.trim())) void use(() => api.taughtNew(name.input.value.trim(), sense.input.value));
    else said.textContent = S.teach.bad;
  };
  name.input.addEventListener("keydown", (event) => event.key === "Enter" && begin());
  const dialog = openDialog(
    S.teach.title,
    S.library.close,
    h("p", {}, S.teach.text),
    name.label,
    sense.label,
    said,
    h("button", { type: "button", class: "main", id: "teach-start", onclick: begin }, S.teach.start),
    known.length > 0 ? h("h3", {}, S.teach.taught) : null,
    h(
      "ul",
      { class: "roots" },
      ...known.map((each) =>
        h("li", {}, `${each.name} · ${S.teach.marks(each.num_yes, each.num_no)} `, h("button", { type: "button", "aria-label": `${S.teach.use}: ${each.name}`, onclick: () => use(() => api.taught(each.name)) }, S.teach.use)),
      ),
    ),
  );
  name.input.focus();
}
