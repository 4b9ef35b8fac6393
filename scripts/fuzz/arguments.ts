import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export const HELP = `Usage: npm run fuzz -- [options]

Feeds everything that takes bytes from outside with changed ones: frames, messages, log entries,
members, commands, snapshots, data directories, configuration, command lines, histories, and the
consensus core with whatever decodes. Only errors that are meant may come of it, in bounded time
and memory, and what decodes must be the same after a trip.

  --minutes <n>     how long (default: 1)
  --seed <text>     what the inputs are made from (default: taken from the clock; printed)
  --target <name>   only this one; may be given several times
  --workers <n>     threads (default: one for each core)
  --input <hex>     with one --target: try this input and nothing else; @file reads a file
  --json            print the result as one JSON object
  --help            this text

Exits 0 when nothing broke, 1 on a finding, 2 when it does not understand its arguments, 130 after
Ctrl-C, which prints what was found so far.
`;

/** The command was asked for something that it does not understand. */
export class UsageError extends Error {}

export interface Arguments {
  readonly help: boolean;
  readonly minutes: number;
  readonly seed: string;
  /** Null: all. */
  readonly targets: readonly string[] | null;
  readonly workers: number;
  readonly input: Uint8Array | null;
  readonly json: boolean;
}

export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parse(args);
  const targets = values.target ?? null;
  const input = values.input === undefined ? null : inputOf(values.input);
  if (input !== null && targets?.length !== 1) {
    throw new UsageError("--input goes with one --target");
  }
  return {
    help: values.help,
    minutes: numberOf("minutes", values.minutes) ?? 1,
    seed: values.seed ?? String(Date.now()),
    targets,
    workers: Math.ceil(numberOf("workers", values.workers) ?? availableParallelism()),
    input,
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  const options = {
    minutes: { type: "string" },
    seed: { type: "string" },
    target: { type: "string", multiple: true },
    workers: { type: "string" },
    input: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  try {
    return parseArgs({ args: [...args], options });
  } catch (error) {
    if (!(error instanceof TypeError && "code" in error)) throw error;
    throw new UsageError(error.message.replaceAll("\n", " "));
  }
}

function numberOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value > 0 && value <= 100_000) return value;
  throw new UsageError(`--${name} is ${text}, not a number above 0`);
}

function inputOf(text: string): Uint8Array {
  const hex = text.startsWith("@") ? readHex(text.slice(1)) : text;
  if (!/^(?:[0-9a-f]{2})*$/iu.test(hex)) throw new UsageError("--input is not hexadecimal");
  return new Uint8Array(Buffer.from(hex, "hex"));
}

function readHex(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new UsageError(`--input: ${path} cannot be read: ${String(error)}`);
  }
}
