import type { Clock, Timer } from "../ports/clock.ts";

interface Wait {
  readonly revision: number;
  readonly done: (isReached: boolean) => void;
  readonly limit: Timer;
}

/** Reads that ask for a revision of the store that is not there yet. */
export class RevisionWaits {
  readonly #clock: Clock;
  readonly #waits = new Set<Wait>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `done` once, later: with true at `revision`, with false after `patienceMs`. */
  add(revision: number, patienceMs: number, done: (isReached: boolean) => void): void {
    const limit = this.#clock.after(patienceMs, () => {
      this.#waits.delete(wait);
      done(false);
    });
    const wait: Wait = { revision, done, limit };
    this.#waits.add(wait);
  }

  /** The store is at `revision` now. */
  reached(revision: number): void {
    for (const wait of this.#waits) {
      if (wait.revision > revision) continue;
      this.#waits.delete(wait);
      wait.limit.cancel();
      wait.done(true);
    }
  }
}
