/** Waveform of a file on a canvas, with a cursor and a span; a slider for the keyboard. */
import { colour, h, sharp } from "./dom.js";

/** How far a pointer moves before it draws a span, CSS pixels. */
const DRAG_PIXELS = 4;
/** Height of the fit below the waveform. */
const STRIP_PIXELS = 16;

export class Waveform {
  /**
   * @param {object} how
   * @param {string} how.label
   * @param {(seconds: number) => void} how.onSeek
   * @param {(from: number, to: number) => void} how.onSpan
   * @param {() => string} how.positionText
   */
  constructor(how) {
    this.how = how;
    this.seconds = 1;
    this.position = 0;
    this.from = 0;
    this.to = 0;
    /** @type {number[]} */
    this.peaks = [];
    /** @type {number[] | null} */
    this.strip = null;
    this.canvas = h("canvas", { class: "wave", "aria-hidden": "true" });
    this.element = h(
      "div",
      {
        class: "wave-slider",
        role: "slider",
        tabIndex: 0,
        "aria-label": how.label,
        "aria-valuemin": "0",
        "aria-orientation": "horizontal",
      },
      this.canvas,
    );
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.element.addEventListener("pointerdown", (event) => this.onPointer(event));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** @param {number} seconds @param {number[]} peaks */
  setFile(seconds, peaks) {
    this.seconds = Math.max(seconds, 0.001);
    this.peaks = peaks;
    this.strip = null;
    this.draw();
  }

  /** @param {number[] | null} strip Fit along the file in [0, 1], at equal steps. */
  setStrip(strip) {
    this.strip = strip;
    this.draw();
  }

  /** @param {number} from @param {number} to */
  setSpan(from, to) {
    [this.from, this.to] = [from, to];
    this.draw();
  }

  /** @param {number} seconds */
  setPosition(seconds) {
    this.position = seconds;
    this.element.setAttribute("aria-valuemax", this.seconds.toFixed(1));
    this.element.setAttribute("aria-valuenow", seconds.toFixed(1));
    this.element.setAttribute("aria-valuetext", this.how.positionText());
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const steps = { PageUp: 10, PageDown: -10, End: Infinity };
    const step = steps[/** @type {"PageUp"} */ (event.key)];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.how.onSeek(Math.min(Math.max(this.position + step, 0), this.seconds));
  }

  /** @param {PointerEvent} event */
  onPointer(event) {
    if (event.button !== 0) return;
    const begin = event.clientX;
    const first = this.at(begin);
    let isSpan = false;
    this.element.setPointerCapture(event.pointerId);
    /** @param {PointerEvent} moved */
    const move = (moved) => {
      isSpan ||= Math.abs(moved.clientX - begin) > DRAG_PIXELS;
      if (!isSpan) return;
      const other = this.at(moved.clientX);
      this.how.onSpan(Math.min(first, other), Math.max(first, other));
    };
    const up = () => {
      this.element.removeEventListener("pointermove", move);
      this.element.removeEventListener("pointerup", up);
      if (!isSpan) this.how.onSeek(first);
    };
    this.element.addEventListener("pointermove", move);
    this.element.addEventListener("pointerup", up);
  }

  /** @param {number} clientX */
  at(clientX) {
    const box = this.canvas.getBoundingClientRect();
    const share = (clientX - box.left) / Math.max(box.width, 1);
    return Math.min(Math.max(share, 0), 1) * this.seconds;
  }

  draw() {
    if (this.canvas.clientWidth === 0) return;
    const { context, width, height } = sharp(this.canvas);
    /** @param {number} seconds */
    const x = (seconds) => (seconds / this.seconds) * width;
    context.fillStyle = colour("--span");
    context.fillRect(x(this.from), 0, Math.max(x(this.to) - x(this.from), 2), height);
    drawPeaks(context, this.peaks, width, height - STRIP_PIXELS, colour("--wave"));
    context.save();
    context.translate(0, height - STRIP_PIXELS);
    drawStrip(context, this.strip, width, STRIP_PIXELS);
    context.restore();
    context.fillStyle = colour("--text");
    for (const edge of [this.from, this.to]) context.fillRect(x(edge) - 0.5, 0, 1, height);
    context.fillStyle = colour("--accent");
    context.fillRect(x(this.position) - 1, 0, 2, height);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} peaks
 * @param {number} width
 * @param {number} height
 * @param {string} style
 */
export function drawPeaks(context, peaks, width, height, style) {
  context.fillStyle = style;
  const middle = height / 2;
  for (let column = 0; column < width; column += 2) {
    const first = Math.floor((column / width) * peaks.length);
    const last = Math.max(first + 1, Math.floor(((column + 2) / width) * peaks.length));
    const peak = Math.max(0, ...peaks.slice(first, last));
    const tall = Math.max(1, peak * height);
    context.fillRect(column, middle - tall / 2, 1.4, tall);
  }
}

/**
 * Fit along a file as bars at the bottom: taller where it fits better, so that it is not told by colour alone.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number[] | null} strip
 * @param {number} width
 * @param {number} height
 */
export function drawStrip(context, strip, width, height) {
  if (strip === null) return;
  context.fillStyle = colour("--match");
  strip.forEach((fit, number) => {
    const left = (number / strip.length) * width;
    const tall = Math.max(0.5, fit * height);
    context.fillRect(left, height - tall, Math.max(width / strip.length, 1), tall);
  });
}
