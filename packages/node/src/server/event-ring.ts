import type { NodeEvent } from "@quorate/wire";

/** What a reader of the ring gets: the events after its place, and how many were overwritten. */
export interface EventsSince {
  readonly events: readonly NodeEvent[];
  readonly lost: number;
}

/** The newest events of a process, each with its number: 1, 2, 3, … */
export class EventRing {
  readonly #events: NodeEvent[] = [];
  readonly #capacity: number;
  #newestSequence = 0;

  /** @param capacity - how many events it remembers, at least 1 */
  constructor(capacity = 4096) {
    this.#capacity = capacity;
  }

  /** Number of the newest event; 0 before the first. */
  get newestSequence(): number {
    return this.#newestSequence;
  }

  /** Number of the event before the newest `count` that it remembers. */
  sequenceBefore(count: number): number {
    return this.#newestSequence - Math.min(count, this.#newestSequence, this.#capacity);
  }

  append(event: Omit<NodeEvent, "sequence">): NodeEvent {
    this.#newestSequence += 1;
    const numbered = { ...event, sequence: this.#newestSequence };
    this.#events[this.#offsetOf(this.#newestSequence)] = numbered;
    return numbered;
  }

  /** At most `maxCount` of the events after `sequence`, oldest first. */
  since(sequence: number, maxCount: number): EventsSince {
    const oldest = Math.max(1, this.#newestSequence - this.#capacity + 1);
    const first = Math.max(sequence + 1, oldest);
    const last = Math.min(this.#newestSequence, first + maxCount - 1);
    const events: NodeEvent[] = [];
    for (let at = first; at <= last; at += 1) {
      const event = this.#events[this.#offsetOf(at)];
      if (event !== undefined) events.push(event);
    }
    return { events, lost: first - sequence - 1 };
  }

  #offsetOf(sequence: number): number {
    return (sequence - 1) % this.#capacity;
  }
}
