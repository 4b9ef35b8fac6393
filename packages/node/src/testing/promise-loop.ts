import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Lets promises settle between two simulated events: every reaction that is due runs, and all that
 * follow from it, before time goes on. The order is the language's own, so that equal runs stay equal.
 */
export class PromiseLoop {
  #rejection: { readonly reason: unknown } | null = null;
  readonly #onRejection = (reason: unknown): void => {
    this.failed(reason);
  };

  /** From now on a rejection that nobody handles is this simulation's finding. */
  start(): void {
    process.on("unhandledRejection", this.#onRejection);
  }

  async stop(): Promise<void> {
    await nextTurn();
    process.off("unhandledRejection", this.#onRejection);
  }

  /** Something that uses promises has come to this end: the run is over. */
  failed(reason: unknown): void {
    this.#rejection ??= { reason };
  }

  /** A tick runs when no reaction is left. Rejected with what {@link failed} was told. */
  settle(): Promise<void> {
    return new Promise((resolve, reject) => {
      process.nextTick(() => {
        if (this.#rejection === null) resolve();
        else reject(this.#rejection.reason);
      });
    });
  }

  /** Throws what a promise was rejected with that nobody handles: Node.js tells after its turn. */
  async look(): Promise<void> {
    await nextTurn();
    if (this.#rejection !== null) throw this.#rejection.reason;
  }
}
