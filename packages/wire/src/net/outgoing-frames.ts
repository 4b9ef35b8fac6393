/** Frames below this are copied together: one small copy costs less than one more iovec. */
const COPY_BELOW_BYTES = 1024;

/** Frames of this turn, joined into as few buffers as pays. */
export class OutgoingFrames {
  #frames: Uint8Array[] = [];
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  add(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#sizeBytes += frame.byteLength;
  }

  /** Empties the queue: large frames as they are, neighbouring small ones as one buffer. */
  take(): Uint8Array[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#sizeBytes = 0;
    if (frames.length <= 1) return frames;
    const joined: Uint8Array[] = [];
    let run: Uint8Array[] = [];
    for (const frame of frames) {
      if (frame.byteLength < COPY_BELOW_BYTES) {
        run.push(frame);
      } else {
        joinRun(run, joined);
        run = [];
        joined.push(frame);
      }
    }
    joinRun(run, joined);
    return joined;
  }

  clear(): void {
    this.#frames = [];
    this.#sizeBytes = 0;
  }
}

function joinRun(run: readonly Uint8Array[], into: Uint8Array[]): void {
  const [first] = run;
  if (first === undefined) return;
  into.push(run.length === 1 ? first : Buffer.concat(run));
}
