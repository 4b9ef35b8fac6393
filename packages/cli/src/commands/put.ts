import { buffer } from "node:stream/consumers";

import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import { jsonCount } from "../output/json.ts";
import { requestKeys } from "./keys.ts";
import type { ConditionFlags } from "./write-condition.ts";
import { addIfRevision, ifRevisionOf } from "./write-condition.ts";

const EXAMPLES = `
Examples:
  quorate put hello world
  quorate put config - < config.json        the value is what stdin holds, byte for byte
  quorate put lock me --if-absent           exit code 7 where somebody has it
  quorate put -- -key- -value-              keys and values that begin with a dash
`;

async function readValue(context: CommandContext, value: string): Promise<string | Uint8Array> {
  return value === "-" ? await buffer(context.stdin) : value;
}

async function put(
  context: CommandContext,
  key: string,
  valueText: string,
  flags: ConditionFlags,
): Promise<void> {
  if (key === "") {
    throw new CommandError("usage", "a key has at least one byte", {
      try: ["quorate put hello world"],
    });
  }
  const ifRevision = ifRevisionOf(flags);
  const value = await readValue(context, valueText);
  const began = performance.now();
  const result = await requestKeys(context, { isWrite: true }, (client) =>
    client.put(key, value, { ifRevision }),
  );
  const tookMs = performance.now() - began;
  const { printer } = context;
  const facts = `(revision ${result.revision}, ${formatDuration(tookMs)})`;
  printer.line(printer.isTerminal ? `OK ${printer.paint("dim", facts)}` : "OK");
  printer.document("PutResult", {
    key,
    revision: jsonCount(result.revision),
    index: jsonCount(result.index),
    term: jsonCount(result.term),
    created: result.created,
    durationUs: Math.round(tookMs * 1_000),
  });
}

export function addPutCommand({ program, act }: CommandLine): void {
  const command = program
    .command("put")
    .summary("write a key")
    .description("Writes a key. Returns when a majority has the change on disk.")
    .argument("<key>", "UTF-8 text")
    .argument("<value>", "UTF-8 text; - reads the value from stdin");
  addIfRevision(command)
    .option("--if-absent", "only where there is no such key; else exit code 7")
    .addHelpText("after", EXAMPLES)
    .action((key: string, value: string, flags: ConditionFlags) =>
      act((context) => put(context, key, value, flags)),
    );
}
