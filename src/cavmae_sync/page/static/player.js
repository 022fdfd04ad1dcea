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

  /** Show the frame at a time; where there is no picture, go there all the same. @param {number} seconds */
  seek(seconds) {
    if (this.stopAt !== null && seconds >= this.stopAt) this.stopAt = null;
    if (this.frames.has(seconds)) this.showFrame(this.frames.at(seconds));
    else {
      this.wanted = null;
      this.video.currentTime = Math.max(seconds, 0);
      this.onFrame();
    }
  }

  /** Stop, and forget the file. */
  clear() {
    this.backwards = 0;
    this.wanted = null;
    this.stopAt = null;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
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
    this.backwards = this.backwards === 0 ? 1 : Math.min(this.backwards * 2, FASTEST);
    this.stepBack(performance.now(), this.frame, this.backwards);
  }

  /** @param {number} began @param {number} from @param {number} rate */
  stepBack(began, from, rate) {
    requestAnimationFrame((now) => {
      if (this.backwards !== rate) return; // stopped, or at another rate
      const passed = ((now - began) / 1000) * rate * this.frames.perSecond;
      const target = Math.max(from - Math.floor(passed), 0);
      if (target !== this.frame && !this.video.seeking) this.showFrame(target);
      if (target === 0) this.backwards = 0;
      else this.stepBack(began, from, rate);
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
