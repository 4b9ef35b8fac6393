import { resolve } from "node:path";
import type { ClusterId, NodeId } from "@quorate/wire";
import { RAFT_DEFAULTS } from "../raft/index.ts";
import type { ConfigFault } from "./config-error.ts";
import { ConfigError } from "./config-error.ts";
import type { Member } from "./initial-cluster.ts";
import { show } from "./parsed.ts";
import type { LogLevel, SettingKey, SettingValues } from "./settings.ts";
import { isSettingKey, SETTINGS } from "./settings.ts";

/** Everything that shapes one daemon. Durations in milliseconds. */
export interface NodeConfig {
  readonly nodeId: NodeId;
  /** Absolute. */
  readonly dataDirectory: string;
  /** `host:port`; port 0 takes any free one. */
  readonly listenAddress: string;
  /** Where others reach this node: `host:port`. */
  readonly advertiseAddress: string;
  readonly clusterId: ClusterId;
  /** Every member, this node among them, sorted by id. */
  readonly initialCluster: readonly Member[];
  /** Make the data directory: only where there is none yet (Raft §5.2 needs one identity once). */
  readonly bootstrap: boolean;
  /** Make the data directory of a server that knows no members, and waits to be added. */
  readonly join: boolean;
  /** Divides both intervals below. */
  readonly tickIntervalMs: number;
  readonly heartbeatIntervalMs: number;
  /** Shortest election timeout; at least 3 heartbeats. Each is drawn from [this, 2 x this). */
  readonly electionTimeoutMs: number;
  /**
   * The leader answers reads for a while after a quorum was heard, without asking again
   * (Diss. §6.4.1). All members must have it alike. Linearizable only where no member's clock runs
   * more than a tenth faster than another's, and where no machine is suspended.
   */
  readonly leaseReads: boolean;
  /** Bytes of applied entries after which a snapshot takes their place (Raft §7). */
  readonly snapshotLogBytes: number;
  readonly snapshotSendBytesPerSecond: number;
  /** Entries that stay in the log below a snapshot. */
  readonly trailingEntries: number;
  /** Clients may cut its lines to other nodes: for trials, never where data matter. */
  readonly allowFaults: boolean;
  readonly logLevel: LogLevel;
  /** Null: standard output. */
  readonly logFile: string | null;
}

/** Raw settings by key, as a command line or a JSON file gives them. */
export type RawSettings = Readonly<Record<string, unknown>>;

const REQUIRED = ["name", "data-dir", "cluster-id", "initial-cluster"] as const;

/**
 * Checks the settings of the command line and of the configuration file; a flag wins over the file.
 *
 * @throws ConfigError with every fault there is, not only the first.
 */
export function parseNodeConfig(flags: RawSettings, file: RawSettings): NodeConfig {
  const faults: ConfigFault[] = unknownKeys(flags, file);
  const values = parseValues({ ...file, ...flags }, faults);
  for (const key of REQUIRED) {
    const given = Object.hasOwn(flags, key) || Object.hasOwn(file, key);
    if (!given) faults.push({ key, problem: "is missing", remedy: missingRemedy(key) });
  }
  faults.push(...timingFaults(values), ...memberFaults(values), ...beginningFaults(values));
  if (faults.length > 0) throw new ConfigError(faults);
  return assemble(values);
}

function unknownKeys(flags: RawSettings, file: RawSettings): ConfigFault[] {
  return [...new Set([...Object.keys(flags), ...Object.keys(file)])]
    .filter((key) => !isSettingKey(key))
    .map((key) => ({
      key,
      problem: "is not a setting",
      remedy: `one of ${Object.keys(SETTINGS).join(", ")}`,
    }));
}

function missingRemedy(key: SettingKey): string {
  const { placeholder, description } = SETTINGS[key];
  return `--${key} ${placeholder ?? ""}: ${description}`;
}

type ConsensusSettings = Pick<
  NodeConfig,
  | "tickIntervalMs"
  | "heartbeatIntervalMs"
  | "electionTimeoutMs"
  | "leaseReads"
  | "snapshotLogBytes"
  | "snapshotSendBytesPerSecond"
  | "trailingEntries"
>;

type Values = { -readonly [K in SettingKey]?: SettingValues[K] };

function parseValues(raw: RawSettings, faults: ConfigFault[]): Values {
  const values: Values = {};
  for (const key of Object.keys(raw)) {
    if (isSettingKey(key)) parseValue(key, raw[key], values, faults);
  }
  return values;
}

function parseValue(key: SettingKey, raw: unknown, values: Values, faults: ConfigFault[]): void {
  const parsed = SETTINGS[key].parse(raw);
  if (parsed.kind === "fault") {
    faults.push({ key, problem: parsed.problem, remedy: parsed.remedy });
  } else {
    Object.assign(values, { [key]: parsed.value });
  }
}

const TICK_DEFAULT_MS = 10;
const HEARTBEAT_DEFAULT_MS = 50;
const ELECTION_TIMEOUT_DEFAULT_MS = 300;

const SNAPSHOT_LOG_DEFAULT_BYTES = 64 * 1024 * 1024;
const SNAPSHOT_SEND_DEFAULT_BYTES = 64 * 1024 * 1024;

/** broadcastTime << electionTimeout (Raft §5.6), and whole numbers of ticks. */
function timingFaults(values: Values): ConfigFault[] {
  const tick = values["tick-ms"] ?? TICK_DEFAULT_MS;
  const heartbeat = values["heartbeat-ms"] ?? HEARTBEAT_DEFAULT_MS;
  const election = values["election-timeout-ms"] ?? ELECTION_TIMEOUT_DEFAULT_MS;
  const faults: ConfigFault[] = [];
  for (const [key, value] of [
    ["heartbeat-ms", heartbeat],
    ["election-timeout-ms", election],
  ] as const) {
    if (value % tick !== 0) {
      faults.push({
        key,
        problem: `${value} ms is not a whole number of ticks of ${tick} ms`,
        remedy: `${Math.max(1, Math.round(value / tick)) * tick}, or another tick-ms`,
      });
    }
  }
  if (heartbeat * 3 > election) {
    faults.push({
      key: "election-timeout-ms",
      problem: `${election} ms is less than 3 heartbeats of ${heartbeat} ms`,
      remedy: `at least ${heartbeat * 3}, or a shorter heartbeat-ms`,
    });
  }
  return faults;
}

/** A first member and a later one begin differently: with all the members, and with none. */
function beginningFaults(values: Values): ConfigFault[] {
  if (values.bootstrap !== true || values.join !== true) return [];
  return [
    {
      key: "join",
      problem: "cannot be set together with bootstrap",
      remedy: "bootstrap for the first members of a new cluster, join for those added later",
    },
  ];
}

function memberFaults(values: Values): ConfigFault[] {
  const { name, "initial-cluster": members } = values;
  if (name === undefined || members === undefined) return [];
  if (members.some((member) => member.id === name)) return [];
  return [
    {
      key: "initial-cluster",
      problem: `does not name this node, ${show(name)}`,
      remedy: `add ${name}=host:port, or name one of ${members.map(({ id }) => id).join(", ")}`,
    },
  ];
}

function assemble(values: Values): NodeConfig {
  const { name, "initial-cluster": initialCluster, "data-dir": directory } = values;
  const clusterId = values["cluster-id"];
  const own = initialCluster?.find((member) => member.id === name);
  if (
    own === undefined ||
    initialCluster === undefined ||
    directory === undefined ||
    clusterId === undefined
  ) {
    throw new ConfigError([{ key: "name", problem: "is missing", remedy: "--name n1" }]);
  }
  return {
    nodeId: own.id,
    dataDirectory: resolve(directory),
    listenAddress: values.listen ?? own.address,
    advertiseAddress: values.advertise ?? own.address,
    clusterId,
    initialCluster,
    bootstrap: values.bootstrap ?? false,
    join: values.join ?? false,
    ...consensusSettings(values),
    allowFaults: values["allow-faults"] ?? false,
    logLevel: values["log-level"] ?? "info",
    logFile: values["log-file"] === undefined ? null : resolve(values["log-file"]),
  };
}

function consensusSettings(values: Values): ConsensusSettings {
  return {
    tickIntervalMs: values["tick-ms"] ?? TICK_DEFAULT_MS,
    heartbeatIntervalMs: values["heartbeat-ms"] ?? HEARTBEAT_DEFAULT_MS,
    electionTimeoutMs: values["election-timeout-ms"] ?? ELECTION_TIMEOUT_DEFAULT_MS,
    leaseReads: values["lease-reads"] ?? RAFT_DEFAULTS.leaseReads,
    snapshotLogBytes: values["snapshot-log-bytes"] ?? SNAPSHOT_LOG_DEFAULT_BYTES,
    snapshotSendBytesPerSecond: values["snapshot-send-rate"] ?? SNAPSHOT_SEND_DEFAULT_BYTES,
    trailingEntries: values["trailing-entries"] ?? RAFT_DEFAULTS.trailingEntries,
  };
}
