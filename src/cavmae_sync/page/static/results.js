/** Results, grouped by file: thumbnail, time, waveform, how sure; and where the question fits in each file. */
import { api } from "./api.js";
import { askAgain } from "./actions.js";
import { options } from "./ask.js";
import { byId, colour, h, sharp } from "./dom.js";
import { openAdding } from "./library.js";
import { fileOf, nameOf, on, show, state, toggleHit } from "./state.js";
import { partsOf } from "./strips.js";
import { S } from "./strings.js";
import { markButtons, showMarks } from "./teach.js";
import { clock } from "./timecode.js";
import { drawPeaks, drawStrip } from "./waveform.js";

/** @import * as T from "./types.js" */

/** Hits of a file that are shown before the others are asked for, and steps of scrubbing over a thumbnail. */
const FIRST_OF_FILE = 3;
const NUM_SCRUBS = 8;
/** A place that was clicked is not the hit that stood there, and has none of its scores. */
const NOT_SCORED = { score: 0, sound: null, picture: null, probability: null };

/** @type {Map<string, {hit: T.Hit, element: HTMLElement}>} */
const rows = new Map();
let isTeaching = false;

export function makeResults() {
  on("view", render);
  on("current", markCurrent);
  on("selected", markSelected);
  on("marked", markMarks);
  on("teaching", () => isTeaching !== (state.teaching !== null) && render());
  on("status", () => state.view === null && render());
  render();
}

function render() {
  const root = byId("results");
  rows.clear();
  isTeaching = state.teaching !== null;
  root.setAttribute("aria-label", S.results.label);
  root.replaceChildren(...(state.view === null ? [start()] : [head(), ...groups(), foot()]));
  markCurrent();
  markSelected();
}

/** What stands there before the first question. */
function start() {
  const isEmpty = state.status !== null && state.status.num_files === 0 && !state.status.indexing.is_running;
  if (!isEmpty)
    return h("div", { class: "face" }, h("h2", {}, S.results.startTitle), h("p", {}, S.results.startText), h("p", { class: "note" }, S.stays));
  return h(
    "div",
    { class: "face" },
    h("h2", {}, S.results.emptyTitle),
    h("p", {}, S.results.emptyText),
    h("button", { type: "button", class: "main", onclick: openAdding }, S.results.emptyButton),
  );
}

function head() {
  const view = state.view;
  if (view === null) return "";
  const found = view.found;
  if (found === null) return h("div", { class: "head" }, h("h2", {}, view.title));
  const isNothing = found.matches === 0;
  const isWords = found.matches === null && found.num_contents >= 20;
  const title = isNothing ? S.results.nothing : found.matches === null ? view.title : S.results.matches(found.matches);
  return h(
    "div",
    { class: isNothing ? "head face nothing" : "head" },
    h("h2", {}, title),
    isNothing ? h("p", {}, S.results.nothingMore) : null,
    found.matches === null ? h("p", {}, isWords ? S.results.unjudgedWords : S.results.unjudged) : null,
    h(
      "p",
      { class: "note" },
      `${found.about}. ${S.results.searched(found.num_contents, found.searched_seconds / 3600, found.cutoff)} `,
      found.is_exact ? S.results.exact : S.results.proposed,
    ),
    found.num_damaged > 0 ? h("p", { class: "warning" }, S.results.damaged(found.num_damaged)) : null,
  );
}

function groups() {
  /** @type {Map<string, T.Hit[]>} */
  const byFile = new Map();
  for (const hit of state.view?.hits ?? []) byFile.set(hit.content, [...(byFile.get(hit.content) ?? []), hit]);
  return [...byFile.values()].map(group);
}

/** @param {T.Hit[]} hits */
function group(hits) {
  const first = /** @type {T.Hit} */ (hits[0]);
  const place = first.places[0];
  const list = h("ol", { class: "hits" }, ...hits.slice(0, FIRST_OF_FILE).map(row));
  const rest = hits.slice(FIRST_OF_FILE);
  const more = h("button", { type: "button", class: "quiet" }, `${S.results.more} (${rest.length})`);
  more.addEventListener("click", () => {
    const added = rest.map(row);
    more.remove();
    list.append(...added);
    added[0]?.querySelector("button")?.focus();
    markCurrent();
    markSelected();
  });
  return h(
    "article",
    { class: "group", "aria-label": fileOf(first) },
    h(
      "header",
      {},
      h("h3", {}, fileOf(first)),
      h("span", { class: "note" }, place?.root ?? ""),
      place?.is_offline ? h("span", { class: "tag" }, S.results.offline) : null,
      first.places.length > 1 ? h("span", { class: "note" }, S.results.copies(first.places.length - 1)) : null,
    ),
    stripOf(first),
    list,
    rest.length > 0 ? more : null,
  );
}

/** @param {T.Hit} hit */
function stripOf(hit) {
  const found = state.view?.found;
  if (!found) return null;
  const at = clock(hit.start_seconds);
  const canvas = h("canvas", { class: "strip", role: "img", "aria-label": S.results.stripAt(fileOf(hit), at), title: S.results.strip });
  let length = 0;
  whenSeen(canvas, async () => {
    const [strip, facts] = await Promise.all([api.strip(found.query, hit.content, found.by), api.facts(hit.content)]).catch(() => [null, null]);
    if (strip === null || facts === null) return;
    length = facts.source?.duration_seconds ?? facts.seconds;
    const parts = partsOf(strip, length);
    const draw = () => {
      const { context, width, height } = sharp(canvas);
      drawStrip(context, parts, width, height);
      context.fillStyle = colour("--text");
      for (const each of state.view?.hits ?? [])
        if (each.content === hit.content) context.fillRect((each.start_seconds / length) * width - 1, 0, 2, height);
    };
    draw();
    new ResizeObserver(draw).observe(canvas);
  });
  canvas.addEventListener("click", (event) => {
    if (length === 0) return;
    const box = canvas.getBoundingClientRect();
    const start = ((event.clientX - box.left) / box.width) * length;
    const seconds = hit.stop_seconds - hit.start_seconds;
    show({ ...hit, start_seconds: start, stop_seconds: Math.min(start + seconds, length), offset_seconds: start, ...NOT_SCORED });
  });
  return canvas;
}

/** @param {T.Hit} hit */
function row(hit) {
  const at = clock(hit.start_seconds);
  const name = fileOf(hit);
  const picture = thumbnailOf(hit);
  const play = h(
    "button",
    { type: "button", class: "open", "aria-label": [S.results.play(name, at), sure(hit)].filter(Boolean).join(", "), onclick: () => show(hit) },
    picture,
    h("span", { class: "when" }, `${at} – ${clock(hit.stop_seconds)}`),
    waveOf(hit),
    h("span", { class: "sure" }, sure(hit)),
    hit.sound === null && hit.picture === null
      ? null
      : h("span", { class: "axes" }, axis(S.results.sound, hit.sound), axis(S.results.picture, hit.picture)),
  );
  const check = h("input", { type: "checkbox", "aria-label": S.results.select(name, at), onchange: () => toggleHit(hit) });
  const made = h("li", { class: "hit" }, play, h("label", { class: "check" }, check), state.teaching === null ? null : markButtons(hit));
  rows.set(nameOf(hit), { hit, element: made });
  return made;
}

/** @param {string} name @param {number | null} cosine */
const axis = (name, cosine) => h("span", {}, `${name} ${cosine === null ? S.results.none : cosine.toFixed(2)}`);

/** How sure a hit is, in words and a number. @param {T.Hit} hit */
function sure(hit) {
  if (hit.probability === null) return "";
  const p = hit.probability;
  const cutoff = state.view?.found?.cutoff;
  if (cutoff === undefined) return S.results.probability(p);
  const word = p >= Math.max(cutoff, 0.99) ? S.results.surest : p >= cutoff ? S.results.likely : p >= 0.8 ? S.results.maybe : S.results.unlikely;
  return `${word} (${S.results.probability(p)})`;
}

/** Thumbnail of the middle of a moment; moving over it shows the others. @param {T.Hit} hit */
function thumbnailOf(hit) {
  const length = hit.stop_seconds - hit.start_seconds;
  /** @param {number} share */
  const at = (share) => api.thumbnail(hit.content, hit.start_seconds + share * length);
  const image = h("img", { class: "thumb", alt: "", loading: "lazy", decoding: "async", src: at(0.5) });
  image.addEventListener("error", () => image.classList.add("none"), { once: true });
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    const step = Math.floor(((event.clientX - box.left) / box.width) * NUM_SCRUBS);
    image.src = at((Math.min(Math.max(step, 0), NUM_SCRUBS - 1) + 0.5) / NUM_SCRUBS);
  });
  image.addEventListener("pointerleave", () => {
    image.src = at(0.5);
  });
  return image;
}

/** @param {T.Hit} hit */
function waveOf(hit) {
  const canvas = h("canvas", { class: "small-wave", "aria-hidden": "true" });
  whenSeen(canvas, async () => {
    const stop = Math.max(hit.stop_seconds, hit.start_seconds + 0.1);
    const peaks = await api.peaksOf(hit.content, hit.start_seconds, stop).catch(() => []);
    const { context, width, height } = sharp(canvas);
    drawPeaks(context, peaks, width, height, colour("--wave"));
  });
  return canvas;
}

function foot() {
  const view = state.view;
  if (view?.found == null || view.hits.length < (view.options.top ?? 20)) return "";
  const more = Math.min((view.options.top ?? 20) * 2, 200);
  if (more === view.options.top) return "";
  return h("button", { type: "button", class: "wide", onclick: () => askAgain({ ...options(), top: more }) }, S.results.more);
}

function markCurrent() {
  const name = state.current === null ? "" : nameOf(state.current.hit);
  for (const [other, { element }] of rows) {
    const isCurrent = other === name;
    element.classList.toggle("current", isCurrent);
    element.querySelector(".open")?.setAttribute("aria-current", String(isCurrent));
    if (isCurrent) element.scrollIntoView({ block: "nearest" });
  }
}

function markSelected() {
  for (const [name, { element }] of rows) {
    const check = element.querySelector("input");
    if (check !== null) check.checked = state.selected.has(name);
  }
}

function markMarks() {
  for (const { hit, element } of rows.values()) {
    const buttons = element.querySelector(".marks");
    if (buttons !== null) showMarks(buttons, hit);
  }
}

/** Do something once an element can be seen. @param {Element} element @param {() => void} work */
function whenSeen(element, work) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    work();
  });
  observer.observe(element);
}

