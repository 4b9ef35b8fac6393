import { Worker } from "node:worker_threads";
import type { PlanOverrides, SeedOutcome } from "@quorate/node/testing";

/** One run of one seed. */
export interface SeedJob {
  readonly seed: number;
  readonly overrides: PlanOverrides;
  /** With a planted bug. */
  readonly canary: boolean;
}

/** A seed takes a fraction of a second: one that takes this long does not end at all. */
const SEED_LIMIT_MS = 300_000;
/** Most of what a run allocates is garbage at once: the larger, the less is copied. */
const YOUNG_GENERATION_MB = 96;

/** Threads that run seeds. A seed that hangs or kills its thread is an outcome like any other. */
export class SeedPool {
  readonly size: number;
  readonly #idle: SeedThread[] = [];
  readonly #all = new Set<SeedThread>();

  constructor(size: number) {
    this.size = size;
  }

  /** Resolves to what the run has shown. At most {@link SeedPool.size} run at a time. */
  async run(job: SeedJob): Promise<SeedOutcome> {
    const thread = this.#idle.pop() ?? new SeedThread();
    this.#all.add(thread);
    const outcome = await thread.run(job);
    if (thread.isAlive) this.#idle.push(thread);
    else this.#all.delete(thread);
    return outcome;
  }

  /** Ends all threads at once, whatever they run. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((thread) => thread.end()));
  }
}

class SeedThread {
  isAlive = true;
  readonly #worker: Worker;
  #onOutcome: (outcome: SeedOutcome) => void = () => {};
  #onFall: (message: string, stack: string | null) => void = () => {};

  constructor() {
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB };
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { resourceLimits });
    this.#worker.on("message", (outcome: SeedOutcome) => {
      this.#onOutcome(outcome);
    });
    this.#worker.on("error", (error) => {
      const { message, stack = null } = error instanceof Error ? error : new Error(String(error));
      this.#onFall(`the thread fell over: ${message}`, stack);
    });
  }

  run(job: SeedJob): Promise<SeedOutcome> {
    const { promise, resolve } = Promise.withResolvers<SeedOutcome>();
    this.#onOutcome = resolve;
    this.#onFall = (message, stack) => {
      void this.end();
      resolve(failureOf(job.seed, message, stack));
    };
    const limit = setTimeout(() => {
      this.#onFall(`the run did not end within ${SEED_LIMIT_MS / 1000} s`, null);
    }, SEED_LIMIT_MS).unref();
    this.#worker.postMessage(job);
    return promise.finally(() => {
      clearTimeout(limit);
    });
  }

  async end(): Promise<void> {
    this.isAlive = false;
    await this.#worker.terminate();
  }
}

function failureOf(seed: number, message: string, stack: string | null): SeedOutcome {
  return {
    seed,
    traceHash: "",
    eventCount: 0,
    simulatedMs: 0,
    coverage: {},
    failure: { invariant: "No Exception", message, lastEvents: [], stack },
  };
}
