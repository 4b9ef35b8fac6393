import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { jsonCount } from "../output/json.ts";
import { requestKeys } from "./keys.ts";
import type { ConditionFlags } from "./write-condition.ts";
import { addIfRevision, ifRevisionOf } from "./write-condition.ts";

const EXAMPLES = `
Examples:
  quorate del hello
  quorate del hello --if-rev 12    only if nobody has changed it since

Deleting a key that does not exist is no failure: "deleted 0" is printed.
`;

async function del(context: CommandContext, key: string, flags: ConditionFlags): Promise<void> {
  const ifRevision = ifRevisionOf(flags);
  const result = await requestKeys(context, { isWrite: true }, (client) =>
    client.delete(key, { ifRevision }),
  );
  context.printer.line(`deleted ${result.deleted ? 1 : 0}`);
  context.printer.document("DeleteResult", {
    key,
    deleted: result.deleted,
    revision: jsonCount(result.revision),
    index: jsonCount(result.index),
    term: jsonCount(result.term),
  });
}

export function addDelCommand({ program, act }: CommandLine): void {
  const command = program
    .command("del")
    .summary("delete a key")
    .description("Deletes a key. Returns when a majority has the change on disk.")
    .argument("<key>", "UTF-8 text");
  addIfRevision(command)
    .addHelpText("after", EXAMPLES)
    .action((key: string, flags: ConditionFlags) => act((context) => del(context, key, flags)));
}
