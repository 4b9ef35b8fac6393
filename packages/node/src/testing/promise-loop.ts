import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Lets promises settle between two simulated events: every reaction that is due runs, and all that
 * follow from it, before time goes on. The order is the language's own, so that equal runs stay equal.
 */
export class PromiseLoop {
  #rejection: { readonly reason: unknown } | null = null;
  readonly #onRejection = (reason: unknown): void => {
    this.#rejection ??= { reason };
  };

  /** From now on a rejection that nobody handles is this simulation's finding. */
  start(): void {
    process.on("unhandledRejection", this.#onRejection);
  }

  async stop(): Promise<void> {
    await nextTurn();
    process.off("unhandledRejection", this.#onRejection);
  }

  /** A tick runs when no reaction is left. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      process.nextTick(resolve);
    });
  }

  /** Throws what a promise was rejected with for which nobody cared. */
  async look(): Promise<void> {
    await nextTurn();
    if (this.#rejection !== null) throw this.#rejection.reason;
  }
}
