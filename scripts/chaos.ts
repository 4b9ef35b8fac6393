/** Does everything to a cluster of real processes that the machine allows, and checks what it says. */
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FAULTS } from "./chaos/fault-kinds.ts";
import {
  findIsolation,
  isInside,
  leaveOutside,
  onOutsideStop,
  runInside,
} from "./chaos/isolation.ts";
import type { ChaosOptions } from "./chaos/options.ts";
import { HELP, readOptions, UsageError } from "./chaos/options.ts";
import { formatReport, reportOf } from "./chaos/report.ts";
import { keepRunDirectory, makeRunDirectory, sweepLeftovers } from "./chaos/run-directory.ts";
import type { ChaosProgress } from "./chaos/run.ts";
import { runChaos } from "./chaos/run.ts";
import { judge } from "./chaos/verdict.ts";

/** Where the run writes, for the process inside of the namespaces. */
const DIRECTORY = "QUORATE_CHAOS_DIRECTORY";
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  const given = process.env[DIRECTORY];
  if (isInside() && given !== undefined) return await runHere(options, given, "");
  for (const what of sweepLeftovers()) process.stderr.write(`removed a leftover: ${what}\n`);
  const directory = makeRunDirectory(options.keep ?? undefined);
  const { found, why } = await findIsolation();
  if (found === null) return await settle(directory, options, runHere(options, directory, why));
  process.env[DIRECTORY] = directory;
  const run = runInside(found, fileURLToPath(import.meta.url));
  // A Ctrl-C reaches the process inside as well; it says when it is done.
  process.on("SIGINT", run.stop);
  process.on("SIGTERM", run.stop);
  onOutsideStop(run.stop);
  return await settle(directory, options, run.exitCode);
}

/** A good run leaves nothing behind; of any other everything is kept. */
async function settle(
  directory: string,
  { keep }: ChaosOptions,
  running: Promise<number>,
): Promise<number> {
  let isGood = false;
  try {
    const code = await running;
    isGood = code === 0 && keep === null;
    return code;
  } finally {
    if (isGood) {
      rmSync(directory, { recursive: true, force: true });
    } else {
      keepRunDirectory(directory);
      const kept = "histories, logs, data and the log of faults are kept in";
      process.stderr.write(`${kept} ${directory}\n`);
    }
  }
}

async function runHere(
  options: ChaosOptions,
  directory: string,
  whyNotIsolated: string,
): Promise<number> {
  const stopping = new AbortController();
  const stop = (): void => {
    if (!stopping.signal.aborted) process.stderr.write("\nheals, and ends\n");
    stopping.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  onOutsideStop(stop);
  const line = new ProgressLine(options);
  const evidence = await runChaos({
    options,
    faults: FAULTS,
    directory,
    whyNotIsolated,
    stopping: stopping.signal,
    onProgress: (progress) => {
      line.show(progress);
    },
  });
  line.clear();
  const text = options.json ? JSON.stringify(reportOf(evidence)) : formatReport(evidence);
  process.stdout.write(`${text}\n`);
  if (stopping.signal.aborted) return INTERRUPTED;
  return judge(evidence).length === 0 ? 0 : 1;
}

/** One line on a terminal, over and over; nothing elsewhere. */
class ProgressLine {
  readonly #startMs = performance.now();
  readonly #options: ChaosOptions;

  constructor(options: ChaosOptions) {
    this.#options = options;
  }

  show({ operations, faultsFired, faultsActive, problems }: ChaosProgress): void {
    if (!process.stderr.isTTY) return;
    const elapsedS = (performance.now() - this.#startMs) / 1000;
    const text =
      `${elapsedS.toFixed(0)} of ${(this.#options.durationMs / 1000).toFixed(0)} s: ` +
      `${operations} operations, ${faultsFired} faults, ${faultsActive} at this moment` +
      (problems === 0 ? "" : `, ${problems} PROBLEMS`);
    process.stderr.write(`\r${text}\u001b[K`);
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }
}

try {
  process.exitCode = await main();
  leaveOutside();
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  if (!isUsage) throw error;
  process.stderr.write(`error: ${error.message}\n  try:  npm run chaos -- --help\n`);
  process.exitCode = 2;
}
