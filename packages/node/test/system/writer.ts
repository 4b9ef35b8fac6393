import { setImmediate as turn } from "node:timers/promises";
import type { QuorateClient } from "@quorate/wire/client";
import { RequestError } from "@quorate/wire/client";

/** Writes fresh keys one after the other, for ever, and keeps what was acknowledged and when. */
export class Writer {
  readonly acknowledged: { readonly key: string; readonly atMs: number }[] = [];
  unknown = 0;
  readonly #client: QuorateClient;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(client: QuorateClient) {
    this.#client = client;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  /** The longest time between two acknowledgements, the second of which came after `sinceMs`. */
  longestGapSince(sinceMs: number): number {
    let gapMs = 0;
    for (let at = this.acknowledged.length - 1; at > 0; at -= 1) {
      const [before, after] = [this.acknowledged[at - 1], this.acknowledged[at]];
      if (before === undefined || after === undefined || after.atMs < sinceMs) break;
      gapMs = Math.max(gapMs, after.atMs - before.atMs);
    }
    return gapMs;
  }

  /** Acknowledged keys that a linearizable read does not find as they were written. */
  async lost(client: QuorateClient): Promise<string[]> {
    const lost: string[] = [];
    for (const { key } of this.acknowledged) {
      const { found } = await client.get(key);
      if (found === null || Buffer.from(found.value).toString() !== `value of ${key}`) {
        lost.push(key);
      }
    }
    return lost;
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#stopped; number += 1) {
      const key = `key-${number}`;
      try {
        await this.#client.put(key, `value of ${key}`);
        this.acknowledged.push({ key, atMs: performance.now() });
      } catch (error) {
        // A write whose leader died may have been committed: neither acknowledged nor lost.
        if (!(error instanceof RequestError)) throw error;
        this.unknown += 1;
      }
      await turn();
    }
  }
}
