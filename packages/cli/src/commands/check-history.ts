import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

import type { CheckProgress, History, Verdict } from "@quorate/wire/history";
import { Option } from "commander";

import type { CommandLine } from "../command-line.ts";
import { durationArgument } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import { exitCodeOf } from "../exit-codes.ts";
import type { JsonValue } from "../output/json.ts";

const EXAMPLES = `
Examples:
  quorate check-history run.ndjson
  quorate check-history - < run.ndjson
  zcat run.ndjson.gz | quorate check-history - -o json | jq .verdict
  quorate check-history run.ndjson --budget 5m --ignore-positions

A history is a file of lines of JSON (docs/testing.md): what each client asked for, when, and what
it was answered.

Exit code 0: linearizable. 8: a violation; the smallest contradiction that was found is shown.
1: neither is shown: the budget ended first, or the history is void, for it could prove nothing.
`;

const PROGRESS_INTERVAL_MS = 1_000;

interface CheckHistoryOptions {
  readonly budget: number;
  readonly ignorePositions: boolean;
}

/** Hands lines on, and says now and then how many there were. */
async function* counted(
  context: CommandContext,
  lines: AsyncIterable<string>,
): AsyncGenerator<string> {
  let count = 0;
  let toldAt = performance.now();
  for await (const line of lines) {
    count++;
    if (count % 1024 === 0 && performance.now() - toldAt > PROGRESS_INTERVAL_MS) {
      toldAt = performance.now();
      context.printer.progress(`read ${count} lines`);
    }
    yield line;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Loaded where it is needed: no other command has to wait for it. */
function loadChecker(): Promise<typeof import("@quorate/wire/history")> {
  return import("@quorate/wire/history");
}

async function readHistory(context: CommandContext, file: string): Promise<History> {
  const { HistoryError, parseHistory } = await loadChecker();
  const input: NodeJS.ReadableStream =
    file === "-" ? context.stdin : createReadStream(file, { encoding: "utf8" });
  // A line interface swallows the errors of its input, so they are caught at the input itself.
  const failed = new Promise<never>((_, reject) => input.once("error", reject));
  const lines = createInterface({ input, crlfDelay: Infinity });
  try {
    return await Promise.race([parseHistory(counted(context, lines)), failed]);
  } catch (error) {
    if (isMissing(error)) throw new CommandError("notFound", `there is no file ${file}`);
    if (!(error instanceof HistoryError)) throw error;
    throw new CommandError("failed", `${file === "-" ? "stdin" : file} is no history`, {
      why: [error.message],
      cause: error,
    });
  } finally {
    lines.close();
  }
}

/** Tells on a terminal how far the check is, at most once a second. */
function progressOf(context: CommandContext): (progress: CheckProgress) => void {
  let toldAt = performance.now();
  return ({ decided, partitions, steps }) => {
    if (performance.now() - toldAt < PROGRESS_INTERVAL_MS) return;
    toldAt = performance.now();
    context.printer.progress(`${decided} of ${partitions} groups of keys decided, ${steps} steps`);
  };
}

async function check(
  context: CommandContext,
  file: string,
  options: CheckHistoryOptions,
): Promise<number> {
  const history = await readHistory(context, file);
  const { checkHistory, formatVerdict } = await loadChecker();
  const began = performance.now();
  const verdict = checkHistory(history, {
    budgetMs: options.budget,
    usePositions: !options.ignorePositions,
    onProgress: progressOf(context),
  });
  const tookMs = performance.now() - began;
  const { printer } = context;
  if (printer.format === "json") printer.document("HistoryVerdict", fieldsOf(verdict, tookMs));
  else printer.bytes(`${formatVerdict(verdict)}\n`);
  printer.trace(`checked in ${formatDuration(tookMs)}`);
  return exitCodeOf(REASONS[verdict.kind]);
}

const REASONS = {
  linearizable: "done",
  violation: "checkFailed",
  unknown: "failed",
  void: "failed",
} as const;

function fieldsOf(verdict: Verdict, tookMs: number): Readonly<Record<string, JsonValue>> {
  const { kind, ...facts } = verdict;
  // Histories are JSON already: they go out as they came in.
  const plain = JSON.parse(JSON.stringify(facts)) as Record<string, JsonValue>;
  return { verdict: kind, ...plain, tookMs: Math.round(tookMs) };
}

export function addCheckHistoryCommand({ program, act }: CommandLine): void {
  program
    .command("check-history")
    .summary("judge a recorded history")
    .description(
      "Tells whether a linearizable store can have given the answers of a recorded history.",
    )
    .argument("<file>", "lines of JSON; -: standard input")
    .addOption(
      new Option("--budget <duration>", "give up after this long")
        .default(60_000, "60s")
        .argParser(durationArgument),
    )
    .option("--ignore-positions", "decide without the log positions of the history", false)
    .addHelpText("after", EXAMPLES)
    .action((file: string, options: CheckHistoryOptions) =>
      act((context) => check(context, file, options)),
    );
}
