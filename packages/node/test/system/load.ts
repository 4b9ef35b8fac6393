import type { QuorateClient } from "@quorate/wire/client";

/** Writers that each write one key after the other, and how long each write took. */
export class Load {
  readonly latenciesMs: number[] = [];
  failed = 0;
  #written = 0;
  #stopped = false;
  readonly #done: Promise<unknown>;

  constructor(client: QuorateClient, options: LoadOptions) {
    const { writers, count, keyOf, value } = options;
    const run = async (): Promise<void> => {
      while (!this.#stopped && this.#written < count) {
        const number = this.#written;
        this.#written += 1;
        const began = performance.now();
        try {
          await client.put(keyOf(number), value, { timeoutMs: 30_000 });
          this.latenciesMs.push(performance.now() - began);
        } catch {
          this.failed += 1;
        }
      }
    };
    this.#done = Promise.all(Array.from({ length: writers }, run));
  }

  /** Waits until all is written. */
  async done(): Promise<void> {
    await this.#done;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

export interface LoadOptions {
  /** Writes under way at once. */
  readonly writers: number;
  /** In all. */
  readonly count: number;
  readonly keyOf: (number: number) => string;
  readonly value: Uint8Array;
}
