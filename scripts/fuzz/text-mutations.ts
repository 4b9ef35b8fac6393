import type { SeededRandom } from "@quorate/node/testing";
import type { Mutation } from "./target.ts";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

const HOSTILE_JSON = [
  "null",
  "true",
  "0",
  "-0",
  "-1",
  "1e999",
  "-1e999",
  "0.1",
  "1e-400",
  "9007199254740991",
  "9007199254740993",
  "123456789012345678901234567890",
  '""',
  "[]",
  "{}",
  "[[]]",
  "[null]",
  '{"__proto__":{"a":1}}',
  '{"constructor":{"prototype":1}}',
  '"\\ud800"',
  '"\\u0000"',
  '"127.0.0.1:7001"',
  '"[::1]:65536"',
  '"n1=127.0.0.1:1"',
  '"../../etc"',
  '"1s"',
  '"true"',
  `"${"x".repeat(300)}"`,
  `${"[".repeat(200)}${"]".repeat(200)}`,
  '{"toString":1}',
  "NaN",
  "",
] as const;

const NAMES = ["__proto__", "constructor", "toString", "", "a", "history", "op", "name"] as const;

/** Changes of a JSON text that keep it JSON, or break it as people and bad writers do. */
export const JSON_MUTATIONS: readonly Mutation[] = [changeJson, changeJson, changeJson, breakText];

function changeJson(input: Uint8Array, dice: SeededRandom, other: Uint8Array): Uint8Array {
  const lines = DECODER.decode(input).split("\n");
  const at = dice.below(lines.length);
  const line = lines[at] ?? "";
  lines[at] = changedLine(line, dice, DECODER.decode(other).split("\n")[0] ?? "");
  if (dice.chance(0.1)) lines.push(dice.pick(lines));
  if (dice.chance(0.1)) lines.splice(dice.below(lines.length), 1);
  return ENCODER.encode(lines.join("\n"));
}

function changedLine(line: string, dice: SeededRandom, other: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return dice.chance(0.5) ? other : dice.pick(HOSTILE_JSON);
  }
  // The hostile value stands in as a marker: not every one of them is a value of JavaScript.
  const marker = `@${dice.below(2 ** 32)}`;
  const changed = changedValue(value, dice, marker);
  return JSON.stringify(changed).replace(JSON.stringify(marker), () => dice.pick(HOSTILE_JSON));
}

function changedValue(value: unknown, dice: SeededRandom, marker: string): unknown {
  if (typeof value !== "object" || value === null || dice.chance(0.15)) return marker;
  if (Array.isArray(value)) return changedList(value as unknown[], dice, marker);
  const entries = Object.entries(value);
  if (entries.length === 0 || dice.chance(0.1)) entries.push([dice.pick(NAMES), marker]);
  const at = dice.below(entries.length);
  const entry = entries[at];
  const act = dice.below(8);
  if (entry === undefined || act === 0) entries.splice(at, 1);
  else if (act === 1) entry[0] = dice.pick(NAMES);
  else entry[1] = changedValue(entry[1], dice, marker);
  return Object.fromEntries(entries);
}

function changedList(list: readonly unknown[], dice: SeededRandom, marker: string): unknown[] {
  const copy = [...list];
  if (copy.length === 0) return [marker];
  const at = dice.below(copy.length);
  const act = dice.below(5);
  if (act === 0) copy.splice(at, 1);
  else if (act === 1) copy.push(copy[at]);
  else copy[at] = changedValue(copy[at], dice, marker);
  return copy;
}

function breakText(input: Uint8Array, dice: SeededRandom): Uint8Array {
  const text = DECODER.decode(input);
  const at = dice.below(text.length + 1);
  const piece = dice.pick([
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\u0000",
    "\ufeff",
    "\ud800",
    "\n",
  ]);
  return ENCODER.encode(text.slice(0, at) + piece + text.slice(at + dice.below(3)));
}

const HOSTILE_ARGUMENTS = [
  "",
  "-",
  "--",
  "---",
  "-h",
  "--help",
  "--version",
  "-o",
  "json",
  "--output=",
  "--output=xml",
  "--timeout",
  "0",
  "-1",
  "1e9",
  "NaN",
  "999999999999h",
  "5s",
  "--endpoints",
  "a:b,c",
  "127.0.0.1:7001",
  "[::1]:65536",
  ":",
  "=",
  "--name",
  "../x",
  "\u0000",
  "\ud800",
  "n1",
  "all",
  "-vvvv",
  "-qv",
  "--no-color",
  "--color",
  "__proto__",
  "constructor",
  "--__proto__",
  "help",

  "x".repeat(5000),
  "--x".repeat(50),
  "--nodes",
  "3",
  "-n",
  "--if-revision",
  "2",
  "--yes",
  "-y",
  "leader",
  "n1,n2",
  "n1=127.0.0.1:1",
  "--data-dir",
  "--config",
  "/dev/null",
  "--bootstrap",
  "-9007199254740993",
  "+1",
  "0x10",
  "1_000",
  "\u0661",
  "--dry-run",
  "--force",
  "-f",
] as const;

/** Between two arguments of a command line. */
export const ARGUMENT_SEPARATOR = "\u001f";

/** Changes of a command line. */
export const ARGUMENT_MUTATIONS: readonly Mutation[] = [changeArguments, changeArguments];

function changeArguments(input: Uint8Array, dice: SeededRandom, other: Uint8Array): Uint8Array {
  const args = DECODER.decode(input).split(ARGUMENT_SEPARATOR);
  const theirs = DECODER.decode(other).split(ARGUMENT_SEPARATOR);
  const at = dice.below(args.length + 1);
  const argument = args[at] ?? "";
  const piece = dice.pick(HOSTILE_ARGUMENTS);
  switch (dice.below(6)) {
    case 0:
      args.splice(at, 0, piece);
      break;
    case 1:
      args.splice(at, 1);
      break;
    case 2:
      args.splice(at, 1, piece);
      break;
    case 3:
      args.splice(at, 0, dice.pick(theirs));
      break;
    case 4:
      args.splice(at, 1, `${argument}=${piece}`);
      break;
    default:
      args.splice(at, 0, ...dice.shuffle(args));
  }
  return ENCODER.encode(args.slice(0, 40).join(ARGUMENT_SEPARATOR));
}
