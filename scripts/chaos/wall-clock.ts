import { writeFileSync } from "node:fs";

/** The wall clock of one process, moved by libfaketime while it runs. Monotonic clocks stay. */
export class WallClock {
  readonly #file: string;
  readonly #preload: string;
  #offsetMs = 0;

  /** @param file tells the library how far the clock is off; it is read again every second. */
  constructor(file: string, preload: string) {
    this.#file = file;
    this.#preload = preload;
    this.set(0);
  }

  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Sets how far the clock is off; the process sees it within a second. */
  set(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    const seconds = (offsetMs / 1000).toFixed(3);
    writeFileSync(this.#file, `${offsetMs < 0 ? seconds : `+${seconds}`}\n`);
  }

  /** For the process whose clock it is. */
  environment(): Record<string, string> {
    return {
      LD_PRELOAD: this.#preload,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    };
  }
}
