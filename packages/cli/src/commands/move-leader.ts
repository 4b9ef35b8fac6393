import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { jsonCount } from "../output/json.ts";
import { requestKeys } from "./keys.ts";

const EXAMPLES = `
Examples:
  quorate move-leader         to the follower that has most of the log
  quorate move-leader n3
`;

async function moveLeader(context: CommandContext, target: string | undefined): Promise<void> {
  const began = performance.now();
  const moved = await requestKeys(context, { isWrite: true }, (client) =>
    client.moveLeader(target ?? null),
  );
  const took = formatDuration(performance.now() - began);
  context.printer.line(`✓ ${moved.leaderId} leads term ${moved.term} after ${took}.`);
  context.printer.document("MoveLeaderResult", {
    leader: moved.leaderId,
    term: jsonCount(moved.term),
  });
}

export function addMoveLeaderCommand({ program, act }: CommandLine): void {
  program
    .command("move-leader")
    .summary("hand leadership over, without a gap for writers")
    .description("Hands leadership to a node, or to the follower that has most of the log.")
    .argument("[node]", "name of a node")
    .addHelpText("after", EXAMPLES)
    .action((node: string | undefined) => act((context) => moveLeader(context, node)));
}
