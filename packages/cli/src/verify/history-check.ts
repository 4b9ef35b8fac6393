import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

import type { Verdict } from "@quorate/wire/history";

const BUDGET_MS = 120_000;
const PROGRESS_INTERVAL_MS = 1_000;

/** How far the check of a file is: at most once a second, and when all is read. */
export type FileCheckProgress =
  | { readonly kind: "reading"; readonly lines: number }
  | { readonly kind: "read"; readonly operations: number }
  | {
      readonly kind: "checking";
      readonly decided: number;
      readonly partitions: number;
      readonly steps: number;
    };

export interface FileCheckOptions {
  /** Lines of JSON in place of a file's. */
  readonly input?: NodeJS.ReadableStream;
  /** Of the check without the reading, in ms. Default: two minutes. */
  readonly budgetMs?: number;
  /** False: log positions are left aside. Default true. */
  readonly usePositions?: boolean;
  readonly onProgress?: (progress: FileCheckProgress) => void;
  /** Ends the check at once. */
  readonly signal?: AbortSignal;
}

interface Errand {
  readonly historyCheck: {
    /** Null: the thread's standard input. */
    readonly path: string | null;
    readonly budgetMs: number;
    readonly usePositions: boolean;
  };
}

type Report =
  | FileCheckProgress
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  | { readonly kind: "noHistory"; readonly message: string };

/** The file is no history: its first bad line, as the thread's `HistoryError` told it. */
export class NoHistoryError extends Error {
  override readonly name = "NoHistoryError";
}

/**
 * Reads a history and checks it, in a thread of its own: signals, clients and progress go on.
 *
 * @throws NoHistoryError; what reading the file throws; the signal's reason.
 */
export async function checkFile(path: string, options: FileCheckOptions = {}): Promise<Verdict> {
  const { input, signal, onProgress } = options;
  signal?.throwIfAborted();
  const errand: Errand = {
    historyCheck: {
      path: input === undefined ? path : null,
      budgetMs: options.budgetMs ?? BUDGET_MS,
      usePositions: options.usePositions ?? true,
    },
  };
  const thread = new Worker(new URL(import.meta.url), {
    name: "history check",
    workerData: errand,
    stdin: input !== undefined,
  });
  const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  thread.on("message", (report: Report) => {
    if (report.kind === "verdict") resolve(report.verdict);
    else if (report.kind === "noHistory") reject(new NoHistoryError(report.message));
    else onProgress?.(report);
  });
  thread.once("error", reject);
  thread.once("exit", () => reject(new Error(`the check of ${path} ended without a verdict`)));
  input?.once("error", reject);
  if (thread.stdin !== null) input?.pipe(thread.stdin);
  try {
    return await promise;
  } finally {
    signal?.removeEventListener("abort", abort);
    await thread.terminate();
  }
}

function isErrand(data: unknown): data is Errand {
  return typeof data === "object" && data !== null && "historyCheck" in data;
}

function tell(report: Report): void {
  parentPort?.postMessage(report);
}

/** Hands on what is told, at most once in a second. */
function oncePerSecond(): (progress: () => FileCheckProgress) => void {
  let toldAt = performance.now();
  return (progress) => {
    if (performance.now() - toldAt < PROGRESS_INTERVAL_MS) return;
    toldAt = performance.now();
    tell(progress());
  };
}

async function* counted(lines: AsyncIterable<string>): AsyncGenerator<string> {
  const tellNow = oncePerSecond();
  let count = 0;
  for await (const line of lines) {
    count += 1;
    if (count % 1024 === 0) tellNow(() => ({ kind: "reading", lines: count }));
    yield line;
  }
}

async function runErrand({ path, budgetMs, usePositions }: Errand["historyCheck"]): Promise<void> {
  // Loaded by the thread that needs it: no other command has to wait for it.
  const { checkHistory, HistoryError, parseHistory } = await import("@quorate/wire/history");
  const input = path === null ? process.stdin : createReadStream(path);
  // A line interface swallows the errors of its input, so they are caught at the input itself.
  const failed = new Promise<never>((_, reject) => input.once("error", reject));
  const lines = createInterface({ input, crlfDelay: Infinity });
  const tellNow = oncePerSecond();
  try {
    const history = await Promise.race([parseHistory(counted(lines)), failed]);
    tell({ kind: "read", operations: history.operations.length });
    const verdict = checkHistory(history, {
      budgetMs,
      usePositions,
      onProgress: ({ decided, partitions, steps }) =>
        tellNow(() => ({ kind: "checking", decided, partitions, steps })),
    });
    tell({ kind: "verdict", verdict });
  } catch (error) {
    if (!(error instanceof HistoryError)) throw error;
    tell({ kind: "noHistory", message: error.message });
  } finally {
    lines.close();
  }
}

if (!isMainThread && isErrand(workerData)) await runErrand(workerData.historyCheck);
