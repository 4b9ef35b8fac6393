import type { Clock, Timer } from "../ports/clock.ts";

/** The machine's monotonic clock and the process's event loop. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),

  after(delayMs: number, fn: () => void): Timer {
    const timeout = setTimeout(fn, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },

  // The check phase: after every socket that was ready in this turn has been read. A microtask
  // would run after each socket's callback.
  soon(fn: () => void): void {
    setImmediate(fn);
  },
};
