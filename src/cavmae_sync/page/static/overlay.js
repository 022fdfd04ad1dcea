/** Over the picture: where the sound is, and a box to search by. */
import { api } from "./api.js";
import { announce, h } from "./dom.js";
import { S } from "./strings.js";

const STEP = 0.02;

/** The part of a video element that its picture fills. @param {HTMLVideoElement} video */
export function pictureBox(video) {
  const scale = Math.min(video.clientWidth / (video.videoWidth || 1), video.clientHeight / (video.videoHeight || 1));
  const [width, height] = [video.videoWidth * scale, video.videoHeight * scale];
  return { left: (video.clientWidth - width) / 2, top: (video.clientHeight - height) / 2, width, height };
}

/** Map of the sound over the middle square of the picture. */
export class MapOverlay {
  /** @param {HTMLVideoElement} video @param {(text: string) => void} tell */
  constructor(video, tell) {
    this.video = video;
    this.tell = tell;
    this.canvas = h("canvas", { class: "overlay", hidden: true, "aria-hidden": "true" });
    this.isOn = false;
    this.turn = 0;
  }

  hide() {
    this.isOn = false;
    this.turn += 1;
    this.canvas.hidden = true;
  }

  /** @param {string} content @param {number} seconds */
  async show(content, seconds) {
    this.isOn = true;
    const turn = (this.turn += 1);
    this.tell(S.viewer.mapWait);
    try {
      const map = await api.map(content, seconds);
      if (turn !== this.turn) return;
      this.tell(map.is_silent ? S.viewer.mapSilent : S.viewer.mapNote);
      this.canvas.hidden = map.is_silent;
      if (!map.is_silent) this.draw(map.values);
    } catch (error) {
      if (turn === this.turn) this.tell(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {number[][]} values */
  draw(values) {
    const [rows, columns] = [values.length, values[0]?.length ?? 1];
    const small = document.createElement("canvas");
    [small.width, small.height] = [columns, rows];
    const drawing = small.getContext("2d");
    if (drawing === null) return;
    const pixels = drawing.createImageData(columns, rows);
    values.flat().forEach((value, number) => pixels.data.set([255, Math.round(230 * value), 0, Math.round(255 * value ** 1.5)], 4 * number));
    drawing.putImageData(pixels, 0, 0);
    const box = pictureBox(this.video);
    const side = Math.min(box.width, box.height);
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = this.canvas.height = Math.max(1, Math.round(side * scale));
    this.canvas.style.left = `${box.left + (box.width - side) / 2}px`;
    this.canvas.style.top = `${box.top + (box.height - side) / 2}px`;
    this.canvas.style.width = this.canvas.style.height = `${side}px`;
    const context = this.canvas.getContext("2d");
    if (context === null) return;
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
  }
}

/** A box over the picture, drawn with the pointer or moved with the keys. */
export class BoxTool {
  /** @param {HTMLVideoElement} video @param {(box: string) => void} onSearch */
  constructor(video, onSearch) {
    this.video = video;
    this.onSearch = onSearch;
    this.box = { left: 0.3, top: 0.3, width: 0.4, height: 0.4 };
    this.frame = h("div", { class: "box", tabIndex: 0, role: "application", "aria-label": S.viewer.boxHelp });
    this.layer = h(
      "div",
      { class: "box-layer", hidden: true },
      this.frame,
      h(
        "div",
        { class: "box-buttons" },
        h("button", { type: "button", class: "main", id: "box-search", onclick: () => this.search() }, S.viewer.boxSearch),
        h("button", { type: "button", onclick: () => this.close() }, S.viewer.boxCancel),
      ),
    );
    this.layer.addEventListener("pointerdown", (event) => this.onPointer(event));
    this.frame.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.place()).observe(video);
  }

  get isOpen() {
    return !this.layer.hidden;
  }

  open() {
    this.layer.hidden = false;
    this.place();
    this.frame.focus();
    announce(S.viewer.boxHelp);
  }

  close() {
    this.layer.hidden = true;
  }

  search() {
    const { left, top, width, height } = this.box;
    this.close();
    this.onSearch([left, top, width, height].map((each) => each.toFixed(4)).join(","));
  }

  place() {
    const picture = pictureBox(this.video);
    this.frame.style.left = `${picture.left + this.box.left * picture.width}px`;
    this.frame.style.top = `${picture.top + this.box.top * picture.height}px`;
    this.frame.style.width = `${this.box.width * picture.width}px`;
    this.frame.style.height = `${this.box.height * picture.height}px`;
  }

  /** @param {number} left @param {number} top @param {number} width @param {number} height */
  set(left, top, width, height) {
    const [w, t] = [Math.min(Math.max(width, STEP), 1), Math.min(Math.max(height, STEP), 1)];
    this.box = { left: Math.min(Math.max(left, 0), 1 - w), top: Math.min(Math.max(top, 0), 1 - t), width: w, height: t };
    this.place();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const moves = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
    const move = moves[event.key];
    if (event.key === "Enter") this.search();
    else if (event.key === "Escape") this.close();
    else if (move !== undefined) {
      const { left, top, width, height } = this.box;
      const [x, y] = [move[0] * STEP, move[1] * STEP];
      if (event.shiftKey) this.set(left, top, width + x, height + y);
      else this.set(left + x, top + y, width, height);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {PointerEvent} event */
  onPointer(event) {
    if (event.target instanceof HTMLButtonElement) return;
    event.preventDefault();
    const begin = this.at(event);
    this.layer.setPointerCapture(event.pointerId);
    /** @param {PointerEvent} moved */
    const move = (moved) => {
      const other = this.at(moved);
      this.set(Math.min(begin.x, other.x), Math.min(begin.y, other.y), Math.abs(begin.x - other.x), Math.abs(begin.y - other.y));
    };
    this.layer.addEventListener("pointermove", move);
    const up = () => {
      this.layer.removeEventListener("pointermove", move);
      this.frame.focus(); // so that Enter searches by what was drawn
    };
    this.layer.addEventListener("pointerup", up, { once: true });
  }

  /** @param {PointerEvent} event */
  at(event) {
    const area = this.video.getBoundingClientRect();
    const picture = pictureBox(this.video);
    /** @param {number} value */
    const inside = (value) => Math.min(Math.max(value, 0), 1);
    return {
      x: inside((event.clientX - area.left - picture.left) / Math.max(picture.width, 1)),
      y: inside((event.clientY - area.top - picture.top) / Math.max(picture.height, 1)),
    };
  }
}
