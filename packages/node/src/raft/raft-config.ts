import type { NodeId } from "@quorate/wire";
import { assert } from "./assert.ts";

/** Numbers that shape one node's behaviour. All members of a cluster should agree on the ticks. */
export interface RaftConfig {
  readonly nodeId: NodeId;
  /** A leader sends a heartbeat every this many ticks. */
  readonly heartbeatTicks: number;
  /**
   * Shortest election timeout, in ticks; each timeout is drawn from [this, 2 x this).
   * At least 3 x `heartbeatTicks`, so that two lost heartbeats start no election
   * (broadcastTime << electionTimeout, Raft §5.6).
   */
  readonly electionTicks: number;
  /** Entries in one AppendEntries stop at this many bytes; one entry always fits. */
  readonly appendEntriesMaxBytes: number;
  /** AppendEntries with entries in flight to one follower at most. */
  readonly inFlightMaxMessages: number;
  /** Bytes of entries in flight to one follower at most; one message always fits. */
  readonly inFlightMaxBytes: number;
  /** Bytes of uncommitted entries at which a leader refuses proposals; one always fits. */
  readonly uncommittedMaxBytes: number;
  /** Entries that stay in the log below a snapshot, for followers that are a little behind. */
  readonly trailingEntries: number;
  /**
   * Reads may be answered without a round for a while after one (Diss. §6.4.1). Voters then keep
   * their loyalty to a leader for the whole election timeout, whatever they learn, and elections
   * are not hurried. All members must agree on it.
   */
  readonly leaseReads: boolean;
  /** Bytes of committed entries handed out for applying at a time; one entry always fits. */
  readonly applyMaxBytes: number;
}

/** Defaults for all but the node's name, for ticks of 10 ms. */
export const RAFT_DEFAULTS: Omit<RaftConfig, "nodeId"> = {
  heartbeatTicks: 5,
  electionTicks: 30,
  appendEntriesMaxBytes: 1024 * 1024,
  inFlightMaxMessages: 64,
  inFlightMaxBytes: 8 * 1024 * 1024,
  uncommittedMaxBytes: 64 * 1024 * 1024,
  applyMaxBytes: 1024 * 1024,
  trailingEntries: 10_000,
  leaseReads: false,
};

/** Ends with an InvariantError on a configuration that the daemon's own checks let through. */
export function assertRaftConfig(config: RaftConfig): void {
  for (const [name, value] of Object.entries(config)) {
    if (typeof value === "number") {
      assert(
        Number.isSafeInteger(value) && value >= 1,
        `${name} is ${value}, not a whole number >= 1`,
      );
    }
  }
  assert(
    config.electionTicks >= 3 * config.heartbeatTicks,
    `electionTicks ${config.electionTicks} is less than 3 x heartbeatTicks ${config.heartbeatTicks}`,
  );
}
