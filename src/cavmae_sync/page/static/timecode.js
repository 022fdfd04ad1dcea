/** Frames, times and timecode. Frames are counted exactly, with the rate as a fraction. */

/** @import * as T from "./types.js" */

/** A frame that begins this much later counts as on screen: containers round. As exports count. */
const SLACK_SECONDS = 1e-3;

/** Time for people: 1:02.5, or 1:02:03.5. @param {number} seconds */
export function clock(seconds) {
  const tenths = Math.max(0, Math.round(seconds * 10));
  const whole = Math.floor(tenths / 10);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const end = `${String(rest).padStart(2, "0")}.${tenths % 10}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${end}` : `${minutes}:${end}`;
}

/** Frames of a file. */
export class Frames {
  /** @param {T.Source | null} source @param {number} seconds Length, where there is no source. */
  constructor(source, seconds) {
    this.source = source;
    this.over = source?.rate?.[0] ?? 25;
    this.under = source?.rate?.[1] ?? 1;
    this.first = source?.first_seconds ?? 0;
    this.count = source?.num_frames ?? Math.max(1, Math.ceil((seconds * this.over) / this.under));
  }

  get perSecond() {
    return this.over / this.under;
  }

  /** Frame on screen at a time. @param {number} seconds */
  at(seconds) {
    const frame = Math.floor(((seconds - this.first + SLACK_SECONDS) * this.over) / this.under);
    return Math.min(Math.max(frame, 0), this.count - 1);
  }

  /** Whether there is a picture at a time. @param {number} seconds */
  has(seconds) {
    return seconds >= this.first - SLACK_SECONDS && seconds < this.start(this.count) + SLACK_SECONDS;
  }

  /** Beginning of a frame. @param {number} frame */
  start(frame) {
    return this.first + (frame * this.under) / this.over;
  }

  /** Time to seek to, so that browsers show a frame: its middle. @param {number} frame */
  middle(frame) {
    return this.first + ((frame + 0.5) * this.under) / this.over;
  }

  /** Timecode of a frame, from the start timecode of the file on. @param {number} frame */
  timecode(frame) {
    const isDrop = this.source?.is_drop_frame ?? false;
    return timecode((this.source?.start_frame ?? 0) + frame, Math.round(this.perSecond), isDrop);
  }
}

/**
 * Text of a timecode.
 *
 * @param {number} frame Frames since 00:00:00:00.
 * @param {number} base Frames that are counted in a second: 30 at 29.97.
 * @param {boolean} isDrop
 */
export function timecode(frame, base, isDrop) {
  let number = frame;
  if (isDrop) {
    const dropped = Math.round(base / 15);
    const tenMinutes = base * 600 - 9 * dropped;
    const [tens, rest] = [Math.floor(number / tenMinutes), number % tenMinutes];
    const minute = rest < base * 60 ? 0 : 1 + Math.floor((rest - base * 60) / (base * 60 - dropped));
    number += dropped * (9 * tens + minute);
  }
  number %= base * 86_400;
  const parts = [Math.floor(number / (base * 3600)), Math.floor(number / (base * 60)) % 60, Math.floor(number / base) % 60];
  const text = parts.map((part) => String(part).padStart(2, "0")).join(":");
  const digits = Math.max(2, String(base - 1).length);
  return `${text}${isDrop ? ";" : ":"}${String(number % base).padStart(digits, "0")}`;
}
