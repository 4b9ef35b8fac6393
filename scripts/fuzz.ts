/** Fuzzes every decoder: for some minutes, or one input again. */
import type { Arguments } from "./fuzz/arguments.ts";
import { HELP, parseArguments, UsageError } from "./fuzz/arguments.ts";
import { describeFinding, reportJson, reportText, summaryLine } from "./fuzz/report.ts";
import { FuzzSession, tryInput, UnknownTargetError } from "./fuzz/session.ts";
import { ProgressLine } from "./terminal/progress-line.ts";

const INTERRUPTED = 130;

async function fuzz(given: Arguments): Promise<number> {
  const { seed, workers, targets, minutes, json } = given;
  const progress = new ProgressLine();
  const session = new FuzzSession({
    seed,
    workers,
    targets,
    onFinding: (finding) => {
      if (!json) progress.print(describeFinding(finding));
    },
  });
  let isInterrupted = false;
  process.once("SIGINT", () => {
    isInterrupted = true;
    void session.end();
  });
  if (!json) progress.print(`seed ${seed}`);
  progress.show(() => summaryLine(session, minutes * 60_000));
  try {
    await session.run(minutes * 60_000);
  } finally {
    progress.clear();
  }
  const context = { seed, workers, isInterrupted };
  const idle = isInterrupted ? [] : session.idle();
  const print = json ? reportJson : reportText;
  process.stdout.write(`${print(session, { ...context, idle })}\n`);
  if (isInterrupted) return INTERRUPTED;
  return session.findings.length === 0 && idle.length === 0 ? 0 : 1;
}

async function replay(target: string, input: Uint8Array): Promise<number> {
  const finding = await tryInput(target, input);
  const text = finding === null ? `${target}: nothing breaks` : describeFinding(finding);
  process.stdout.write(`${text}\n`);
  return finding === null ? 0 : 1;
}

try {
  const given = parseArguments(process.argv.slice(2));
  const [target = ""] = given.targets ?? [];
  if (given.help) process.stdout.write(HELP);
  else if (given.input === null) process.exitCode = await fuzz(given);
  else process.exitCode = await replay(target, given.input);
} catch (error) {
  if (!(error instanceof UsageError || error instanceof UnknownTargetError)) throw error;
  process.stderr.write(`error: ${error.message}\n  try:  npm run fuzz -- --help\n`);
  process.exitCode = 2;
}
