import { isIdentifier } from "@quorate/wire";
import { parseAddress } from "@quorate/wire/net";
import { parseMembers } from "./initial-cluster.ts";
import type { Member } from "./initial-cluster.ts";
import type { Parsed } from "./parsed.ts";
import { show } from "./parsed.ts";

/** Levels of the log, from the quietest. */
export const LOG_LEVELS = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The value of a setting by its name, after it was checked. */
export interface SettingValues {
  readonly name: string;
  readonly "data-dir": string;
  readonly listen: string;
  readonly advertise: string;
  readonly "cluster-id": string;
  readonly "initial-cluster": readonly Member[];
  readonly bootstrap: boolean;
  readonly join: boolean;
  readonly "tick-ms": number;
  readonly "heartbeat-ms": number;
  readonly "election-timeout-ms": number;
  readonly "lease-reads": boolean;
  readonly "snapshot-log-bytes": number;
  readonly "snapshot-send-rate": number;
  readonly "trailing-entries": number;
  readonly "allow-faults": boolean;
  readonly "log-level": LogLevel;
  readonly "log-file": string;
}
export type SettingKey = keyof SettingValues;

/** One setting: a flag of the daemon and a key of its configuration file. */
export interface Setting<T> {
  /** What stands for the value in the help, or null: a switch without one. */
  readonly placeholder: string | null;
  readonly description: string;
  readonly parse: (raw: unknown) => Parsed<T>;
}

const identifier = (example: string): ((raw: unknown) => Parsed<string>) => {
  return (raw) =>
    typeof raw === "string" && isIdentifier(raw)
      ? { kind: "value", value: raw }
      : {
          kind: "fault",
          problem: `${show(raw)} is not 1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first`,
          remedy: `a name such as ${example}`,
        };
};

const address = (raw: unknown): Parsed<string> =>
  typeof raw === "string" && parseAddress(raw) !== null
    ? { kind: "value", value: raw }
    : {
        kind: "fault",
        problem: `${show(raw)} is not host:port`,
        remedy: "an address such as 127.0.0.1:7001 or [::1]:7001",
      };

const path = (raw: unknown): Parsed<string> =>
  typeof raw === "string" && raw !== "" && !raw.includes("\0")
    ? { kind: "value", value: raw }
    : {
        kind: "fault",
        problem: `${show(raw)} is not a path`,
        remedy: "the path of a file or folder",
      };

const wholeNumber = (
  unit: string,
  min: number,
  max: number,
): ((raw: unknown) => Parsed<number>) => {
  return (raw) => {
    const text = typeof raw === "number" ? String(raw) : raw;
    const value = typeof text === "string" && /^\d{1,15}$/u.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max
      ? { kind: "value", value }
      : {
          kind: "fault",
          problem: `${show(raw)} is not a whole number of ${unit} from ${min} to ${max}`,
          remedy: `a number from ${min} to ${max}`,
        };
  };
};

const toggle = (raw: unknown): Parsed<boolean> =>
  typeof raw === "boolean"
    ? { kind: "value", value: raw }
    : { kind: "fault", problem: `${show(raw)} is neither true nor false`, remedy: "true or false" };

const logLevel = (raw: unknown): Parsed<LogLevel> => {
  const value = LOG_LEVELS.find((level) => level === raw);
  return value === undefined
    ? { kind: "fault", problem: `${show(raw)} is no level`, remedy: LOG_LEVELS.join(", ") }
    : { kind: "value", value };
};

/** Every setting, in the order of the help. The file and the command line share it. */
export const SETTINGS: { readonly [K in SettingKey]: Setting<SettingValues[K]> } = {
  name: {
    placeholder: "n1",
    description: "name of this node, unique in its cluster for ever",
    parse: identifier("n1"),
  },
  "data-dir": {
    placeholder: "DIR",
    description: "folder of the durable state; locked while the node runs",
    parse: path,
  },
  listen: {
    placeholder: "HOST:PORT",
    description: "where to listen (default: its initial-cluster address)",
    parse: address,
  },
  advertise: {
    placeholder: "HOST:PORT",
    description: "where others reach it (default: its initial-cluster address)",
    parse: address,
  },
  "cluster-id": {
    placeholder: "ID",
    description: "name of the cluster; checked on every connection",
    parse: identifier("demo"),
  },
  "initial-cluster": {
    placeholder: "n1=HOST:PORT,…",
    description: "every member and its address, this node among them",
    parse: parseMembers,
  },
  bootstrap: {
    placeholder: null,
    description: "make the folder of a member of a new cluster; it has none yet",
    parse: toggle,
  },
  join: {
    placeholder: null,
    description: "make the folder of a node that waits to be added",
    parse: toggle,
  },
  "tick-ms": {
    placeholder: "MS",
    description: "the grain of time; divides the two intervals below (default 10)",
    parse: wholeNumber("milliseconds", 1, 1000),
  },
  "heartbeat-ms": {
    placeholder: "MS",
    description: "how often a leader is heard (default 50)",
    parse: wholeNumber("milliseconds", 1, 60_000),
  },
  "election-timeout-ms": {
    placeholder: "MS",
    description: "silence that starts an election, >= 3 heartbeats (default 300)",
    parse: wholeNumber("milliseconds", 3, 600_000),
  },
  "lease-reads": {
    placeholder: null,
    description: "leaders answer reads without a round; all members alike",
    parse: toggle,
  },
  "snapshot-log-bytes": {
    placeholder: "BYTES",
    description: "log after which a snapshot takes its place (default 64 MiB)",
    parse: wholeNumber("bytes", 4096, 2 ** 40),
  },
  "snapshot-send-rate": {
    placeholder: "BYTES",
    description: "sent of snapshots in a second, at most (default 64 MiB)",
    parse: wholeNumber("bytes", 65_536, 2 ** 40),
  },
  "trailing-entries": {
    placeholder: "N",
    description: "entries kept below a snapshot for slow followers (default 10000)",
    parse: wholeNumber("entries", 1, 100_000_000),
  },
  "allow-faults": {
    placeholder: null,
    description: "clients may cut its lines to other nodes, for trials of failures",
    parse: toggle,
  },
  "log-level": {
    placeholder: "LEVEL",
    description: `${LOG_LEVELS.join(", ")} (default info)`,
    parse: logLevel,
  },
  "log-file": {
    placeholder: "FILE",
    description: "append the log to this file instead of printing it",
    parse: path,
  },
};

/** Whether `key` names a setting. */
export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key);
}
