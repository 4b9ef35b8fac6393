import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { Dispensable, PlanOverrides, SizeName } from "@quorate/node/testing";
import {
  DISPENSABLE,
  isDispensable,
  isFabric,
  isStorageKind,
  SIZE_MINIMA,
} from "@quorate/node/testing";

export const HELP = `Usage: npm run simulate -- [options]

Runs whole clusters in simulated time, with faults, and checks every invariant after every event.
One seed in a hundred, and at least two, are run twice: equal seeds must give equal histories.
Before them come canaries, nodes with one broken part: the checks must see each for what it is.

  --seeds <n>       run this many seeds (default: 1000)
  --minutes <n>     run seeds for this long instead
  --from <n>        the first seed (default: 1; with --minutes, taken from the clock)
  --workers <n>     seeds that run side by side (default: one for each core)
  --seed <n>        run one seed
  --verbose         with --seed: print every event
  --shrink          when a seed fails, look for a smaller run that fails alike
  --json            print the result as one JSON object
  --fabric <which>  messages, or streams of bytes with the client library (default: as the seed says)
  --storage <which> model, or sqlite: real databases in real files (default: as the seed says)
  --canary          plant a bug: this run must fail
  --help            this text

Less than the seed says (this is what --shrink finds):

  --without <a,b>   leave these out:
${wrap(DISPENSABLE)}
  --safety-ms <n>   let faults go on for this long, in simulated milliseconds
  --nodes, --clients, --sessions, --keys, --value-bytes <n>

Exits 0 when everything holds, 1 when an invariant broke, when a seed that was run twice gave two
histories, when a kind of fault never happened, or when a canary was not seen; 2 when it does not
understand its arguments; 130 after Ctrl-C, which prints what was found so far.
`;

/** The command was asked for something that it does not understand. */
export class UsageError extends Error {}

export interface Arguments {
  readonly help: boolean;
  readonly seed: number | null;
  readonly verbose: boolean;
  readonly from: number;
  readonly seeds: number;
  /** Instead of {@link Arguments.seeds}, or null. */
  readonly minutes: number | null;
  readonly workers: number;
  readonly shrink: boolean;
  readonly json: boolean;
  readonly canary: boolean;
  readonly overrides: PlanOverrides;
}

const TEXT = { type: "string" } as const;
const FLAG = { type: "boolean", default: false } as const;

export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parse(args);
  const { help, verbose, shrink, json, canary } = values;
  const seed = numberOf("seed", values.seed, { isWhole: true, min: 0 });
  const minutes = numberOf("minutes", values.minutes, { isWhole: false, min: 0 });
  const seeds = numberOf("seeds", values.seeds, { isWhole: true, min: 1 });
  if (verbose && seed === null) throw new UsageError("--verbose goes with --seed");
  if (verbose && json) throw new UsageError("--verbose does not go with --json");
  if ([seed, minutes, seeds].filter((given) => given !== null).length > 1) {
    throw new UsageError("--seed, --seeds and --minutes exclude each other");
  }
  const firstSeed = minutes === null ? 1 : Date.now();
  return {
    help,
    verbose,
    shrink,
    json,
    canary,
    seed,
    minutes,
    seeds: seeds ?? 1000,
    from: numberOf("from", values.from, { isWhole: true, min: 0 }) ?? firstSeed,
    workers:
      numberOf("workers", values.workers, { isWhole: true, min: 1 }) ?? availableParallelism(),
    overrides: overridesOf(values),
  };
}

function parse(args: readonly string[]) {
  const options = {
    seeds: TEXT,
    minutes: TEXT,
    from: TEXT,
    seed: TEXT,
    workers: TEXT,
    fabric: TEXT,
    storage: TEXT,
    without: TEXT,
    "safety-ms": TEXT,
    nodes: TEXT,
    clients: TEXT,
    sessions: TEXT,
    keys: TEXT,
    "value-bytes": TEXT,
    verbose: FLAG,
    shrink: FLAG,
    json: FLAG,
    canary: FLAG,
    help: { ...FLAG, short: "h" },
  } as const;
  try {
    return parseArgs({ args: [...args], options });
  } catch (error) {
    if (error instanceof TypeError && "code" in error)
      throw new UsageError(error.message.replaceAll("\n", " "));
    throw error;
  }
}

type Values = ReturnType<typeof parse>["values"];

function overridesOf(values: Values): PlanOverrides {
  const sizes: Partial<Record<SizeName, number>> = {};
  for (const name of Object.keys(SIZE_MINIMA) as SizeName[]) {
    const size = numberOf(name, values[name], { isWhole: true, min: SIZE_MINIMA[name] });
    if (size !== null) sizes[name] = size;
  }
  const without = dispensables(values.without);
  const { fabric, storage } = values;
  if (fabric !== undefined && !isFabric(fabric)) {
    throw new UsageError(`--fabric is ${fabric}, not messages or streams`);
  }
  if (storage !== undefined && !isStorageKind(storage)) {
    throw new UsageError(`--storage is ${storage}, not model or sqlite`);
  }
  return {
    ...(fabric === undefined ? {} : { fabric }),
    ...(storage === undefined ? {} : { storage }),
    ...(without.length === 0 ? {} : { without }),
    ...(Object.keys(sizes).length === 0 ? {} : { sizes }),
  };
}

function dispensables(text: string | undefined): Dispensable[] {
  return (text ?? "")
    .split(",")
    .filter((name) => name !== "")
    .map((name) => {
      if (isDispensable(name)) return name;
      throw new UsageError(`--without ${name}: there is only ${DISPENSABLE.join(", ")}`);
    });
}

function numberOf(
  name: string,
  text: string | undefined,
  { isWhole, min }: { readonly isWhole: boolean; readonly min: number },
): number | null {
  if (text === undefined) return null;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const fits = isWhole ? Number.isSafeInteger(value) : Number.isFinite(value) && value <= 100_000;
  if (fits && value >= min) return value;
  const kind = isWhole ? "whole number" : "number";
  throw new UsageError(`--${name} is ${text}, not a ${kind} of at least ${min}`);
}

/** As a block of the help text. */
function wrap(names: readonly string[]): string {
  const lines = [""];
  for (const name of names) {
    const line = `${lines.pop() ?? ""}${name}, `;
    lines.push(...(line.length <= 78 ? [line] : [line.slice(0, -name.length - 2), `${name}, `]));
  }
  const indent = " ".repeat(20);
  return lines
    .map((line) => indent + line.trimEnd())
    .join("\n")
    .slice(0, -1);
}
