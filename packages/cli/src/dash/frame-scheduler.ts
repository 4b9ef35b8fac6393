/** Lets a screen redraw after changes, but no more often than it should. */
export class FrameScheduler {
  readonly #intervalMs: number;
  readonly #listeners: Set<() => void> = new Set();
  #frame = 0;
  #lastAtMs = -Infinity;
  #timer: NodeJS.Timeout | null = null;

  constructor(framesPerSecond: number) {
    this.#intervalMs = 1000 / framesPerSecond;
  }

  /** Asks for a frame: now, or when the time since the last one has passed. */
  request(): void {
    if (this.#timer !== null) {
      return;
    }
    const waitMs = this.#lastAtMs + this.#intervalMs - performance.now();
    // Never within the caller: many changes of one turn make one frame.
    this.#timer = setTimeout(() => this.#draw(), Math.max(0, waitMs));
  }

  /** Ends all frames. */
  stop(): void {
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
    }
    this.#listeners.clear();
  }

  /** For `useSyncExternalStore`. */
  readonly subscribe: (listener: () => void) => () => void = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** For `useSyncExternalStore`: counts up with every frame that is due. */
  readonly frame: () => number = () => this.#frame;

  #draw(): void {
    this.#timer = null;
    this.#lastAtMs = performance.now();
    this.#frame += 1;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}
