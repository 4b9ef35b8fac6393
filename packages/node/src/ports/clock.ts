/** Something that was scheduled and can be taken back. */
export interface Timer {
  /** After this the function is not called any more. Harmless when repeated. */
  cancel(): void;
}

/** Monotonic time and the loop's turns. No wall clock: it decides nothing (Diss. §6.4.1). */
export interface Clock {
  /** Milliseconds since some fixed moment, never falling; with fractions. */
  nowMs(): number;
  /** Calls `fn` once, no sooner than `delayMs` from now. */
  after(delayMs: number, fn: () => void): Timer;
  /** Calls `fn` once, after what the sockets have ready now has been read. */
  soon(fn: () => void): void;
}
