import type { ReadConsistency } from "@quorate/wire";
import { Option } from "commander";

import type { CommandLine } from "../command-line.ts";
import { durationArgument } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../errors.ts";
import { jsonBytes, jsonCount } from "../output/json.ts";
import { requestKeys } from "./keys.ts";

const EXAMPLES = `
Examples:
  quorate get hello
  quorate get config --value-only > config.json   exactly the bytes of the value
  quorate get hello --consistency stale           what one node has, even without a quorum
  quorate get hello --max-staleness 500ms         stale, but by no more than half a second
  quorate get hello -o json                       with revisions

Exit code 3: there is no such key.
`;

interface GetOptions {
  readonly maxStaleness?: number;
  readonly consistency: ReadConsistency;
  readonly valueOnly: boolean;
}

function notFound(key: string, revision: number): CommandError {
  return new CommandError("notFound", `key "${key}" not found (revision ${revision})`, {
    try: [`quorate put ${/^[\w./-]+$/u.test(key) ? key : JSON.stringify(key)} <value>`],
  });
}

async function get(context: CommandContext, key: string, options: GetOptions): Promise<void> {
  const { maxStaleness } = options;
  const consistency = maxStaleness === undefined ? options.consistency : "stale";
  const bound = maxStaleness === undefined ? {} : { maxStalenessMs: Math.round(maxStaleness) };
  const result = await requestKeys(context, { isWrite: false }, (client) =>
    client.get(key, { consistency, ...bound }),
  );
  const { found, revision } = result;
  if (found === null) throw notFound(key, revision);
  const { printer } = context;
  if (printer.format !== "json" || options.valueOnly) {
    printer.bytes(found.value);
    // On a terminal the prompt must not stick to the value; in a pipe only its bytes count.
    if (!options.valueOnly || printer.isTerminal) printer.bytes("\n");
    return;
  }
  printer.document("GetResult", {
    key,
    value: jsonBytes(found.value),
    createRevision: jsonCount(found.createRevision),
    modRevision: jsonCount(found.modRevision),
    version: jsonCount(found.version),
    revision: jsonCount(revision),
    appliedIndex: jsonCount(result.appliedIndex),
    consistency,
    ageMs: result.ageMs,
  });
}

export function addGetCommand({ program, act }: CommandLine): void {
  program
    .command("get")
    .summary("read a key")
    .description("Reads a key: linearizable, unless a stale answer is asked for.")
    .argument("<key>", "UTF-8 text")
    .addOption(
      new Option("--consistency <level>", "linearizable: as fresh as any acknowledged write")
        .choices(["linearizable", "stale"])
        .default("linearizable"),
    )
    .option(
      "--max-staleness <duration>",
      "a stale answer, but none that may be older than this",
      durationArgument,
    )
    .option("--value-only", "the bytes of the value and nothing else", false)
    .addHelpText("after", EXAMPLES)
    .action((key: string, options: GetOptions) => act((context) => get(context, key, options)));
}
