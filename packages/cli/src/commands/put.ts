import { buffer } from "node:stream/consumers";

import type { CommandLine } from "../command-line.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../durations.ts";
import { CommandError } from "../errors.ts";
import { jsonCount } from "../output/json.ts";
import { requestKeys } from "./keys.ts";

const EXAMPLES = `
Examples:
  quorate put hello world
  quorate put config - < config.json        the value is what stdin holds, byte for byte
  quorate put -- -key- -value-              keys and values that begin with a dash
`;

async function readValue(context: CommandContext, value: string): Promise<string | Uint8Array> {
  return value === "-" ? await buffer(context.stdin) : value;
}

async function put(context: CommandContext, key: string, valueText: string): Promise<void> {
  if (key === "") {
    throw new CommandError("usage", "a key has at least one byte", {
      try: ["quorate put hello world"],
    });
  }
  const value = await readValue(context, valueText);
  const began = performance.now();
  const result = await requestKeys(context, { isWrite: true }, (client) => client.put(key, value));
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
  program
    .command("put")
    .summary("write a key")
    .description("Writes a key. Returns when a majority has the change on disk.")
    .argument("<key>", "UTF-8 text")
    .argument("<value>", "UTF-8 text; - reads the value from stdin")
    .addHelpText("after", EXAMPLES)
    .action((key: string, value: string) => act((context) => put(context, key, value)));
}
