import type { MemberStatus, NodeId, NodeStatus, PeerStatus, Term, TermRun } from "@quorate/wire";
import type { FeedLine } from "./event-feed.ts";
import { lastWitness } from "./link-wording.ts";
import type { LocalNode } from "./local-actions.ts";
import type { NodeLink } from "./node-link.ts";
import type { ClusterState } from "./store.ts";
import { recentRate, type TrafficSample } from "./traffic.ts";
import type { Vitals } from "./vitals.ts";

/** How the cluster as a whole stands. */
export type Health =
  | "connecting"
  | "unreachable"
  | "healthy"
  | "degraded"
  | "noLeader"
  | "noQuorum";

/** What a node is, as far as the dashboard can tell. */
export type NodeCondition =
  | "leader"
  | "staleLeader"
  | "follower"
  | "learner"
  | "staging"
  | "leaving"
  | "retired"
  | "preCandidate"
  | "candidate"
  | "down"
  | "silent"
  | "paused"
  | "lost"
  | "refused"
  | "connecting";

/** One line of the table of nodes. Null: never heard. */
export interface NodeRow {
  readonly id: NodeId;
  readonly address: string;
  readonly condition: NodeCondition;
  /** How long the condition has lasted, for those that are not roles. */
  readonly forMs: number | null;
  /** Votes granted and needed, while a candidate. */
  readonly votes: { readonly granted: number; readonly needed: number } | null;
  /** Whether the figures are from before contact was lost. */
  readonly isStale: boolean;
  readonly status: NodeStatus | null;
  /** Entries that the leader has and this node had not when last heard. */
  readonly lag: number | null;
  /** As the leader measures it. */
  readonly roundTripMs: number | null;
  /** What the leader knows of this node's log, for the wide screen. */
  readonly progress: { readonly matchIndex: number; readonly nextIndex: number } | null;
  /** What others or the connection know of a node that does not answer. */
  readonly note: string | null;
  /** Its process, where this machine started it. */
  readonly local: LocalNode | null;
}

/** Where and what entries are, for comparing logs on one scale. */
export interface LogScale {
  readonly lastIndex: number;
  /** The leader's newest entries: what the others' entries must agree with. */
  readonly leaderLog: LogTail | null;
}

/** The newest entries of one log. */
export interface LogTail {
  readonly lastIndex: number;
  readonly runs: readonly TermRun[];
}

/** Everything that a screen shows. */
export interface ClusterView {
  readonly nowMs: number;
  readonly health: Health;
  /** Whether every node has answered or is known not to. */
  readonly isSettled: boolean;
  readonly up: number;
  readonly voters: number;
  readonly quorum: number;
  /** How many more nodes may be lost before writes stop; 0 without a quorum. */
  readonly safeLosses: number;
  readonly leaderId: NodeId | null;
  readonly term: Term;
  readonly noLeaderForMs: number;
  readonly rows: readonly NodeRow[];
  readonly scale: LogScale;
  readonly traffic: {
    readonly writesPerSecond: number | null;
    readonly readsPerSecond: number | null;
    readonly leader: NodeStatus | null;
    readonly samples: readonly TrafficSample[];
  };
  readonly feed: readonly FeedLine[];
  /** What was tried, while no node answers. */
  readonly attempts: readonly NodeLink[];
}

/** What the screens show of `state` at `nowMs`. Pure. */
export function selectView(state: ClusterState, nowMs: number): ClusterView {
  const { vitals } = state;
  const links = [...state.links.values()];
  const leader = links.find(
    (link) => link.verdict === "live" && link.status?.nodeId === vitals.leaderId,
  )?.status;
  const scale = scaleOf(links, leader ?? null);
  const rows = rowsOf(state).map((known) => rowOf(state, known, leader ?? null, nowMs));
  return {
    nowMs,
    health: healthOf(state),
    isSettled: isSettled(links, vitals),
    up: vitals.votersUp,
    voters: vitals.voters,
    quorum: vitals.quorum,
    safeLosses: Math.max(0, vitals.votersUp - vitals.quorum),
    leaderId: vitals.leaderId,
    term: vitals.term,
    noLeaderForMs: vitals.leaderId === null ? nowMs - state.leaderSeenMs : 0,
    rows,
    scale,
    traffic: {
      writesPerSecond: recentRate(state.samples, "writesPerSecond"),
      readsPerSecond: recentRate(state.samples, "readsPerSecond"),
      leader: leader ?? null,
      samples: state.samples,
    },
    feed: state.feed,
    attempts: links.some((link) => link.verdict === "live") ? [] : links,
  };
}

/** A member that was just named and is not watched yet counts as undecided. */
function isSettled(links: readonly NodeLink[], vitals: Vitals): boolean {
  const isPending = links.some((link) => link.verdict === "connecting");
  return links.length > 0 && !isPending && vitals.undecided === 0;
}

function healthOf(state: ClusterState): Health {
  const { vitals, links } = state;
  const verdicts = [...links.values()].map((link) => link.verdict);
  if (!verdicts.includes("live")) {
    const isStarting = verdicts.length === 0 || verdicts.includes("connecting");
    return isStarting && !vitals.known ? "connecting" : "unreachable";
  }
  if (!vitals.hasQuorum) {
    return state.quorumNoted === null && vitals.undecided > 0 ? "connecting" : "noQuorum";
  }
  if (vitals.leaderId === null) {
    return "noLeader";
  }
  const leaders = [...links.values()].filter(
    (link) => link.verdict === "live" && link.status?.role === "leader",
  );
  return vitals.votersUp < vitals.voters || leaders.length > 1 ? "degraded" : "healthy";
}

interface KnownNode {
  readonly id: NodeId;
  readonly address: string;
  readonly link: NodeLink | null;
  readonly local: LocalNode | null;
  readonly member: MemberStatus | null;
}

/** Members, watched addresses and processes of this machine, each node once, sorted by name. */
function rowsOf(state: ClusterState): readonly KnownNode[] {
  const links = [...state.links.values()];
  const known = new Map<string, KnownNode>();
  const members = new Map(state.vitals.members.map((member) => [member.id, member]));
  const locals = new Map(state.local.map((node) => [node.id, node]));
  const nameOfAddress = new Map(
    [...state.local, ...state.vitals.members].map((node) => [node.address, node.id]),
  );
  const add = (id: NodeId, address: string, link: NodeLink | null) => {
    const better = known.get(id)?.link ?? null;
    if (better === null || link?.verdict === "live") {
      const local = locals.get(id) ?? null;
      known.set(id, { id, address, link, local, member: members.get(id) ?? null });
    }
  };
  for (const link of links) {
    add(link.nodeId ?? nameOfAddress.get(link.address) ?? link.address, link.address, link);
  }
  for (const node of [...state.vitals.members, ...state.local]) {
    if (!known.has(node.id)) {
      add(node.id, node.address, null);
    }
  }
  return [...known.values()].toSorted((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
}

function rowOf(
  state: ClusterState,
  known: KnownNode,
  leader: NodeStatus | null,
  nowMs: number,
): NodeRow {
  const { link, local } = known;
  const status = link?.status ?? null;
  const condition = conditionOf(known, state);
  const isLive = link?.verdict === "live";
  const peer = leader?.peers.find((candidate) => candidate.id === known.id) ?? null;
  return {
    id: known.id,
    address: status?.address ?? known.address,
    condition,
    votes: votesOf(condition, status, state.vitals.quorum),
    isStale: !isLive,
    status,
    lag: lagOf(status, leader, peer),
    roundTripMs: isLive ? (peer?.roundTripMs ?? null) : null,
    progress: progressOf(peer),
    local,
    ...absenceOf(state, isLive ? null : link, nowMs),
  };
}

function votesOf(
  condition: NodeCondition,
  status: NodeStatus | null,
  needed: number,
): NodeRow["votes"] {
  const isCandidate = condition === "candidate" || condition === "preCandidate";
  return isCandidate ? { granted: status?.votesGranted ?? 0, needed } : null;
}

function progressOf(peer: PeerStatus | null): NodeRow["progress"] {
  const matchIndex = peer?.matchIndex ?? null;
  const nextIndex = peer?.nextIndex ?? null;
  return matchIndex === null || nextIndex === null ? null : { matchIndex, nextIndex };
}

function absenceOf(
  state: ClusterState,
  lost: NodeLink | null,
  nowMs: number,
): Pick<NodeRow, "forMs" | "note"> {
  return lost === null
    ? { forMs: null, note: null }
    : { forMs: nowMs - (lost.lostAtMs ?? lost.sinceMs), note: noteOf(state, lost, nowMs) };
}

/** The leader may know more of a log than the log's owner has told us yet. */
function lagOf(
  status: NodeStatus | null,
  leader: NodeStatus | null,
  peer: PeerStatus | null,
): number | null {
  if (status === null || leader === null) {
    return null;
  }
  const known = Math.max(status.lastLogIndex, peer?.matchIndex ?? 0);
  return Math.max(0, leader.lastLogIndex - known);
}

function conditionOf({ link, local, member }: KnownNode, state: ClusterState): NodeCondition {
  if (link?.verdict !== "live" && local !== null && local.state !== "running") {
    return local.state === "paused" ? "paused" : "down";
  }
  switch (link?.verdict) {
    case undefined:
    case "connecting":
      return (link?.status ?? null) === null ? "connecting" : "lost";
    case "refused":
      return "down";
    case "silent":
      return "silent";
    case "unreachable":
      return "lost";
    case "turnedAway":
      return "refused";
    case "live":
      return roleOf(link, member, state);
  }
}

function roleOf(
  link: NodeLink,
  member: MemberStatus | null,
  { vitals }: ClusterState,
): NodeCondition {
  const role = link.status?.role ?? "follower";
  if (role === "leader") {
    return link.nodeId === vitals.leaderId ? "leader" : "staleLeader";
  }
  if (link.status?.retired === true) return "retired";
  const memberRole = member?.role ?? "voter";
  return role === "follower" && memberRole !== "voter" ? memberRole : role;
}

function noteOf(state: ClusterState, link: NodeLink, nowMs: number): string | null {
  const witness = link.verdict === "unreachable" ? lastWitness(state.links, link, nowMs) : null;
  if (witness !== null) {
    return witness;
  }
  const retryMs = link.retryAtMs === null ? 0 : link.retryAtMs - nowMs;
  const retry = retryMs > 0 ? `; retry in ${(retryMs / 1000).toFixed(1)} s` : "";
  return link.problem === null ? null : `${link.problem}${retry}`;
}

function scaleOf(links: readonly NodeLink[], leader: NodeStatus | null): LogScale {
  const last = links.map((link) => link.status?.lastLogIndex ?? 0);
  return {
    lastIndex: Math.max(0, ...last),
    leaderLog: leader === null ? null : { lastIndex: leader.lastLogIndex, runs: leader.logTail },
  };
}
