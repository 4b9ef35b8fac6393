import type { MembersChange } from "@quorate/wire";
import { isIdentifier } from "@quorate/wire";
import { formatAddress, parseAddress } from "@quorate/wire/net";
import type { Command } from "commander";

import { reportCluster } from "../cluster-report.ts";
import type { CommandLine } from "../command-line.ts";
import { wholeNumberArgument } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../errors.ts";
import { findMembers } from "../members.ts";
import { observeCluster } from "../observe.ts";
import { memberFields, membersTable } from "../output/members-table.ts";
import { jsonCount } from "../output/json.ts";
import { requireLocalCluster, resolveTarget } from "../target.ts";
import { ADD_AND_WAIT, growByOne } from "./add-node.ts";
import { lock } from "./lifecycle.ts";
import type { ChangeFlags } from "./member-request.ts";
import { printChange, requestChange } from "./member-request.ts";
import { KEEP_DATA, shrinkByOne } from "./remove-node.ts";

const EXAMPLES = `
Examples:
  quorate member list
  quorate member add n4 10.0.0.4:7001            then start it there: quorated --join …
  quorate member add n4 10.0.0.4:7001 --learner  it never votes, until: member promote n4
  quorate member remove n2 --dry-run             say what would be done, with the arithmetic
  quorate member replace n3 n4 10.0.0.4:7001     n4 catches up, then takes the place of n3
  quorate member replace n3                      on this machine: a new node under a new name
  quorate member update n2 10.0.0.9:7001         its address; a name never moves to other data

A change is agreed on by a majority of the old and of the new members (joint consensus). These
commands tell the members of it and start or stop nothing: for nodes of this machine use
quorate add-node and quorate remove-node.
`;

interface RawFlags extends ChangeFlags {
  readonly learner?: boolean;
}

function checkedAddress(text: string): string {
  const address = parseAddress(text);
  if (address !== null) return formatAddress(address);
  throw new CommandError("usage", `"${text}" is not host:port`, {
    try: ["quorate member add n4 127.0.0.1:7004"],
  });
}

function checkedId(text: string): string {
  if (isIdentifier(text)) return text;
  throw new CommandError("usage", `"${text}" cannot be the name of a node`, {
    why: ["a name has 1 to 64 letters, digits, dots, dashes and underscores"],
    try: ["quorate member list"],
  });
}

async function list(context: CommandContext): Promise<void> {
  const { printer } = context;
  const target = resolveTarget(context);
  const report = reportCluster(await observeCluster(target, context.options.timeoutMs));
  const found = findMembers(report);
  if (found === null) {
    throw new CommandError("unreachable", "no node answers", {
      why: [`endpoints: ${target.rule}`],
      try: ["quorate ps -a"],
    });
  }
  printer.table(membersTable(found, printer.paint));
  if (found.toldBy !== report.leader?.id) {
    printer.note(`As ${found.toldBy} knows it: nobody leads.`);
  }
  printer.document("MemberList", {
    clusterId: report.clusterId,
    configurationIndex: jsonCount(found.configurationIndex),
    toldBy: found.toldBy,
    members: found.members.map(memberFields),
  });
}

async function change(
  context: CommandContext,
  wanted: MembersChange,
  flags: ChangeFlags,
): Promise<void> {
  const result = await requestChange(context, resolveTarget(context), wanted, flags);
  printChange(context, wanted, flags, result);
}

/** On this machine: takes the node out and starts a new one under a new name in its place. */
async function replaceLocal(
  context: CommandContext,
  id: string,
  flags: ChangeFlags,
): Promise<void> {
  if (flags.dryRun || flags.ifConfig !== undefined) {
    throw new CommandError("usage", "without a new name and address, replace takes only --force", {
      try: [`quorate member replace ${id}`, "quorate member list"],
    });
  }
  const cluster = requireLocalCluster(context);
  const held = await lock(context, cluster.name, null);
  try {
    cluster.reload();
    cluster.node(id);
    await shrinkByOne(context, cluster, id, { ...KEEP_DATA, force: flags.force });
    const grown = await growByOne(context, cluster, null, ADD_AND_WAIT);
    context.printer.document("ReplaceResult", { id, withId: grown.id });
  } finally {
    held.release();
  }
}

async function replace(
  context: CommandContext,
  id: string,
  place: readonly string[],
  flags: ChangeFlags,
): Promise<void> {
  const [withId, address, ...more] = place;
  if (withId === undefined) return replaceLocal(context, id, flags);
  if (address === undefined || more.length > 0) {
    throw new CommandError("usage", "replace takes a new name and its address, or neither", {
      try: [`quorate member replace ${id} n4 127.0.0.1:7004`, `quorate member replace ${id}`],
    });
  }
  const wanted = {
    kind: "replace",
    id: checkedId(id),
    withId: checkedId(withId),
    address: checkedAddress(address),
  } as const;
  return change(context, wanted, flags);
}

function withFlags(command: Command): Command {
  return command
    .option("--dry-run", "only say what would be done", false)
    .option("--force", "even where too few of the voters that there would be answer", false)
    .option(
      "--if-config <n>",
      "only where `member list` shows this configuration",
      wholeNumberArgument("--if-config", 0, 999_999_999),
    );
}

export function addMemberCommand({ program, act }: CommandLine): void {
  const member = program
    .command("member")
    .summary("list, add, promote, remove, replace members")
    .description("Changes who belongs to the cluster, while it goes on.")
    .addHelpText("after", EXAMPLES)
    .action(() => act(() => member.outputHelp()));
  member
    .command("list")
    .summary("who belongs to the cluster, with which vote")
    .action(() => act(list));
  const changing = (usage: string, summary: string): Command =>
    withFlags(member.command(usage).summary(summary));
  changing("add <id> <host:port>", "a new member: it catches up, then votes")
    .option("--learner", "it follows without a vote", false)
    .action((id: string, address: string, { learner, ...flags }: RawFlags) => {
      const fields = { id: checkedId(id), address: checkedAddress(address) };
      return act((context) =>
        change(context, { kind: "add", ...fields, asLearner: learner === true }, flags),
      );
    });
  changing("promote <id>", "make a learner a voter").action((id: string, flags: ChangeFlags) =>
    act((context) => change(context, { kind: "promote", id: checkedId(id) }, flags)),
  );
  changing("remove <id>", "let go of a member, the leader too").action(
    (id: string, flags: ChangeFlags) =>
      act((context) => change(context, { kind: "remove", id: checkedId(id) }, flags)),
  );
  changing(
    "replace <id> [new-id-and-host:port...]",
    "one member for another, in one change",
  ).action((id: string, place: string[], flags: ChangeFlags) =>
    act((context) => replace(context, id, place, flags)),
  );
  changing("update <id> <host:port>", "where a member is reached").action(
    (id: string, address: string, flags: ChangeFlags) => {
      const fields = { id: checkedId(id), address: checkedAddress(address) };
      return act((context) => change(context, { kind: "updateAddress", ...fields }, flags));
    },
  );
}
