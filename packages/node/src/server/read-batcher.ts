import type { Clock } from "../ports/clock.ts";
import type { ReadOutcome } from "./driver-outcomes.ts";

type Done = (outcome: ReadOutcome) => void;

/**
 * Lets all linearizable reads of a turn of the loop share one read index. Each read was asked for
 * before the driver is, so the index covers every write that was acknowledged before it
 * (Diss. §6.4); a read of a later turn never joins an earlier one's round.
 */
export class ReadBatcher {
  readonly #readIndex: (done: Done) => void;
  readonly #clock: Clock;
  #waiting: Done[] = [];

  constructor(readIndex: (done: Done) => void, clock: Clock) {
    this.#readIndex = readIndex;
    this.#clock = clock;
  }

  add(done: Done): void {
    this.#waiting.push(done);
    if (this.#waiting.length > 1) return;
    this.#clock.soon(() => {
      const batch = this.#waiting;
      this.#waiting = [];
      this.#readIndex((outcome) => {
        for (const one of batch) one(outcome);
      });
    });
  }
}
