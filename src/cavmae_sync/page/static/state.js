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

/** @typedef {"status" | "view" | "current" | "selected" | "teaching" | "marked" | "busy"} Topic */

export const state = {
  /** @type {T.Status | null} */
  status: null,
  /** @type {View | null} */
  view: null,
  /** @type {Current | null} */
  current: null,
  /** @type {Map<string, {hit: T.Hit, from: number, to: number, note: string}>} */
  selected: new Map(),
  /** @type {T.Taught | null} */
  teaching: null,
  /** @type {Map<string, boolean | null>} Marks given while this page was open, by moment. */
  marked: new Map(),
  isBusy: false,
};

const topics = new EventTarget();

/** @param {Topic} topic @param {() => void} listener */
export function on(topic, listener) {
  topics.addEventListener(topic, listener);
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
  state.current = { hit, from: hit.start_seconds, to: hit.stop_seconds };
  changed("current");
}

/** Select the moment in the player for export, or not any more. */
export function toggleSelected() {
  const current = state.current;
  if (current === null) return;
  toggle(current.hit, current.from, current.to);
}

/** @param {T.Hit} hit @param {number} from @param {number} to */
export function toggle(hit, from, to) {
  const name = nameOf(hit);
  if (state.selected.has(name)) state.selected.delete(name);
  else state.selected.set(name, { hit, from, to, note: "" });
  changed("selected");
}
