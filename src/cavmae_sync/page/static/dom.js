/** Making elements. Text is only ever set as text, so that names of files cannot become markup. */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [props] Properties; `class`, `aria-…`, `data-…`, `role` and `for` are attributes,
 *   `on…` are listeners.
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class" || name === "role" || name === "for" || /^(aria|data)-/.test(name))
      made.setAttribute(name, String(value));
    else Reflect.set(made, name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => /** @type {Node | string} */ (child)));
  return made;
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element ${id}`);
  return found;
}

/** Say something to screen readers. @param {string} text */
export function announce(text) {
  const live = byId("live");
  live.textContent = "";
  requestAnimationFrame(() => {
    live.textContent = text;
  });
}

/**
 * A dialog: modal, closed by Escape and its button. The focus goes back to where it was, or to the element
 * whose id stands in `data-focus`.
 *
 * @param {string} title
 * @param {string} closeText
 * @param {...Child} children
 */
export function openDialog(title, closeText, ...children) {
  const before = document.activeElement;
  const heading = h("h2", { id: "dialog-title" }, title);
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "dialog-title" },
    h("header", {}, heading, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, closeText)),
    h("div", { class: "dialog-body" }, ...children),
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    const after = document.getElementById(dialog.dataset["focus"] ?? "") ?? before;
    if (after instanceof HTMLElement) after.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** The colour of a style variable. @param {string} name */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * A canvas of a size in CSS pixels, sharp on every screen.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number}}
 */
export function sharp(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth || 300;
  const height = canvas.clientHeight || 40;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.scale(scale, scale);
  return { context, width, height };
}
