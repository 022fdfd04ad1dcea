/** Playing a file, exact to the frame: which frame is shown, seeking to its middle, J K L. */
import { Frames } from "./timecode.js";

const FASTEST = 4;

export class Player {
  /** @param {HTMLVideoElement} video @param {() => void} onFrame Called for every frame that is shown. */
  constructor(video, onFrame) {
    this.video = video;
    this.frames = new Frames(null, 1);
    this.onFrame = onFrame;
    /** @type {number | null} Frame that was asked for last, until another is shown. */
    this.wanted = null;
    this.backwards = 0;
    /** Whether somebody has paused or stepped since the moment was opened: then it does not begin to play. */
    this.isHeld = false;
    /** Whether a moment is being opened, and will play. */
    this.isOpening = false;
    /** @type {number | null} */
    this.stopAt = null;
    video.addEventListener("seeked", () => this.onFrame());
    video.addEventListener("play", () => this.watch());
    video.addEventListener("pause", () => this.onFrame());
  }

  /** @param {Frames} frames */
  setFrames(frames) {
    this.frames = frames;
    this.wanted = null;
    this.stopAt = null;
  }

  /** Frame on screen. */
  get frame() {
    return this.wanted ?? this.frames.at(this.video.currentTime);
  }

  get seconds() {
    return this.wanted === null ? this.video.currentTime : this.frames.start(this.wanted);
  }

  /** Whether a moment was opened that has not begun to play yet. */
  get isWaiting() {
    return this.isOpening && !this.isHeld;
  }

  get isPlaying() {
    return !this.video.paused || this.backwards > 0;
  }

  /** Show a frame. @param {number} frame */
  showFrame(frame) {
    const wanted = Math.min(Math.max(frame, 0), this.frames.count - 1);
    this.wanted = wanted;
    this.video.currentTime = this.frames.middle(wanted);
    this.onFrame();
  }

  /** Show the frame at a time. @param {number} seconds */
  seek(seconds) {
    this.showFrame(this.frames.at(seconds));
  }

  /** @param {number} step */
  stepFrame(step) {
    this.isHeld = true;
    this.pause();
    this.showFrame(this.frame + step);
  }

  /** @param {number | null} [stopAt] Time to stop at. */
  async play(stopAt = null) {
    this.backwards = 0;
    this.stopAt = stopAt;
    this.wanted = null;
    try {
      await this.video.play();
    } catch {
      // The browser wants a click first, or another file was opened meanwhile; it stays paused.
    }
  }

  pause() {
    this.isHeld = true;
    this.backwards = 0;
    this.video.playbackRate = 1;
    const frame = this.frame;
    if (!this.video.paused) {
      this.video.pause();
      this.showFrame(frame); // so that what stands there is what the timecode says
    }
  }

  toggle() {
    if (this.isPlaying || this.isWaiting) this.pause();
    else this.play();
  }

  /** Play forwards; faster each time. */
  faster() {
    if (this.video.paused || this.backwards > 0) {
      this.video.playbackRate = 1;
      this.play();
    } else this.video.playbackRate = Math.min(this.video.playbackRate * 2, FASTEST);
  }

  /** Play backwards, frame by frame; faster each time. Browsers have no rate below zero. */
  slower() {
    if (!this.video.paused) this.video.pause();
    const was = this.backwards;
    this.backwards = was === 0 ? 1 : Math.min(was * 2, FASTEST);
    if (was === 0) this.stepBack(performance.now(), this.frame);
  }

  /** @param {number} began @param {number} from */
  stepBack(began, from) {
    if (this.backwards === 0) return;
    requestAnimationFrame((now) => {
      const passed = ((now - began) / 1000) * this.backwards * this.frames.perSecond;
      const target = Math.max(from - Math.floor(passed), 0);
      if (target !== this.frame && !this.video.seeking) this.showFrame(target);
      if (target === 0) this.backwards = 0;
      else this.stepBack(began, from);
    });
  }

  /** Follow what is shown while it plays. */
  watch() {
    const tick = () => {
      if (this.video.paused) return;
      this.wanted = null;
      if (this.stopAt !== null && this.video.currentTime >= this.stopAt) {
        const last = this.frames.at(this.stopAt - 1e-6);
        this.stopAt = null;
        this.video.pause();
        this.showFrame(last);
        return;
      }
      this.onFrame();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
}
