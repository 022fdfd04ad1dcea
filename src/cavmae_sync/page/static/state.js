/** What the page shows, and who wants to know when it changes. */

/** @import * as T from "./types.js" */

/**
 * A list of moments on the page: the answer to a question, or what a taught class proposes.
 *
 * @typedef {object} View
 * @property {T.Found | null} found The answer; null for lists that no question made.
 * @property {T.Hit[]} hits
 * @property {string} title
 * @property {T.Options} options
 */

/**
 * The moment in the player: in and out may have been moved since it was found.
 *
 * @typedef {{hit: T.Hit, from: number, to: number}} Current
 */

/** The question that found a moment. @typedef {{query: string, options: T.Options}} Asked */

/** @typedef {"status" | "view" | "current" | "selected" | "teaching" | "marked" | "busy"} Topic */

export const state = {
  /** @type {T.Status | null} */
  status: null,
  /** @type {View | null} */
  view: null,
  /** @type {Current | null} */
  current: null,
  /** @type {Map<string, {hit: T.Hit, from: number, to: number, note: string, asked: Asked | null}>} */
  selected: new Map(),
  /** @type {T.Taught | null} */
  teaching: null,
  /** @type {Map<string, boolean | null>} Marks given while this page was open, by moment. */
  marked: new Map(),
  isBusy: false,
};

const topics = new EventTarget();

/**
 * @param {Topic} topic
 * @param {() => void} listener
 * @returns {() => void} Ends it.
 */
export function on(topic, listener) {
  topics.addEventListener(topic, listener);
  return () => topics.removeEventListener(topic, listener);
}

/** @type {WeakMap<T.Hit, Asked>} */
const askedBy = new WeakMap();

/** Remember which question found the moments of a list. @param {View} view */
export function remember(view) {
  if (view.found === null) return;
  for (const hit of view.hits) askedBy.set(hit, { query: view.found.query, options: view.options });
}

/** @param {Topic} topic */
export function changed(topic) {
  topics.dispatchEvent(new Event(topic));
}

/** Name of a moment. @param {T.Hit} hit */
export const nameOf = (hit) => `${hit.content}@${hit.start_seconds.toFixed(3)}-${hit.stop_seconds.toFixed(3)}`;

/** Name of a file for people. @param {T.Hit} hit */
export const fileOf = (hit) => hit.places[0]?.path ?? hit.content.slice(0, 12);

/** @param {T.Hit} hit */
export function show(hit) {
  const chosen = state.selected.get(nameOf(hit));
  state.current = { hit, from: chosen?.from ?? hit.start_seconds, to: chosen?.to ?? hit.stop_seconds };
  changed("current");
}

/** Select the moment in the player for export, or not any more. */
export function toggleSelected() {
  const current = state.current;
  if (current === null) return;
  toggle(current.hit, current.from, current.to);
}

/** Select a moment as it is in the list, or as it was trimmed in the player. @param {T.Hit} hit */
export function toggleHit(hit) {
  const current = state.current?.hit === hit ? state.current : null;
  toggle(hit, current?.from ?? hit.start_seconds, current?.to ?? hit.stop_seconds);
}

/** @param {T.Hit} hit @param {number} from @param {number} to */
function toggle(hit, from, to) {
  const name = nameOf(hit);
  if (state.selected.has(name)) state.selected.delete(name);
  else state.selected.set(name, { hit, from, to, note: "", asked: askedBy.get(hit) ?? null });
  changed("selected");
}
