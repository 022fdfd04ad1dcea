/** Behind a result: similarities moment by moment, and agreement of the file over time. */
import { api } from "./api.js";
import { colour, h, sharp } from "./dom.js";
import { S } from "./strings.js";
import { clock } from "./timecode.js";

/** @import * as T from "./types.js" */

/** A part that is filled when it is opened. @param {string} title @param {() => Promise<Node>} make */
export function later(title, make) {
  const body = h("div", { class: "later-body" });
  const part = h("details", { class: "later" }, h("summary", {}, title), body);
  part.addEventListener("toggle", async () => {
    if (!part.open || body.childNodes.length > 0) return;
    try {
      body.replaceChildren(await make());
    } catch (error) {
      body.replaceChildren(h("p", { class: "warning" }, error instanceof Error ? error.message : String(error)));
    }
  });
  return part;
}

/** @param {string} query @param {T.Hit} hit */
export async function similarityPart(query, hit) {
  const found = await api.similarity(query, hit.content, hit.offset_seconds);
  const senses = S.viewer.senses;
  const tables = found.cosines.map((each) =>
    table(each.values, found.query_seconds, found.file_seconds, S.viewer.pair(senses[each.query] ?? each.query, senses[each.file] ?? each.file)),
  );
  const own = found.own === null ? [] : [table(found.own, found.file_seconds, found.file_seconds, S.viewer.ownPair)];
  return h(
    "div",
    {},
    h("p", { class: "note" }, S.viewer.similarityText),
    h("div", { class: "tables" }, ...tables),
    own.length > 0 ? h("p", { class: "note" }, S.viewer.ownText) : null,
    h("div", { class: "tables" }, ...own),
  );
}

/**
 * @param {(number | null)[][]} values
 * @param {number[]} down
 * @param {number[]} across
 * @param {string} title
 */
function table(values, down, across, title) {
  const known = values.flat().filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const canvas = h("canvas", { class: "matrix", role: "img", "aria-label": `${title}, ${S.viewer.range(low, high)}` });
  const draw = () => {
    const { context, width, height } = sharp(canvas);
    const [tall, wide] = [height / values.length, width / (values[0]?.length ?? 1)];
    values.forEach((row, y) =>
      row.forEach((value, x) => {
        if (value === null) return;
        context.globalAlpha = 0.08 + 0.92 * ((value - low) / (high - low || 1));
        context.fillStyle = colour("--match");
        context.fillRect(x * wide, y * tall, wide - 0.5, tall - 0.5);
      }),
    );
  };
  new ResizeObserver(draw).observe(canvas);
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const y = Math.floor(((event.clientY - box.top) / box.height) * values.length);
    const x = Math.floor(((event.clientX - box.left) / box.width) * (values[0]?.length ?? 1));
    const value = values[y]?.[x];
    if (value !== null && value !== undefined) canvas.title = `${clock(down[y] ?? 0)} – ${clock(across[x] ?? 0)}: ${value.toFixed(2)}`;
  });
  return h("figure", {}, canvas, h("figcaption", {}, `${title}; ${S.viewer.range(low, high)}`));
}

/** @param {string} content @param {(seconds: number) => void} seek */
export async function agreementPart(content, seek) {
  const found = await api.agreement(content);
  const canvas = h("canvas", { class: "curve", role: "img", "aria-label": `${S.viewer.states}: ${found.verdict}` });
  const rows = found.seconds;
  const draw = () => {
    const values = rows.flatMap((row) => [row.agreement, row.low, row.high]).filter((value) => value !== null);
    if (values.length === 0) return;
    const { context, width, height } = sharp(canvas);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    /** @param {number} value */
    const y = (value) => height - 3 - ((value - low) / (high - low || 1)) * (height - 6);
    const step = width / rows.length;
    context.fillStyle = colour("--span");
    rows.forEach((row, number) => {
      if (row.low !== null && row.high !== null) context.fillRect(number * step, y(row.high), step + 0.5, Math.max(y(row.low) - y(row.high), 1));
    });
    context.strokeStyle = colour("--accent");
    context.lineWidth = 2;
    context.beginPath();
    let isDown = false;
    rows.forEach((row, number) => {
      if (row.agreement === null) isDown = false;
      else {
        context[isDown ? "lineTo" : "moveTo"]((number + 0.5) * step, y(row.agreement));
        isDown = true;
      }
    });
    context.stroke();
    context.fillStyle = colour("--warn");
    rows.forEach((row, number) => row.state === "does not fit" && context.fillRect(number * step, height - 3, step, 3));
  };
  new ResizeObserver(draw).observe(canvas);
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const number = Math.floor(((event.clientX - box.left) / box.width) * rows.length);
    seek(rows[number]?.second ?? 0);
  });
  const isCurve = rows.some((row) => row.agreement !== null);
  return h("div", {}, h("p", {}, found.verdict), isCurve ? canvas : null, h("p", { class: "note" }, S.viewer.agreementNote));
}
