import type { NodeId } from "@quorate/wire";
import { QuorateClient } from "@quorate/wire/client";
import { Option } from "commander";

import type { ClusterReport } from "../cluster-report.ts";
import { reportCluster } from "../cluster-report.ts";
import { describeHealth } from "../cluster-wording.ts";
import type { CommandLine } from "../command-line.ts";
import { durationArgument } from "../command-line.ts";
import type { CommandContext, Target } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import type { CutOutcome, LineCut, NodeAddress } from "../line-cuts.ts";
import { cutsBetween, cutsOneWay, describeCuts, setCuts } from "../line-cuts.ts";
import { observeCluster } from "../observe.ts";
import type { JsonValue } from "../output/json.ts";
import { resolveTarget } from "../target.ts";

const PARTITION_EXAMPLES = `
Examples:
  quorate partition n1               n1 alone; all others together
  quorate partition leader           whoever leads now, alone
  quorate partition n1,n2 n3         three sides, where there are more than three nodes
  quorate partition n1 --one-way     what n1 sends is lost, and it hears the others
  quorate partition n1 --for 30s

Nodes that are not named form the last side. An earlier partition is replaced.
Only the nodes' lines to each other are cut: clients reach all of them.
Undo: quorate heal
`;

const HEAL_EXAMPLES = `
Examples:
  quorate heal
`;

interface PartitionOptions {
  readonly oneWay: boolean;
  readonly for: number;
}

/** The cluster as it is asked to change its lines. */
interface Asked {
  readonly context: CommandContext;
  readonly target: Target;
  readonly report: ClusterReport;
  readonly nodes: readonly NodeAddress[];
}

async function look(context: CommandContext): Promise<Asked> {
  const target = resolveTarget(context);
  const report = reportCluster(await observeCluster(target, context.options.timeoutMs));
  if (report.health === "unreachable") {
    throw new CommandError("unreachable", "no node answers", {
      why: [`endpoints: ${target.rule}`],
      try: ["quorate status"],
    });
  }
  const members = report.nodes.filter((node) => node.health !== "retired");
  return { context, target, report, nodes: members.map(({ id, address }) => ({ id, address })) };
}

function resolveMember(name: string, { report, nodes }: Asked): NodeId {
  if (name === "leader" && report.leader !== null) return report.leader.id;
  if (nodes.some(({ id }) => id === name)) return name;
  throw new CommandError("notFound", `there is no node "${name}"`, {
    why: [`nodes: ${nodes.map(({ id }) => id).join(", ")}; or leader`],
    try: ["quorate status"],
  });
}

/** The sides that the arguments name, and the nodes that they do not. */
function sidesFrom(args: readonly string[], asked: Asked): NodeId[][] {
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

/** Sets the cuts everywhere or, where a node refuses, nowhere. */
async function cutLines(
  asked: Asked,
  cuts: readonly LineCut[],
  ttlMs: number,
): Promise<CutOutcome[]> {
  const client = new QuorateClient({
    endpoints: [...asked.target.endpoints],
    timeoutMs: Math.min(1_000, asked.context.options.timeoutMs),
    clientName: "quorate",
  });
  try {
    const outcomes = await setCuts(client, reachable(asked), cuts, ttlMs);
    const refused = outcomes.find(
      ({ error }) => error?.outcome === "notApplied" && isRefusal(error.code),
    );
    if (refused?.error === undefined || refused.error === null) return outcomes;
    await setCuts(client, reachable(asked), [], 0);
    throw new CommandError("failed", `${refused.id}: ${refused.error.message}`, {
      why: ["only nodes that were started with --allow-faults can be cut off; nothing was changed"],
      try: ["quorate up   (a local cluster: its nodes are)", "quorate status -o json"],
      cause: refused.error,
    });
  } finally {
    await client.close();
  }
}

function isRefusal(code: string): boolean {
  return code === "faultsNotAllowed" || code === "invalid";
}

function reachable({ nodes, report }: Asked): NodeAddress[] {
  const answering = report.nodes.filter(({ answer }) => answer.kind === "answered");
  return nodes.filter(({ id }) => answering.some((node) => node.id === id));
}

/** Refuses before anything is changed where a node says that it would. */
function checkAllowed({ report }: Asked): void {
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
  const silent = ids.filter(
    (id) => !outcomes.some((told) => told.id === id && told.error === null),
  );
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

async function heal(context: CommandContext): Promise<void> {
  const asked = await look(context);
  const faulty = asked.report.nodes.filter(
    ({ answer }) => answer.kind === "answered" && answer.status.faults.length > 0,
  );
  const failed: string[] = [];
  if (faulty.length > 0) {
    for (const { id, error } of await cutLines({ ...asked, nodes: faulty }, [], 0)) {
      if (error !== null) failed.push(id);
    }
  }
  if (failed.length > 0) {
    throw new CommandError("failed", `${failed.join(", ")} did not answer: still cut off`, {
      try: ["quorate heal", "quorate status"],
    });
  }
  const { printer } = context;
  const healed = faulty.map(({ id }) => id);
  const what =
    healed.length === 0 ? "No line was cut." : `Healed the lines of ${healed.join(", ")}.`;
  const report = reportCluster(await observeCluster(asked.target, context.options.timeoutMs));
  printer.line(`${what} ${describeHealth(report).text}`);
  printer.document("HealResult", { healed });
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
        .argParser(durationArgument),
    )
    .addHelpText("after", PARTITION_EXAMPLES)
    .action((groups: string[], options: PartitionOptions) =>
      act((context) => partition(context, groups, options)),
    );
}

export function addHealCommand({ program, act }: CommandLine): void {
  program
    .command("heal")
    .summary("mend all lines that partition cut")
    .description("Mends every line between nodes that was cut.")
    .addHelpText("after", HEAL_EXAMPLES)
    .action(() => act((context) => heal(context)));
}
