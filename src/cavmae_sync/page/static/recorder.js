/** The microphone: records until it is stopped. */

/** Longest recording, seconds. */
export const MOST_SECONDS = 60;

export class Recorder {
  /** @param {(seconds: number) => void} onTime @param {(sound: Blob | null, isFull: boolean) => void} onDone Null where it was dropped. */
  constructor(onTime, onDone) {
    this.onTime = onTime;
    this.onDone = onDone;
    /** @type {MediaRecorder | null} */
    this.recorder = null;
    this.isDropped = false;
    this.isStarting = false;
  }

  get isRunning() {
    return this.recorder !== null;
  }

  /** @throws {DOMException} The microphone is not there, or not allowed. */
  async start() {
    // What the browser does for telephone calls changes the sound.
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    this.isStarting = true;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
    } finally {
      this.isStarting = false;
    }
    const release = () => stream.getTracks().forEach((track) => track.stop());
    let recorder;
    try {
      recorder = new MediaRecorder(stream);
    } catch (error) {
      release();
      throw error;
    }
    /** @type {Blob[]} */
    const parts = [];
    const began = performance.now();
    const timer = setInterval(() => {
      const seconds = (performance.now() - began) / 1000;
      this.onTime(seconds);
      if (seconds >= MOST_SECONDS) recorder.stop();
    }, 200);
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      clearInterval(timer);
      release();
      this.recorder = null;
      const isFull = performance.now() - began >= MOST_SECONDS * 1000;
      this.onDone(this.isDropped ? null : new Blob(parts, { type: recorder.mimeType }), isFull);
    };
    this.isDropped = false;
    this.recorder = recorder;
    recorder.start();
  }

  stop() {
    this.recorder?.stop();
  }

  /** Stop, and forget what was recorded. */
  drop() {
    this.isDropped = true;
    this.stop();
  }
}
