import type { Configuration, NodeId } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import { SESSION_TTL_DEFAULT_MS, SESSION_TTL_MIN_MS } from "../kv/kv-command.ts";
import type { RaftConfig } from "../raft/index.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { NetworkFaults } from "./sim-network.ts";
import { CALM_NETWORK } from "./sim-network.ts";
import type { DiskSpeed } from "./sim-storage.ts";
import type { SnapshotHabits } from "./sim-life.ts";
import type { StreamFaults } from "./stream-faults.ts";
import { CALM_STREAMS } from "./stream-faults.ts";
import { CALM_DISK } from "./sim-storage.ts";

/** What every run may suffer. Each seed switches about half of them on (swarm testing). */
const COMMON_FAULTS = [
  "crash",
  "crashDuringSync",
  "powerCut",
  "pause",
  "partition",
  "oneWayPartition",
  "bridge",
  "isolateLeader",
  "crashLeader",
  "transfer",
  "drop",
  "duplicate",
  "reorder",
  "replay",
  "longDelay",
  "slowDisk",
  "clockDrift",
  "peerDown",
  "damage",
  "snapshotDamage",
  "tornWrite",
  "diskFull",
  "diskStall",
  "syncFailure",
  "readOnlyDisk",
  "wipe",
  "clockJump",
  "clockStall",
  "longPause",
] as const;

/** What a run over streams of bytes may suffer beside them. */
const STREAM_FAULTS = [
  "streamReset",
  "oddRead",
  "slowReader",
  "smallWindow",
  "halfOpen",
  "resetAfterCut",
  "clientPause",
  "clientCut",
  "strangers",
] as const;

export type Fault = (typeof COMMON_FAULTS)[number] | (typeof STREAM_FAULTS)[number];
export const FAULTS: readonly Fault[] = [...COMMON_FAULTS, ...STREAM_FAULTS];

/** What carries the messages of a run. */
export type Fabric = "messages" | "streams";

/** What the nodes of a run keep their logs in: a model of a database, or real ones. */
export type StorageKind = "model" | "sqlite";

/** Everything that a seed decides before the run begins. Times in simulated units. */
export interface SimulationPlan {
  readonly configuration: Configuration;
  readonly tickIntervalMs: number;
  readonly raft: Omit<RaftConfig, "nodeId">;
  readonly faults: ReadonlySet<Fault>;
  readonly network: NetworkFaults;
  /** Of a run over streams of bytes; null: over whole messages. */
  readonly streams: StreamFaults | null;
  readonly disk: DiskSpeed;
  /** Mean time between two faults that the injector causes. */
  readonly faultGapMeanUs: number;
  readonly crashDuringSyncChance: number;
  readonly snapshots: SnapshotHabits;
  /** Mean time between two changes of members that the operator asks for; null: none. */
  readonly changeGapMeanUs: number | null;
  readonly clientCount: number;
  /** Clients with sessions. */
  readonly sessionCount: number;
  /** How long a session lasts that the client library lets fall silent. */
  readonly sessionTtlMs: number;
  readonly keyCount: number;
  /** Values are at least this long: what makes a snapshot take its time. */
  readonly valueBytes: number;
  /** Mean time between an answer and the next request of a client. */
  readonly thinkMeanUs: number;
  readonly readChance: number;
  /** How likely a client proposes what is no command. */
  readonly nonsenseChance: number;
  readonly requestTimeoutUs: number;
  /** How long faults go on. */
  readonly safetyUs: number;
  /** The nodes keep their logs in real databases, instead of in a model of them. */
  readonly usesSqlite: boolean;
}

const SIZES = [1, 2, 3, 3, 3, 3, 4, 4, 5, 5, 5, 5, 6, 7] as const;

/**
 * The faults of a plan. Those that are left out are drawn all the same: without one of them a seed
 * still gives the same plan in all else.
 */
class FaultDice {
  /** What the run suffers. */
  readonly faults: ReadonlySet<Fault>;
  readonly #drawn: ReadonlySet<Fault>;
  readonly #random: SeededRandom;

  constructor(random: SeededRandom, kinds: readonly Fault[], without: readonly Fault[]) {
    this.#random = random;
    this.#drawn = new Set(kinds.filter(() => random.chance(0.5)));
    this.faults = new Set([...this.#drawn].filter((fault) => !without.includes(fault)));
  }

  /** One of `choices` if the run suffers `fault`, else `calm`. */
  pick<Value>(fault: Fault, choices: readonly Value[], calm: Value): Value {
    const value = this.#drawn.has(fault) ? this.#random.pick(choices) : calm;
    return this.faults.has(fault) ? value : calm;
  }
}

/** Of all plans: the sessions of their library clients last as short as the store allows. */
const SHORT_SESSIONS_PART = 2 / 3;

/** Of all plans: they take several times as long as the others. */
const STREAMS_PART = 1 / 12;

/**
 * Draws a plan, and leaves out these faults: nothing else about it changes. Some of all plans
 * are of streams, unless `fabric` says which.
 */
export function drawPlan(
  random: SeededRandom,
  without: readonly Fault[] = [],
  fabric: Fabric = random.fork("fabric").chance(STREAMS_PART) ? "streams" : "messages",
): SimulationPlan {
  const dice = new FaultDice(random, COMMON_FAULTS, without);
  const streamRandom = random.fork("streams");
  const streamDice = new FaultDice(streamRandom, STREAM_FAULTS, without);
  const isOfStreams = fabric === "streams";
  const faults = new Set([...dice.faults, ...(isOfStreams ? streamDice.faults : [])]);
  const heartbeatTicks = random.between(1, 3);
  return {
    configuration: configurationOf({ voters: nodeNames(random.pick(SIZES)) }),
    tickIntervalMs: 10,
    raft: {
      heartbeatTicks,
      electionTicks: heartbeatTicks * random.between(3, 6),
      appendEntriesMaxBytes: random.pick([1, 200, 1024 * 1024]),
      inFlightMaxMessages: random.pick([1, 2, 8, 64]),
      inFlightMaxBytes: random.pick([100, 1000, 8 * 1024 * 1024]),
      uncommittedMaxBytes: random.pick([300, 2000, 64 * 1024 * 1024]),
      applyMaxBytes: random.pick([1, 200, 1024 * 1024]),
      trailingEntries: random.pick([1, 10, 100]),
      leaseReads: random.chance(0.25),
    },
    faults,
    network: drawNetwork(random, dice),
    streams: isOfStreams ? drawStreams(streamRandom, streamDice) : null,
    disk: drawDisk(random, dice),
    faultGapMeanUs: random.pick([80_000, 250_000, 800_000]),
    crashDuringSyncChance: dice.pick("crashDuringSync", [0.002, 0.01, 0.03], 0),
    snapshots: {
      logBytes: random.pick([300, 2000, 10_000, Number.MAX_SAFE_INTEGER]),
      pieceMaxBytes: random.pick([40, 300, 4000]),
      sendBytesPerSecond: random.pick([10_000, 100_000, 10_000_000]),
      damageChance: faults.has("snapshotDamage") ? 0.3 : 0,
    },
    changeGapMeanUs: random.pick([null, 60_000, 200_000, 600_000]),
    clientCount: random.between(1, 6),
    sessionCount: random.between(0, 3),
    sessionTtlMs: random.fork("ttl").chance(SHORT_SESSIONS_PART)
      ? SESSION_TTL_MIN_MS
      : SESSION_TTL_DEFAULT_MS,
    keyCount: random.pick([1, 3, 10, 50]),
    valueBytes: random.pick([0, 0, 100, 500]),
    thinkMeanUs: random.pick([3_000, 10_000, 40_000]),
    readChance: random.pick([0.1, 0.4, 0.8]),
    nonsenseChance: random.fork("nonsense").pick([0, 0, 0.01, 0.1]),
    requestTimeoutUs: random.pick([100_000, 400_000, 1_500_000]),
    safetyUs: random.pick([2_000_000, 4_000_000, 8_000_000]),
    usesSqlite: random.chance(0.025),
  };
}

function drawNetwork(random: SeededRandom, dice: FaultDice): NetworkFaults {
  return {
    ...CALM_NETWORK,
    dropChance: dice.pick("drop", [0.01, 0.05, 0.2], 0),
    duplicateChance: dice.pick("duplicate", [0.01, 0.1, 0.5], 0),
    reorderChance: dice.pick("reorder", [0.1, 0.5, 1], 0),
    replayChance: dice.pick("replay", [0.01, 0.1], 0),
    delayMeanUs: random.pick([150, 1_000, 8_000]),
    longDelayChance: dice.pick("longDelay", [0.001, 0.01], 0),
    longDelayMaxUs: random.pick([100_000, 1_000_000]),
    arrivalGridUs: random.pick([1, 100, 2_000]),
  };
}

function drawStreams(random: SeededRandom, dice: FaultDice): StreamFaults {
  return {
    ...CALM_STREAMS,
    latencyMeanUs: random.pick([150, 1_000, 8_000]),
    arrivalGridUs: random.pick([1, 100, 2_000]),
    bytesPerMs: random.pick([200, 5_000, 100_000]),
    segmentMaxBytes: random.pick([700, 1_460, 64 * 1024]),
    windowBytes: dice.pick("smallWindow", [1_500, 6_000], CALM_STREAMS.windowBytes),
    resetChance: dice.pick("streamReset", [0.0005, 0.005], 0),
    oddReadChance: dice.pick("oddRead", [0.05, 0.5, 0.9], 0),
    slowReaderChance: dice.pick("slowReader", [0.05, 0.3], 0),
    resetAfterCutChance: dice.pick("resetAfterCut", [0.2, 0.9], 0),
  };
}

function drawDisk(random: SeededRandom, dice: FaultDice): DiskSpeed {
  return {
    ...CALM_DISK,
    syncMeanUs: random.pick([100, 1_000, 10_000]),
    slowSyncChance: dice.pick("slowDisk", [0.002, 0.02], 0),
    slowSyncMaxUs: random.pick([100_000, 800_000]),
  };
}

/** The ids of a new cluster. */
export function nodeNames(count: number): NodeId[] {
  return Array.from({ length: count }, (_, offset) => `n${offset + 1}`);
}
