import { parseArgs } from "node:util";
import { FAULT_KINDS, type FaultKindName } from "./faults/fault.ts";

export interface ChaosOptions {
  readonly durationMs: number;
  readonly nodes: number;
  readonly seed: number;
  readonly faults: readonly FaultKindName[];
  /** Operations a second that are tried; 0: as many as go. */
  readonly rate: number;
  readonly clients: number;
  readonly json: boolean;
  /** Everything that the run writes is kept here; null: only after a failure. */
  readonly keep: string | null;
}

export class UsageError extends Error {}

export const HELP: string = `Usage: npm run chaos -- [options]

Starts a cluster of real processes, does everything to it that the machine allows, all at once, under
clients that record what they are answered; then heals it and checks what was recorded.

  --minutes <n>     how long faults are done (default: 5; parts such as 0.5 are fine)
  --nodes <n>       3 to 9 (default: 5)
  --seed <n>        the plan of faults and the clients' choices (default: from the clock)
  --faults <a,b>    only these kinds (default: all): ${FAULT_KINDS.slice(0, 5).join(", ")},
                    ${FAULT_KINDS.slice(5).join(", ")}
  --rate <n>        operations a second that are tried (default: 500; 0: as many as go)
  --clients <n>     clients side by side (default: 24)
  --keep <folder>   keep histories, logs, data and the log of faults here, also of a good run
  --json            print the result as one JSON object
  --help            this text

Root is not needed: where it may have namespaces of its own, the rig cuts the network by firewall
rules in them; elsewhere the daemons cut their own lines. What a kind needs and is not there (strace,
faketime, iptables, tmpfs) is told in the table, and counted as nothing.

Exits 0 when the history is linearizable, nothing acknowledged was lost, all nodes ended equal, and
every kind of fault that is possible here did happen, and each shape that was tried three times; 1
when not, and tells where everything is kept;
2 when it does not understand its arguments; 130 after Ctrl-C, with the verdict so far.
`;

const NODES = { min: 3, max: 9 };
const CLIENTS_MAX = 256;
const SEED_MAX = 2 ** 32;

/** @throws UsageError. Null: the help was asked for. */
export function readOptions(args: readonly string[]): ChaosOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "5" },
      nodes: { type: "string", default: "5" },
      seed: { type: "string" },
      faults: { type: "string" },
      rate: { type: "string", default: "500" },
      clients: { type: "string", default: "24" },
      keep: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 10_000)) {
    throw new UsageError(`--minutes is ${values.minutes}, not a number above 0`);
  }
  return {
    durationMs: minutes * 60_000,
    nodes: wholeNumber("nodes", values.nodes, NODES.min, NODES.max),
    seed: wholeNumber("seed", values.seed ?? String(Date.now() % SEED_MAX), 0, SEED_MAX),
    faults: readKinds(values.faults),
    rate: wholeNumber("rate", values.rate, 0, 1_000_000),
    clients: wholeNumber("clients", values.clients, 1, CLIENTS_MAX),
    json: values.json,
    keep: values.keep ?? null,
  };
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/u.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${name} is ${text}, not a whole number from ${min} to ${max}`);
}

function readKinds(text: string | undefined): FaultKindName[] {
  if (text === undefined) return [...FAULT_KINDS];
  return text.split(",").map((name) => {
    const kind = FAULT_KINDS.find((one) => one === name.trim());
    if (kind === undefined) {
      throw new UsageError(`--faults: "${name}" is none of ${FAULT_KINDS.join(", ")}`);
    }
    return kind;
  });
}
