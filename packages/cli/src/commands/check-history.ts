import type { Verdict } from "@quorate/wire/history";
import { Option } from "commander";

import type { CommandLine } from "../command-line.ts";
import { durationArgument } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import { exitCodeOf } from "../exit-codes.ts";
import type { JsonValue } from "../output/json.ts";
import type { FileCheckProgress } from "../verify/history-check.ts";
import { checkFile, NoHistoryError } from "../verify/history-check.ts";

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

interface CheckHistoryOptions {
  readonly budget: number;
  readonly ignorePositions: boolean;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Tells on a terminal how far the check is. */
function tellProgress({ printer }: CommandContext, progress: FileCheckProgress): void {
  switch (progress.kind) {
    case "reading":
      printer.progress(`read ${progress.lines} lines`);
      break;
    case "read":
      printer.progress(`checks ${progress.operations} operations`);
      break;
    case "checking": {
      const { decided, partitions, steps } = progress;
      printer.progress(`${decided} of ${partitions} groups of keys decided, ${steps} steps`);
    }
  }
}

/** In a thread of its own: a signal ends the command at once, however long the check takes. */
async function judgeFile(
  context: CommandContext,
  file: string,
  options: CheckHistoryOptions,
): Promise<Verdict> {
  try {
    return await checkFile(file, {
      ...(file === "-" ? { input: context.stdin } : {}),
      budgetMs: options.budget,
      usePositions: !options.ignorePositions,
      onProgress: (progress) => tellProgress(context, progress),
    });
  } catch (error) {
    if (isMissing(error)) throw new CommandError("notFound", `there is no file ${file}`);
    if (!(error instanceof NoHistoryError)) throw error;
    throw new CommandError("failed", `${file === "-" ? "stdin" : file} is no history`, {
      why: [error.message],
      cause: error,
    });
  }
}

async function check(
  context: CommandContext,
  file: string,
  options: CheckHistoryOptions,
): Promise<number> {
  const began = performance.now();
  const verdict = await judgeFile(context, file, options);
  const tookMs = performance.now() - began;
  const { printer } = context;
  if (printer.format === "json") printer.document("HistoryVerdict", fieldsOf(verdict, tookMs));
  else {
    // Loaded where it is needed: no other command has to wait for it.
    const { formatVerdict } = await import("@quorate/wire/history");
    printer.bytes(`${formatVerdict(verdict)}\n`);
  }
  printer.trace(`read and checked in ${formatDuration(tookMs)}`);
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
