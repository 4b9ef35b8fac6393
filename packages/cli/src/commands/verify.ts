import { randomInt } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

import { QuorateClient } from "@quorate/wire/client";
import { Option } from "commander";

import { isSettled, reportCluster } from "../cluster-report.ts";
import { describeHealth, repairCommands } from "../cluster-wording.ts";
import { ClusterWatch } from "../cluster-watch.ts";
import type { CommandLine } from "../command-line.ts";
import { durationArgument, wholeNumberArgument } from "../command-line.ts";
import type { CommandContext, Target } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { makePrivateDirectory, removeIfEmpty } from "../local-cluster/state-directory.ts";
import { observeCluster } from "../observe.ts";
import { ProgressLine } from "../output/progress-line.ts";
import { faultLine, verifyFields, verifyLines } from "../output/verify-report.ts";
import { resolveTarget } from "../target.ts";
import type { FaultKind, FaultTarget } from "../verify/faults/fault-kind.ts";
import { KillFault } from "../verify/faults/kill.ts";
import { PartitionFault } from "../verify/faults/partition.ts";
import { PauseFault } from "../verify/faults/pause.ts";
import type { VerifyPhase, VerifyReport } from "../verify/verify-run.ts";
import { verifyCluster } from "../verify/verify-run.ts";

const EXAMPLES = `
Examples:
  quorate verify --duration 60s --faults kill,pause,partition --clients 16
  quorate verify --faults none --rate 200      only reads and writes
  quorate verify --seed 7 --history run.ndjson
  quorate verify --endpoints 10.0.0.1:7001,10.0.0.2:7001 --faults partition

Works on keys of its own, which it deletes again. kill and pause need the processes of a local
cluster; partition needs nodes that were started with --allow-faults. Everything is healed at the
end, after Ctrl-C too.

Exit code 0: linearizable, nothing acknowledged lost, every fault that was asked for took effect.
8: it was not so; the history and the nodes' logs are kept. 1: the run was not begun: the cluster
is not healthy, or a fault is not possible.
`;

const FAULTS: Readonly<Record<string, () => FaultKind>> = {
  kill: () => new KillFault(),
  pause: () => new PauseFault(),
  partition: () => new PartitionFault(),
};

interface VerifyFlags {
  readonly duration: number;
  /** Null: all that are possible. */
  readonly faults: readonly string[] | null;
  readonly clients: number;
  readonly rate: number;
  readonly minRate: number;
  readonly seed?: number;
  readonly history?: string;
}

/** The checker has the whole history in memory. */
const OPERATIONS_MAX = 500_000;

const STATES_A_SECOND = 10;
const SEED_MAX = 999_999_999;
const READY_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 1_000;

function faultsArgument(text: string): readonly string[] {
  const names = text === "none" ? [] : text.split(",").map((name) => name.trim());
  const wrong = names.find((name) => !Object.hasOwn(FAULTS, name));
  if (wrong === undefined) return [...new Set(names)];
  throw new CommandError("usage", `"${wrong}" is no fault`, {
    why: [`faults: ${Object.keys(FAULTS).join(", ")}; or none`],
    try: ["quorate verify --faults kill,pause,partition"],
  });
}

/** The faults of the flags, or all that are possible; one that is not is refused. */
function chooseFaults(flags: VerifyFlags, target: FaultTarget): FaultKind[] {
  const kinds = (flags.faults ?? Object.keys(FAULTS)).flatMap((name) => FAULTS[name]?.() ?? []);
  if (flags.faults === null) return kinds.filter((kind) => kind.isPossible(target) === true);
  for (const kind of kinds) {
    const possible = kind.isPossible(target);
    if (possible === true) continue;
    const others = kinds.filter((other) => other.isPossible(target) === true);
    const names = others.length === 0 ? "none" : others.map(({ name }) => name).join(",");
    throw new CommandError("failed", `${kind.name} is not possible here`, {
      why: [possible],
      try: [`quorate verify --faults ${names}`],
    });
  }
  return kinds;
}

interface Opened {
  readonly target: FaultTarget;
  close(): Promise<void>;
}

/** Finds all members, and waits until they are up and level: faults come from here alone. */
async function openTarget(context: CommandContext, asked: Target): Promise<Opened> {
  const report = reportCluster(await observeCluster(asked, context.options.timeoutMs));
  if (report.health === "unreachable") {
    throw new CommandError("unreachable", "no node answers", {
      why: [`endpoints: ${asked.rule}`],
      try: [...repairCommands(report.nodes), "quorate status"],
    });
  }
  const members = report.nodes.filter((node) => node.health !== "retired");
  const nodes = members.map(({ id, address }) => ({ id, address }));
  const endpoints = nodes.map(({ address }) => address);
  const watch = new ClusterWatch({ ...asked, endpoints }, STATES_A_SECOND);
  const client = new QuorateClient({
    endpoints,
    timeoutMs: REQUEST_TIMEOUT_MS,
    clientName: "quorate-verify",
  });
  const close = async (): Promise<void> => {
    await Promise.all([watch.close(), client.close()]);
  };
  const settled = await watch.until(
    (now) => (isSettled(now) ? true : null),
    READY_TIMEOUT_MS,
    null,
  );
  if (settled === null) {
    const now = watch.report();
    await close();
    throw new CommandError("failed", "the cluster is not healthy: nothing was done to it", {
      why: [describeHealth(now).text],
      try: [...repairCommands(now.nodes), "quorate status --wait healthy"],
    });
  }
  const allowsCuts = watch
    .report()
    .nodes.every(({ answer }) => answer.kind === "answered" && answer.status.faultsAllowed);
  return { target: { nodes, cluster: asked.cluster, allowsCuts, watch, client }, close };
}

/** The rate that was asked for, or less in a run that would be too long for it. */
function ratePerSecond(context: CommandContext, { rate, duration }: VerifyFlags): number {
  const most = Math.max(1, Math.floor((OPERATIONS_MAX * 1_000) / duration));
  if (rate !== 0 && rate <= most) return rate;
  const reason = `the checker takes ${OPERATIONS_MAX.toLocaleString("en")} operations`;
  if (rate !== 0) context.printer.note(`At most ${most} operations a second: ${reason}.`);
  return most;
}

/** Where the history goes, and the logs where something was found. */
function evidenceFolder(context: CommandContext, { cluster }: Target): string {
  if (cluster === null) return mkdtempSync(join(tmpdir(), "quorate-verify-"));
  const stamp = new Date().toISOString().replace(/[:.]/gu, "-");
  const folder = join(context.stateRoot, cluster.name, "verify", `${stamp}-${process.pid}`);
  makePrivateDirectory(folder);
  return folder;
}

function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  if (basename(dirname(folder)) === "verify") removeIfEmpty(dirname(folder));
}

function keepLogs(folder: string, { cluster }: Target): void {
  for (const { id, logPath } of cluster?.nodes() ?? []) {
    if (existsSync(logPath)) copyFileSync(logPath, join(folder, `${id}.log`));
  }
}

function phaseText(phase: VerifyPhase, durationMs: number, now: () => string): () => string {
  switch (phase.kind) {
    case "working":
      return () => {
        const { elapsedMs, counts } = phase.progress();
        const time = `${(elapsedMs / 1_000).toFixed(1)}/${(durationMs / 1_000).toFixed(0)} s`;
        const done = `${counts.ok} ok, ${counts.failed} failed, ${counts.unknown} unknown`;
        return `  ${time}  ${done}  ${now()}`;
      };
    case "readingBack":
      return () => "  reads everything back, compares the nodes …";
    case "checking":
      return () => "  checks the history …";
  }
}

async function runVerify(
  context: CommandContext,
  flags: VerifyFlags,
  asked: Target,
  historyPath: string,
): Promise<{ readonly report: VerifyReport; readonly seed: number }> {
  const { printer, stderr, options } = context;
  const opened = await openTarget(context, asked);
  const { target } = opened;
  const line = new ProgressLine(stderr, options.quiet);
  const seed = flags.seed ?? randomInt(SEED_MAX);
  try {
    const faults = chooseFaults(flags, target);
    const names = faults.length === 0 ? "no faults" : faults.map(({ name }) => name).join(", ");
    const length = formatDuration(flags.duration);
    printer.note(`${flags.clients} clients for ${length}, ${names}; seed ${seed}`);
    let current = "";
    const report = await verifyCluster({
      target,
      faults,
      durationMs: flags.duration,
      clients: flags.clients,
      seed,
      ratePerSecond: ratePerSecond(context, flags),
      okPerSecondMin: flags.minRate,
      historyPath,
      signal: context.interrupts.claim(),
      onFault: (record, stage) => {
        current = stage === "tried" && record.event.kind === "happened" ? record.event.text : "";
        line.above(() => printer.note(faultLine(record, stage)));
      },
      onPhase: (phase) => line.show(phaseText(phase, flags.duration, () => current)),
    });
    return { report, seed };
  } finally {
    line.end();
    await opened.close();
  }
}

async function verify(context: CommandContext, flags: VerifyFlags): Promise<number> {
  const asked = resolveTarget(context);
  const folder = evidenceFolder(context, asked);
  const historyPath =
    flags.history === undefined ? join(folder, "history.ndjson") : resolve(flags.history);
  let isKept = false;
  try {
    const { report, seed } = await runVerify(context, flags, asked, historyPath);
    isKept = report.problems.length > 0;
    if (isKept) keepLogs(folder, asked);
    const { printer } = context;
    const kept = isKept || flags.history !== undefined ? historyPath : null;
    for (const text of verifyLines(report, printer.paint)) printer.line(text);
    if (kept !== null) printer.line(`history  ${kept}`);
    if (isKept && asked.cluster !== null) printer.line(`logs     ${folder}`);
    const passed = isKept ? printer.paint("bad", "✗ FAILED") : printer.paint("good", "✓ PASSED");
    printer.line(`${passed}  seed ${seed}`);
    printer.document("VerifyResult", { ...verifyFields(report), seed, history: kept });
    return exitCodeOf(isKept ? "checkFailed" : "done");
  } catch (error) {
    // What went wrong is no verdict; the history tells what led to it.
    isKept = !(error instanceof CommandError) && existsSync(historyPath);
    if (isKept) {
      keepLogs(folder, asked);
      context.printer.note(`history and logs: ${folder}`);
    }
    throw error;
  } finally {
    if (!isKept) removeFolder(folder);
  }
}

export function addVerifyCommand({ program, act }: CommandLine): void {
  program
    .command("verify")
    .summary("read and write under faults, and prove that nothing went wrong")
    .description("Works on a live cluster while faults are done to it, and checks every answer.")
    .addOption(
      new Option("--duration <duration>", "how long")
        .default(60_000, "60s")
        .argParser(durationArgument),
    )
    .addOption(
      new Option("--faults <names>", "kill, pause, partition, with commas between; or none")
        .default(null, "all that are possible")
        .argParser(faultsArgument),
    )
    .option("--clients <n>", "clients side by side", wholeNumberArgument("--clients", 1, 1_000), 16)
    .addOption(
      new Option("--rate <n>", "operations a second of all clients; 0: as fast as they go")
        .default(1_000, "1,000")
        .argParser(wholeNumberArgument("--rate", 0, 1_000_000)),
    )
    .option(
      "--min-rate <n>",
      "fewer answered operations a second fail the run",
      wholeNumberArgument("--min-rate", 0, 1_000_000),
      10,
    )
    .option("--seed <n>", "the same plan again", wholeNumberArgument("--seed", 0, SEED_MAX))
    .option("--history <file>", "keep the history there (quorate check-history reads it)")
    .addHelpText("after", EXAMPLES)
    .action((flags: VerifyFlags) => act((context) => verify(context, flags)));
}
