import { setTimeout as sleep } from "node:timers/promises";

import { QuorateClient } from "@quorate/wire/client";
import type { Operation } from "@quorate/wire/history";

import { Acknowledged } from "./acknowledged.ts";
import { Dice } from "./dice.ts";
import { KeySpace } from "./key-space.ts";
import { Pacer } from "./pacer.ts";
import { OperationRunner } from "./operation-runner.ts";
import { doOneOf } from "./operation-mix.ts";

export interface WorkloadOptions {
  /** `host:port` of nodes: reads go to each of them by name, too. Others are learned. */
  readonly endpoints: readonly string[];
  /** Clients that work side by side, each with one operation at a time. */
  readonly clients: number;
  readonly seed: number;
  /** Before every key: what was there before must not be in the way. */
  readonly keyPrefix: string;
  /** Operations a second of all clients; 0: as fast as they go. */
  readonly ratePerSecond: number;
  /** Of one operation with all its retries, in ms. */
  readonly timeoutMs: number;
  /** Every value has at least so many characters. Default 0: only what makes it unique. */
  readonly valueCharacters?: number;
  /** Told of each operation once its outcome is known. */
  readonly record: (operation: Operation) => void;
  /** Resolves when more may be recorded. */
  readonly room?: () => Promise<void>;
  /** A write took effect: both times by `performance.now()`, in ms. */
  readonly onAcknowledged?: (callMs: number, returnMs: number) => void;
}

/** What has come of the operations so far. */
export interface WorkloadCounts {
  readonly operations: number;
  /** Their outcome is known, and told by the store. */
  readonly ok: number;
  /** They surely had no effect; reads that were not answered too. */
  readonly failed: number;
  /** Writes that may have had an effect, or not. */
  readonly unknown: number;
}

/** A pause after a failure: an election is not over in a millisecond. */
const FAILURE_PAUSE_MS = 10;

/**
 * Clients that read and write a cluster and record what they asked for and were answered, for a
 * checker. Half of them write in sessions, half without. Values are unique; reads are
 * linearizable, and go to all nodes. A client whose write has an unknown outcome goes on under a
 * new name: that write stays under way for ever.
 */
export class Workload {
  readonly acknowledged: Acknowledged = new Acknowledged();
  readonly keys: KeySpace;
  readonly #options: WorkloadOptions;
  readonly #counts = { operations: 0, ok: 0, failed: 0, unknown: 0 };
  readonly #stopping = new AbortController();
  #running: Promise<unknown> | null = null;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.keys = new KeySpace(options.keyPrefix);
  }

  get counts(): WorkloadCounts {
    return { ...this.#counts };
  }

  /** Every key that was used. */
  get usedKeys(): string[] {
    return [...this.keys.used];
  }

  /** Begins. It goes on until {@link stop}, or until something that is no refusal goes wrong. */
  start(): void {
    const dice = new Dice(`workload/${this.#options.seed}`);
    const pacer = new Pacer(this.#options.ratePerSecond);
    const workers = Array.from({ length: this.#options.clients }, (_unused, number) =>
      this.#work(number + 1, dice.fork(`client/${number}`), pacer),
    );
    this.#running = Promise.all(workers);
    // Told by `stop`.
    this.#running.catch(() => this.#stopping.abort());
  }

  /** Aborted when the workload has ended, also by itself. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /**
   * Begins no more operations; resolves when those under way are recorded.
   *
   * @throws what went wrong that is no refusal of the store.
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #work(number: number, dice: Dice, pacer: Pacer): Promise<void> {
    const options = this.#options;
    const client = new QuorateClient({
      endpoints: dice.shuffle(options.endpoints),
      timeoutMs: options.timeoutMs,
      clientName: `verify-${number}`,
      sessions: number % 2 === 1,
    });
    const runner = new OperationRunner({
      name: `c${number}`,
      client,
      acknowledged: this.acknowledged,
      record: options.record,
      onAcknowledged: options.onAcknowledged ?? ((): void => undefined),
      valueCharacters: options.valueCharacters ?? 0,
    });
    try {
      while (!this.#stopping.signal.aborted) {
        await options.room?.();
        await pacer.turn();
        if (this.#stopping.signal.aborted) break;
        const outcomes = await doOneOf(runner, { dice, keys: this.keys, client });
        for (const outcome of outcomes) {
          this.#counts.operations += 1;
          this.#counts[outcome] += 1;
        }
        if (!outcomes.includes("ok")) await sleep(dice.between(1, FAILURE_PAUSE_MS));
      }
    } finally {
      await client.close();
    }
  }
}
