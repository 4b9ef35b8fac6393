import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { TargetFigures } from "./fuzzer.ts";
import { INPUT_MAX_BYTES } from "./mutations.ts";
import type { Finding } from "./target.ts";
import { kindOf } from "./target.ts";
import type { FuzzJob, FuzzReport } from "./worker.ts";

/** See the worker: place of the target, length of the input, and how many there were. */
const HEADER_WORDS = 3;

/** An input that a thread does not come back from for so long never ends. */
const HANG_MS = 60_000;
const LOOK_INTERVAL_MS = 1000;
const TARGETS_MODULE = new URL("./targets/index.ts", import.meta.url).href;

/** There is no target of that name. */
export class UnknownTargetError extends Error {}

export interface SessionOptions {
  readonly seed: string;
  readonly workers: number;
  readonly targets: readonly string[] | null;
  readonly onFinding: (finding: Finding) => void;
  /** Other targets than those of the command: a module with `makeTargets`. */
  readonly targetsModule?: string;
  /** Another patience than that of the command. */
  readonly hangMs?: number;
}

/** Threads that fuzz, and what they have found so far. */
export class FuzzSession {
  readonly #options: SessionOptions;
  readonly #threads: FuzzThread[] = [];
  readonly #findings: Finding[] = [];
  readonly #kinds = new Set<string>();
  #startMs = performance.now();
  #endMs: number | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  get elapsedMs(): number {
    return (this.#endMs ?? performance.now()) - this.#startMs;
  }

  /** Fuzzes for so long from the moment it has its targets, or until nothing is left to do; {@link end} ends it early. */
  async run(limitMs: number): Promise<void> {
    const { seed, workers, targets, targetsModule = TARGETS_MODULE, hangMs } = this.#options;
    const ends: Promise<void>[] = [];
    for (let number = 0; number < workers; number++) {
      const own = workers === 1 ? seed : `${seed}/${number}`;
      const job = { seed: own, targets, input: null, targetsModule };
      const onFinding = (finding: Finding): void => {
        this.#add(finding);
      };
      const thread = new FuzzThread(job, onFinding, hangMs);
      this.#threads.push(thread);
      ends.push(thread.ended);
    }
    let timer: NodeJS.Timeout | null = null;
    void Promise.all(this.#threads.map(({ ready }) => ready)).then(() => {
      if (this.#endMs !== null) return;
      this.#startMs = performance.now();
      timer = setTimeout(() => {
        void this.end();
      }, limitMs);
    });
    try {
      await Promise.all(ends);
    } finally {
      if (timer !== null) clearTimeout(timer);
      await this.end();
    }
  }

  async end(): Promise<void> {
    this.#endMs ??= performance.now();
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }

  /** By target, all threads together. */
  figures(): Map<string, TargetFigures> {
    const sums = new Map<string, TargetFigures>();
    for (const { figures } of this.#threads) {
      for (const [name, own] of Object.entries(figures)) {
        const sum = sums.get(name);
        sums.set(name, {
          executions: own.executions + (sum?.executions ?? 0),
          accepted: own.accepted + (sum?.accepted ?? 0),
          corpus: own.corpus + (sum?.corpus ?? 0),
          spentMs: own.spentMs + (sum?.spentMs ?? 0),
        });
      }
    }
    return sums;
  }

  /** Targets that ran too little to have tried their sound inputs. */
  idle(): string[] {
    return [...this.figures()]
      .filter(([, { executions, accepted }]) => executions === 0 || accepted === 0)
      .map(([name]) => name);
  }

  #add(finding: Finding): void {
    const kind = `${finding.target} ${kindOf(finding.what)}`;
    if (this.#kinds.has(kind)) return;
    this.#kinds.add(kind);
    this.#findings.push(finding);
    this.#options.onFinding(finding);
  }
}

/** Tries one input again; resolves to what broke, or null. */
export async function tryInput(target: string, input: Uint8Array): Promise<Finding | null> {
  let found: Finding | null = null;
  const job = { seed: "replay", targets: [target], input, targetsModule: TARGETS_MODULE };
  const thread = new FuzzThread(job, (finding) => {
    found = finding;
  });
  try {
    await thread.ended;
  } finally {
    await thread.end();
  }
  return found;
}

function unknownTarget(name: string, known: readonly string[]): UnknownTargetError {
  return new UnknownTargetError(`--target ${name}: there is only ${known.join(", ")}`);
}

class FuzzThread {
  readonly ended: Promise<void>;
  /** It has its targets, or never will. */
  readonly ready: Promise<void>;
  figures: Readonly<Record<string, TargetFigures>> = {};
  readonly #worker: Worker;
  readonly #seed: string;
  readonly #header: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #onFinding: (finding: Finding) => void;
  readonly #watch: NodeJS.Timeout;
  /** Its folder for temporary files: a thread that is ended cannot tidy up. */
  readonly #folder: string = mkdtempSync(join(tmpdir(), "quorate-fuzz-"));
  #names: readonly string[] = [];
  #seenCount = 0;
  #seenMs = performance.now();

  constructor(
    job: Omit<FuzzJob, "current">,
    onFinding: (finding: Finding) => void,
    hangMs: number = HANG_MS,
  ) {
    const current = new SharedArrayBuffer(4 * HEADER_WORDS + INPUT_MAX_BYTES);
    this.#header = new Uint32Array(current, 0, HEADER_WORDS);
    this.#bytes = new Uint8Array(current, 4 * HEADER_WORDS);
    this.#seed = job.seed;
    this.#onFinding = onFinding;
    const workerData: FuzzJob = { ...job, current };
    process.on("exit", this.#removeFolder);
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), {
      workerData,
      env: { ...process.env, TMPDIR: this.#folder },
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ended = promise;
    const { promise: ready, resolve: setReady } = Promise.withResolvers<void>();
    this.ready = ready;
    this.#worker.on("message", (report: FuzzReport) => {
      if (report.kind === "targets") {
        this.#names = report.names;
        const unknown = job.targets?.find((name) => !report.names.includes(name));
        if (unknown !== undefined) reject(unknownTarget(unknown, report.names));
        setReady();
      }
      if (report.kind === "finding") onFinding(report.finding);
      else if (report.kind === "figures") this.figures = report.figures;
      else if (report.kind === "tried") resolve();
    });
    this.#worker.on("error", (error) => {
      const { message, stack = null } = error instanceof Error ? error : new Error(String(error));
      // Before it has targets it is the thread's own fault.
      if (this.#names.length === 0) reject(error);
      else this.#blame(`ends the thread: ${message}`, stack);
    });
    this.#worker.on("exit", () => {
      setReady();
      resolve();
    });
    this.#watch = setInterval(() => {
      this.#lookForHang(hangMs);
    }, LOOK_INTERVAL_MS);
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    await this.#worker.terminate();
    process.off("exit", this.#removeFolder);
    this.#removeFolder();
  }

  readonly #removeFolder = (): void => {
    rmSync(this.#folder, { recursive: true, force: true });
  };

  #lookForHang(hangMs: number): void {
    const [, , count = 0] = this.#header;
    const nowMs = performance.now();
    if (count !== this.#seenCount || this.#names.length === 0) {
      this.#seenCount = count;
      this.#seenMs = nowMs;
    }
    if (nowMs - this.#seenMs < hangMs) return;
    this.#blame(`does not end within ${hangMs / 1000} s`, null);
    void this.end();
  }

  /** What it tries at this moment is at fault. */
  #blame(what: string, stack: string | null): void {
    const [place = 0, length = 0] = this.#header;
    const input = this.#bytes.slice(0, length);
    const target = this.#names[place] ?? "?";
    this.#onFinding({ target, seed: this.#seed, what, stack, input });
  }
}
