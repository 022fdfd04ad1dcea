/** Questions: they are asked, their answers are shown, and the browser's back and forward go through them. */
import { announce, byId } from "./dom.js";
import { api, ServiceError } from "./api.js";
import { changed, remember, show, state } from "./state.js";
import { S } from "./strings.js";

/** @import * as T from "./types.js" */
/** @import {View} from "./state.js" */

/** @type {View[]} */
const views = [];
let place = -1;
let numBusy = 0;
/** Questions that were asked: the answer to an older one does not replace that to a newer one. */
let numAsked = 0;

/** @type {(message: string) => void} */
let tell = () => {};
/** @param {(message: string) => void} teller */
export function onError(teller) {
  tell = teller;
}

/** Do something and say what failed. @template R @param {() => Promise<R>} work @returns {Promise<R | null>} */
export async function tried(work) {
  numBusy += 1;
  state.isBusy = true;
  changed("busy");
  tell("");
  try {
    return await work();
  } catch (error) {
    if (error instanceof ServiceError) tell(error.message);
    else if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    return null;
  } finally {
    numBusy -= 1;
    state.isBusy = numBusy > 0;
    changed("busy");
  }
}

/**
 * Ask a question and show the answer.
 *
 * @param {(options: T.Options) => Promise<T.Found>} question
 * @param {T.Options} options
 */
export async function ask(question, options) {
  const mine = (numAsked += 1);
  const found = await tried(() => question(options));
  if (found !== null && mine === numAsked) showView({ found, hits: found.hits, title: found.about, options });
}

/** Ask the question on the page again with other options. @param {T.Options} options */
export async function askAgain(options) {
  const found = state.view?.found;
  if (!found) return;
  const mine = (numAsked += 1);
  const again = await tried(() => api.again(found.query, options));
  if (again !== null && mine === numAsked) showView({ found: again, hits: again.hits, title: again.about, options }, "replace");
}

/** @param {View} view @param {"push" | "replace"} [how] */
export function showView(view, how = "push") {
  numAsked += 1;
  remember(view);
  if (how === "replace" && place >= 0) views[place] = view;
  else {
    views.splice(place + 1, views.length, view);
    place += 1;
    history[place === 0 ? "replaceState" : "pushState"]({ place }, "");
  }
  present(view);
  // Keys mean the results now, and screen readers go on there.
  if (how === "push") byId("results").focus({ preventScroll: true });
}

/** @param {View} view */
function present(view) {
  state.view = view;
  changed("view");
  announce(spoken(view));
}

/** @param {View} view */
function spoken(view) {
  const matches = view.found?.matches;
  if (view.found === null) return view.title;
  if (matches === 0) return S.results.nothing;
  return matches === null || matches === undefined ? S.results.unjudged : S.results.matches(matches);
}

window.addEventListener("popstate", (event) => {
  const wanted = Number(event.state?.place ?? 0);
  const view = views[wanted];
  if (view === undefined) return;
  place = wanted;
  present(view);
});

/** The result before or after the one in the player. @param {number} step */
export function stepResult(step) {
  const hits = state.view?.hits ?? [];
  if (hits.length === 0) return;
  const now = state.current === null ? -1 : hits.indexOf(state.current.hit);
  const next = hits[Math.min(Math.max(now + step, 0), hits.length - 1)];
  if (next !== undefined) show(next);
}

/**
 * More like the moment in the player.
 *
 * @param {("sound" | "picture")[]} senses
 * @param {T.Options} options
 */
export async function askLike(senses, options) {
  const current = state.current;
  if (current === null) return;
  const moment = { content: current.hit.content, start_seconds: current.from, stop_seconds: current.to };
  await ask((how) => api.like(moment, senses, how), options);
}
