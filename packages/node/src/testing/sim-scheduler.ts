/** Something that will happen in simulated time. */
export class SimEvent {
  readonly atUs: number;
  readonly sequence: number;
  readonly #run: () => void;
  #cancelled = false;

  constructor(atUs: number, sequence: number, run: () => void) {
    this.atUs = atUs;
    this.sequence = sequence;
    this.#run = run;
  }

  cancel(): void {
    this.#cancelled = true;
  }

  /** Runs it unless it was cancelled, and says whether it did. */
  run(): boolean {
    if (this.#cancelled) return false;
    this.#run();
    return true;
  }
}

/**
 * Simulated time: one heap of events ordered by (time, order of scheduling). Time stands still
 * while an event runs.
 */
export class SimScheduler {
  readonly #heap: SimEvent[] = [];
  #nowUs = 0;
  #nextSequence = 0;

  /** Microseconds since the simulation began. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** Runs `run` `delayUs` (a whole number) from now, after what is due at that time already. */
  schedule(delayUs: number, run: () => void): SimEvent {
    const event = new SimEvent(this.#nowUs + Math.max(0, delayUs), this.#nextSequence++, run);
    this.#push(event);
    return event;
  }

  /** Runs the next event; false when none is left. */
  runNext(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      this.#nowUs = event.atUs;
      if (event.run()) return true;
    }
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = event;
  }

  #pop(): SimEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = heap[childAt];
      if (child === undefined) break;
      const right = heap[childAt + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        childAt++;
      }
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(left: SimEvent, right: SimEvent): boolean {
  return left.atUs === right.atUs ? left.sequence < right.sequence : left.atUs < right.atUs;
}
