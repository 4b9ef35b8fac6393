import type { NodeEvent, NodeId, NodeStatus, PeerStatus } from "@quorate/wire";
import { type ClusterState, type DashInput, emptyCluster, reduce } from "../../src/dash/store.ts";

/** 2026-03-14 12:04:31.250 in UTC. */
export const NOON: number = Date.UTC(2026, 2, 14, 12, 4, 31, 250);

export function addressOf(id: NodeId): string {
  return `127.0.0.1:700${id.slice(1)}`;
}

/** The status of node `id` of a cluster `ids` where `n2` leads term 7. */
export function statusOf(
  id: NodeId,
  ids: readonly NodeId[],
  changes: Partial<NodeStatus> = {},
): NodeStatus {
  const isLeader = id === "n2";
  return {
    clusterId: "c1",
    nodeId: id,
    incarnation: `inc-${id}`,
    bootId: `boot-${id}`,
    softwareVersion: "0.1.0",
    pid: 48_000 + Number(id.slice(1)),
    uptimeMs: 245_000,
    address: addressOf(id),
    dataDirectory: `/data/${id}`,
    role: isLeader ? "leader" : "follower",
    currentTerm: 7,
    votedFor: "n2",
    leaderId: "n2",
    votesGranted: null,
    commitIndex: 1045,
    lastApplied: 1045,
    firstLogIndex: 1,
    lastLogIndex: 1047,
    lastLogTerm: 7,
    durableIndex: 1047,
    logTail: [
      { term: 6, count: 33 },
      { term: 7, count: 16 },
    ],
    revision: 1040,
    keyCount: 312,
    members: ids.map((member) => ({
      id: member,
      address: addressOf(member),
      voter: true,
      role: "voter" as const,
    })),
    peers: ids.filter((peer) => peer !== id).map((peer) => peerOf(peer, isLeader)),
    electionTimerLeft: isLeader ? null : 0.66,
    electionTimeoutMs: 300,
    heartbeatIntervalMs: 50,
    clientConnections: 3,
    subscribers: 1,
    writesApplied: 1040,
    readsServed: 5_000,
    requestsFailed: 0,
    residentBytes: 70 * 1024 * 1024,
    storageBytes: 3_100_000,
    persistP50Ms: 0.3,
    persistP99Ms: 1.9,
    commitP50Ms: isLeader ? 2.1 : null,
    commitP99Ms: isLeader ? 8.4 : null,
    configurationIndex: 0,
    snapshotIndex: 0,
    snapshotBytes: 0,
    storageState: "ok",
    retired: false,
    sessions: 0,
    stateHash: "",
    faultsAllowed: false,
    faults: [],
    ...changes,
  };
}

function peerOf(id: NodeId, isLeader: boolean): PeerStatus {
  return {
    id,
    connected: true,
    matchIndex: isLeader ? 1045 : null,
    nextIndex: isLeader ? 1048 : null,
    replication: isLeader ? "replicate" : null,
    inFlightEntries: isLeader ? 2 : null,
    lastContactMs: 31,
    roundTripMs: 0.4,
    snapshotOffset: null,
    snapshotBytes: null,
    catchUpRounds: isLeader ? 0 : null,
    refusal: null,
  };
}

export function eventOf(
  sequence: number,
  text: string,
  changes: Partial<NodeEvent> = {},
): NodeEvent {
  return {
    sequence,
    kind: "voteGranted",
    severity: "info",
    term: 7,
    wallMs: NOON,
    monotonicMs: 1_000,
    text,
    details: {},
    ...changes,
  };
}

/** A cluster as the dashboard would know it, driven by hand on a clock that stands still. */
export class SyntheticCluster {
  readonly ids: readonly NodeId[];
  atMs: number;
  state: ClusterState;

  constructor(ids: readonly NodeId[], atMs: number = NOON) {
    this.ids = ids;
    this.atMs = atMs;
    this.state = emptyCluster(atMs);
    for (const id of ids) {
      this.input({ kind: "watch", address: addressOf(id), nodeId: id });
    }
  }

  input(input: DashInput): void {
    this.state = reduce(this.state, input, this.atMs);
  }

  /** Every node of `ids` reports its status. */
  report(ids: readonly NodeId[] = this.ids, changes: Partial<NodeStatus> = {}): void {
    for (const id of ids) {
      const status = statusOf(id, this.ids, changes);
      this.input({ kind: "link", address: addressOf(id), report: { kind: "state", status } });
    }
  }

  events(id: NodeId, events: readonly NodeEvent[], arePast = false): void {
    const report = { kind: "events", events, arePast } as const;
    this.input({ kind: "link", address: addressOf(id), report });
  }

  /** The connection to `id` is cut, and another one refused. */
  refuse(id: NodeId): void {
    this.end(id, "connecting", "the connection was cut");
    this.pass(100, [id]);
    this.end(id, "refused", "connection refused");
  }

  end(
    id: NodeId,
    verdict: "connecting" | "silent" | "refused" | "unreachable" | "turnedAway",
    text: string,
  ): void {
    const report = {
      kind: "ended",
      problem: { verdict, text },
      retryAtMs: this.atMs + 1_000,
    } as const;
    this.input({ kind: "link", address: addressOf(id), report });
  }

  /** Time goes by; all nodes but `mute` tick. */
  pass(ms: number, mute: readonly NodeId[] = []): void {
    const end = this.atMs + ms;
    while (this.atMs < end) {
      this.atMs = Math.min(end, this.atMs + 250);
      for (const id of this.ids) {
        const link = this.state.links.get(addressOf(id));
        if (!mute.includes(id) && link?.verdict === "live") {
          this.input({ kind: "link", address: addressOf(id), report: { kind: "tick" } });
        }
      }
      this.input({ kind: "clock" });
    }
  }
}
