/** Strips: how a question fits along a file, as values from 0 to 1 at equal steps of the file. */

/** @import * as T from "./types.js" */

const NUM_PARTS = 240;

/**
 * Fit of each part of a file: of the best place of the question that covers it. Where strangers are known, half of the height is a fit that they reach half of
 * the time; otherwise the best place of the file is the tallest.
 *
 * @param {T.Strip} strip
 * @param {number} seconds Length of the file.
 */
export function partsOf(strip, seconds) {
  const low = Math.min(...strip.score);
  const range = Math.max(...strip.score) - low || 1;
  /** @param {number} number */
  const fit = (number) => strip.probability?.[number] ?? ((strip.score[number] ?? low) - low) / range;
  const parts = new Array(NUM_PARTS).fill(0);
  strip.start_seconds.forEach((start, number) => {
    const length = Math.max(strip.duration_seconds, strip.step_seconds);
    const first = Math.floor((start / seconds) * NUM_PARTS);
    const last = Math.max(first + 1, Math.ceil(((start + length) / seconds) * NUM_PARTS));
    for (let part = Math.max(first, 0); part < Math.min(last, NUM_PARTS); part += 1)
      parts[part] = Math.max(parts[part], fit(number));
  });
  return parts;
}
