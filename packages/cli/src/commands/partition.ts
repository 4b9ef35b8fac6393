import type { NodeId } from "@quorate/wire";
import { Option } from "commander";

import { repairCommands } from "../cluster-wording.ts";
import type { CommandLine } from "../command-line.ts";
import { durationArgument } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import type { CutOutcome, LineCut } from "../line-cuts.ts";
import { cutsBetween, cutsOneWay, describeCuts, hasObeyed, uncutLines } from "../line-cuts.ts";
import type { JsonValue } from "../output/json.ts";
import type { AskedCluster } from "./line-request.ts";
import { failureOf, look, reachable, tell } from "./line-request.ts";

const PARTITION_EXAMPLES = `
Examples:
  quorate partition n1               n1 alone; all others together
  quorate partition leader           whoever leads now, alone
  quorate partition n1,n2 n3         three sides, where there are more than three nodes
  quorate partition n1 --one-way     what n1 sends is lost; at first it hears the others
  quorate partition n1 --for 30s

Nodes that are not named form the last side. An earlier partition is replaced.
Only the nodes' lines to each other are cut: clients reach all of them.
A line that is cut one way carries the other way for about 5 s. Then the nodes close its
connections, for no answer comes over them, and open no new ones: it is silent both ways.
Undo: quorate heal
`;

interface PartitionOptions {
  readonly oneWay: boolean;
  readonly for: number;
}

function ttlArgument(text: string): number {
  const ttlMs = durationArgument(text);
  if (ttlMs >= 1) return ttlMs;
  throw new CommandError("usage", `--for: "${text}" is too short for a partition`, {
    why: ["it lasts 1ms or more, at most 24h"],
    try: ["quorate partition n1 --for 30s", "quorate heal"],
  });
}

function resolveMember(name: string, { report, nodes }: AskedCluster): NodeId {
  if (name === "leader" && report.leader !== null) return report.leader.id;
  if (nodes.some(({ id }) => id === name)) return name;
  throw new CommandError("notFound", `there is no node "${name}"`, {
    why: [`nodes: ${nodes.map(({ id }) => id).join(", ")}; or leader`],
    try: ["quorate status"],
  });
}

/** The sides that the arguments name, and the nodes that they do not. */
function sidesFrom(args: readonly string[], asked: AskedCluster): NodeId[][] {
  const sides = args.map((group) =>
    group
      .split(",")
      .filter((name) => name !== "")
      .map((name) => resolveMember(name, asked)),
  );
  const named = sides.flat();
  const twice = named.find((id, at) => named.indexOf(id) !== at);
  if (twice !== undefined) {
    throw new CommandError("usage", `${twice} cannot be on two sides`, {
      try: ["quorate partition n1,n2 n3"],
    });
  }
  const rest = asked.nodes.map(({ id }) => id).filter((id) => !named.includes(id));
  return [...sides, rest].filter((side) => side.length > 0);
}

function cutsFor(sides: readonly NodeId[][], oneWay: boolean): LineCut[] {
  const [first, ...others] = sides;
  if (first === undefined || others.length === 0) {
    throw new CommandError("usage", "a partition has two sides or more", {
      try: ["quorate partition n1", "quorate heal"],
    });
  }
  return oneWay ? cutsOneWay(first, others.flat()) : cutsBetween(sides);
}

/** Cuts all of these lines or, where that cannot be, none at all. */
async function cutLines(
  asked: AskedCluster,
  cuts: readonly LineCut[],
  ttlMs: number,
): Promise<CutOutcome[]> {
  const outcomes = await tell(asked, reachable(asked), cuts, ttlMs);
  const refused = outcomes.find(({ error }) => error !== null && isRefusal(error.code));
  const whole = uncutLines(cuts, outcomes);
  if (refused === undefined && whole.length === 0) return outcomes;
  const undone = await mend(asked);
  if (refused?.error !== undefined && refused.error !== null) {
    throw new CommandError("failed", `${refused.id}: ${refused.error.message}`, {
      why: [whyRefused(refused.error.code), undone],
      try: ["quorate up   (a local cluster: its nodes can be cut off)", "quorate status -o json"],
      cause: refused.error,
    });
  }
  const lines = describeCuts([], whole);
  throw new CommandError(failureOf(outcomes), `not cut: ${lines}`, {
    why: [`no end of ${whole.length === 1 ? "this line" : "these lines"} has obeyed`, undone],
    try: [
      ...repairCommands(asked.report.nodes.filter(({ answer }) => answer.kind !== "answered")),
      "quorate status",
    ],
  });
}

/** Mends what was just cut, and tells what stands now: an earlier partition is gone with it. */
async function mend(asked: AskedCluster): Promise<string> {
  const outcomes = await tell(asked, reachable(asked), [], 0);
  const stuck = outcomes.filter(({ error }) => error !== null && !isRefusal(error.code));
  if (stuck.length > 0) {
    return `${stuck.map(({ id }) => id).join(", ")} may still be cut off: quorate heal`;
  }
  if (asked.report.cuts.length === 0) return "no line is cut";
  return "no line is cut: the earlier partition was undone, too";
}

function isRefusal(code: string): boolean {
  return code === "faultsNotAllowed" || code === "invalid";
}

function whyRefused(code: string): string {
  return code === "faultsNotAllowed"
    ? "only nodes that were started with --allow-faults can be cut off"
    : "the node does not take these cuts";
}

/** Refuses before anything is changed where a node says that it would. */
function checkAllowed({ report }: AskedCluster): void {
  const not = report.nodes.filter(
    ({ answer }) => answer.kind === "answered" && !answer.status.faultsAllowed,
  );
  if (not.length === 0) return;
  const names = not.map(({ id }) => id).join(", ");
  throw new CommandError("failed", `the lines of ${names} cannot be cut`, {
    why: [`${not.length === 1 ? "it was" : "they were"} not started with --allow-faults`],
    try: ["quorate restart   (a local cluster: its nodes are)"],
  });
}

async function partition(
  context: CommandContext,
  groups: readonly string[],
  options: PartitionOptions,
): Promise<void> {
  if (groups.length === 0) {
    throw new CommandError("usage", "partition: which nodes?", {
      why: ["names of nodes, or leader, with commas between those of one side"],
      try: ["quorate partition leader", "quorate partition n1,n2 n3"],
    });
  }
  const asked = await look(context);
  const sides = sidesFrom(groups, asked);
  const cuts = cutsFor(sides, options.oneWay);
  checkAllowed(asked);
  const outcomes = await cutLines(asked, cuts, options.for);
  const ids = asked.nodes.map(({ id }) => id);
  const { printer } = context;
  const undo = printer.paint("dim", "Undo: quorate heal");
  const limit = `It heals by itself after ${formatDuration(options.for)}.`;
  printer.line(`Partition set: ${describeCuts(ids, cuts)}. ${limit}   ${undo}`);
  const silent = ids.filter((id) => !hasObeyed(outcomes, id));
  if (silent.length > 0) {
    const names = silent.join(", ");
    printer.line(`! ${names} did not answer: the other ends of the lines are cut`);
  }
  printer.document("PartitionResult", {
    sides: options.oneWay ? [sides[0] ?? [], sides.slice(1).flat()] : sides,
    oneWay: options.oneWay,
    forMs: options.for,
    cuts: cutFields(cuts),
    silent,
  });
}

function cutFields(cuts: readonly LineCut[]): JsonValue {
  return cuts.map(({ from, to }) => ({ from, to }));
}

export function addPartitionCommand({ program, act }: CommandLine): void {
  program
    .command("partition")
    .summary("cut the lines between nodes")
    .description("Cuts the lines between groups of nodes, as a broken network would.")
    .argument("[groups...]", "nodes of one side, with commas between; several sides allowed")
    .option("--one-way", "lose only what the first side sends", false)
    .addOption(
      new Option("--for <duration>", "heal by itself after this long")
        .default(600_000, "10m")
        .argParser(ttlArgument),
    )
    .addHelpText("after", PARTITION_EXAMPLES)
    .action((groups: string[], options: PartitionOptions) =>
      act((context) => partition(context, groups, options)),
    );
}
