import type { ClusterId, Incarnation, LogIndex, NodeId, RequestId, Term } from "./ids.ts";

/** `linearizable`: as fresh as any acknowledged write (Diss. §6.4). `stale`: what this node has. */
export type ReadConsistency = "linearizable" | "stale";

export interface GetRequest {
  readonly type: "Get";
  readonly requestId: RequestId;
  readonly key: Uint8Array;
  readonly consistency: ReadConsistency;
  /** A stale read only: refused as `tooStale` where the answer may be older. Null: any age. */
  readonly maxStalenessMs: number | null;
  /** The answer is read at this revision of the store or a later one; 0: at whichever. */
  readonly minRevision: number;
}

/** Names a write within its session, so that it takes effect once however often it is sent. */
export interface SessionOperation {
  readonly sessionId: number;
  /** Counts the writes of the session: 1, 2, 3, … A repeated write keeps its number. */
  readonly serial: number;
  /** The client has the answers to every serial below this: they need not be kept. */
  readonly ackedBelow: number;
}

export interface PutRequest {
  readonly type: "Put";
  readonly requestId: RequestId;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Only where the key's modRevision is this; 0: only where there is no such key. Null: always. */
  readonly ifRevision: number | null;
  /** Null: sent twice it takes effect twice. */
  readonly session: SessionOperation | null;
}

export interface DeleteRequest {
  readonly type: "Delete";
  readonly requestId: RequestId;
  readonly key: Uint8Array;
  /** As in {@link PutRequest}. */
  readonly ifRevision: number | null;
  readonly session: SessionOperation | null;
}

/** Asks for a new session (Diss. §6.3). Answered by a {@link SessionReply}. */
export interface OpenSessionRequest {
  readonly type: "OpenSession";
  readonly requestId: RequestId;
}

/** Puts off the end of a session; every write in it does so too. */
export interface KeepSessionRequest {
  readonly type: "KeepSession";
  readonly requestId: RequestId;
  readonly sessionId: number;
}

/** Ends a session. One that is over already is answered in the same way. */
export interface CloseSessionRequest {
  readonly type: "CloseSession";
  readonly requestId: RequestId;
  readonly sessionId: number;
}

/** What shall become of the members. Addresses are `host:port`. */
export type MembersChange =
  | {
      readonly kind: "add";
      readonly id: NodeId;
      readonly address: string;
      /** False: it is made a voter as soon as it has caught up. */
      readonly asLearner: boolean;
    }
  | { readonly kind: "promote"; readonly id: NodeId }
  | { readonly kind: "remove"; readonly id: NodeId }
  | {
      readonly kind: "replace";
      readonly id: NodeId;
      /** The member that comes in the place of `id`: an id that was never used. */
      readonly withId: NodeId;
      readonly address: string;
    }
  | { readonly kind: "updateAddress"; readonly id: NodeId; readonly address: string };

/** Asks the leader for a change of members (Raft §6). */
export interface ChangeMembersRequest {
  readonly type: "ChangeMembers";
  readonly requestId: RequestId;
  readonly change: MembersChange;
  /** Refused as `conflict` unless the members are those of this entry; null: whichever they are. */
  readonly expectedConfigurationIndex: LogIndex | null;
  /** Begin even though too few of the voters that there would be answer. */
  readonly force: boolean;
  /** Only say what would be done. */
  readonly dryRun: boolean;
}

/** What a node does to its messages with one peer, so that a cut or slow line can be tried out. */
export interface LinkFault {
  readonly peer: NodeId;
  /** `to`: messages that the node sends to the peer. `from`: those that it receives of it. */
  readonly direction: "to" | "from";
  /** Part of them that is lost, 0 to 1. At 1 the line is cut: no new connection comes about. */
  readonly dropRate: number;
  /** What is not lost comes later by this, in ms. */
  readonly delayMs: number;
}

/**
 * Puts `rules` in the place of all faults of the node's lines; none of them: all is well again.
 * Only a node that was started with `--allow-faults` does so.
 */
export interface SetFaultsRequest {
  readonly type: "SetFaults";
  readonly requestId: RequestId;
  /** At most one for each peer and direction. */
  readonly rules: readonly LinkFault[];
  /** The rules end by themselves after this: above 0 and at most `FAULTS_TTL_MAX_MS`. */
  readonly ttlMs: number;
}

export interface StatusRequest {
  readonly type: "Status";
  readonly requestId: RequestId;
}

/** Asks the leader to hand leadership to `target`, or to the best caught-up voter (null). */
export interface MoveLeaderRequest {
  readonly type: "MoveLeader";
  readonly requestId: RequestId;
  readonly target: NodeId | null;
}

/** Opens the stream `requestId`: the node's state, its changes and its events (docs/protocol.md). */
export interface SubscribeRequest {
  readonly type: "Subscribe";
  readonly requestId: RequestId;
  /** Resume after this event of this process, or null: from now. */
  readonly resume: { readonly bootId: string; readonly sequence: number } | null;
  /** At most this many states a second, an integer from 1 to 50. Events are not thinned. */
  readonly stateRateMaxHz: number;
  /**
   * Where nothing is resumed: begin with this many of the newest events that the node remembers.
   * Default 0: with what happens next.
   */
  readonly eventBacklogMax: number;
}

/** Ends the stream `requestId`. Not answered. */
export interface CancelRequest {
  readonly type: "Cancel";
  readonly requestId: RequestId;
}

export type ClientRequest =
  | GetRequest
  | PutRequest
  | DeleteRequest
  | StatusRequest
  | MoveLeaderRequest
  | OpenSessionRequest
  | KeepSessionRequest
  | CloseSessionRequest
  | ChangeMembersRequest
  | SetFaultsRequest
  | SubscribeRequest
  | CancelRequest;

/**
 * Where a committed change stands: in the log, and in the store. A write that its session repeated
 * is told where the copy stands that took effect.
 */
export interface WritePosition {
  readonly index: LogIndex;
  readonly term: Term;
  /** The store's revision after the change. */
  readonly revision: number;
}

/** A key's value and history: revisions as in etcd. */
export interface KeyValue {
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** Changes since the key was created: 1 at its creation. */
  readonly version: number;
}

export interface GetReply {
  readonly type: "GetReply";
  readonly requestId: RequestId;
  readonly found: KeyValue | null;
  /** The store's revision that the answer was read at. */
  readonly revision: number;
  /** The applied index that the answer was read at. */
  readonly appliedIndex: LogIndex;
  /** How old the answer may be at most, in ms; 0 for a linearizable read. */
  readonly ageMs: number;
}

export interface PutReply extends WritePosition {
  readonly type: "PutReply";
  readonly requestId: RequestId;
  /** Whether the key did not exist before. */
  readonly created: boolean;
}

export interface DeleteReply extends WritePosition {
  readonly type: "DeleteReply";
  readonly requestId: RequestId;
  /** Whether the key existed. Where it did not, `revision` has not moved. */
  readonly deleted: boolean;
}

export interface StatusReply {
  readonly type: "StatusReply";
  readonly requestId: RequestId;
  readonly status: NodeStatus;
}

export interface MoveLeaderReply {
  readonly type: "MoveLeaderReply";
  readonly requestId: RequestId;
  readonly leaderId: NodeId;
  readonly term: Term;
}

/** Answers what has to do with a session. */
export interface SessionReply {
  readonly type: "SessionReply";
  readonly requestId: RequestId;
  readonly sessionId: number;
  /** It ends when nothing was heard of it for this long; 0: it is over. */
  readonly ttlMs: number;
}

export interface ChangeMembersReply {
  readonly type: "ChangeMembersReply";
  readonly requestId: RequestId;
  /** Names the members that there are now: the index of their entry. */
  readonly configurationIndex: LogIndex;
  /** In words for people: what was done, goes on by itself, or, in a dry run, would be done. */
  readonly steps: readonly string[];
}

/** The faults of the node's lines are these now. */
export interface SetFaultsReply {
  readonly type: "SetFaultsReply";
  readonly requestId: RequestId;
  readonly rules: readonly LinkFault[];
  /** They end by themselves after this; 0 where there are none. */
  readonly ttlMs: number;
}

export const REQUEST_ERROR_CODES = [
  "notLeader",
  "noLeader",
  "leadershipLost",
  "proposalDropped",
  "transferring",
  "overloaded",
  "tooLarge",
  "invalid",
  "stopping",
  "transferFailed",
  "conditionFailed",
  "sessionExpired",
  "behind",
  "tooStale",
  "changeInProgress",
  "notReady",
  "conflict",
  "quorumAtRisk",
  "storageFull",
  "notMember",
  "faultsNotAllowed",
] as const;
export type RequestErrorCode = (typeof REQUEST_ERROR_CODES)[number];

/** Whether a failed request can have had an effect: only `notApplied` may be retried blindly. */
export type Outcome = "notApplied" | "unknown";

export interface ErrorReply {
  readonly type: "ErrorReply";
  readonly requestId: RequestId;
  readonly code: RequestErrorCode;
  readonly outcome: Outcome;
  readonly message: string;
  readonly leaderId: NodeId | null;
  /** `host:port` of the leader, where it is known. */
  readonly leaderAddress: string | null;
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** `staging`: a learner that becomes a voter once it has caught up. `leaving`: not a member of
 *  the configuration that is being changed to. */
export type MemberRole = "voter" | "learner" | "staging" | "leaving";

export interface MemberStatus {
  readonly id: NodeId;
  readonly address: string;
  /** Whether it votes now: in either half of a joint configuration. */
  readonly voter: boolean;
  readonly role: MemberRole;
}

/** What a leader knows of one peer, or (all but `connected` null) what any other node knows. */
export interface PeerStatus {
  readonly id: NodeId;
  /** Whether this node's own connection to the peer is up. */
  readonly connected: boolean;
  readonly matchIndex: LogIndex | null;
  readonly nextIndex: LogIndex | null;
  readonly replication: "probe" | "replicate" | "snapshot" | null;
  /** Entries sent and not yet acknowledged. */
  readonly inFlightEntries: number | null;
  /** Milliseconds since the peer was last heard from, on any connection. */
  readonly lastContactMs: number | null;
  readonly roundTripMs: number | null;
  /** Of the snapshot that is sent to it: what it has, and the whole. Null: none is sent. */
  readonly snapshotOffset: number | null;
  readonly snapshotBytes: number | null;
  /** Rounds of catching up that a staging learner has had (Diss. §4.2.1). */
  readonly catchUpRounds: number | null;
  /** Why the peer refuses this node, and what helps; null: it does not, as far as is known. */
  readonly refusal: string | null;
}

/** `stalled`: a write takes longer than an election may. `full`: it waits for space. */
export type StorageState = "ok" | "stalled" | "full";

/** A run of neighbouring log entries of one term. */
export interface TermRun {
  readonly term: Term;
  readonly count: number;
}

/** Everything that a node reports about itself. Durations in ms, sizes in bytes. */
export interface NodeStatus {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
  readonly bootId: string;
  readonly softwareVersion: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly address: string;
  readonly dataDirectory: string;
  readonly role: Role;
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
  readonly leaderId: NodeId | null;
  /** Votes (or pre-votes) granted so far, while a candidate or pre-candidate. */
  readonly votesGranted: number | null;
  readonly commitIndex: LogIndex;
  readonly lastApplied: LogIndex;
  readonly firstLogIndex: LogIndex;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  /** Highest index known to be on this node's disk. */
  readonly durableIndex: LogIndex;
  /** The newest entries as runs of terms, oldest first, ending at `lastLogIndex`. */
  readonly logTail: readonly TermRun[];
  readonly revision: number;
  readonly keyCount: number;
  readonly members: readonly MemberStatus[];
  readonly peers: readonly PeerStatus[];
  /** Part of the election timeout that is left: 0 to 1; null on a leader. */
  readonly electionTimerLeft: number | null;
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly clientConnections: number;
  readonly subscribers: number;
  readonly writesApplied: number;
  readonly readsServed: number;
  readonly requestsFailed: number;
  readonly residentBytes: number;
  readonly storageBytes: number;
  /** Of the last 1,000 persists: median and 99th percentile until durable; null before the first. */
  readonly persistP50Ms: number | null;
  readonly persistP99Ms: number | null;
  /** Of the last 1,000 writes at this leader: from proposal to applied. */
  readonly commitP50Ms: number | null;
  readonly commitP99Ms: number | null;
  /** Names the configuration in force: the index of its entry; 0: the one of the bootstrap. */
  readonly configurationIndex: LogIndex;
  /** Last index of the newest snapshot, and its size; 0: there is none. */
  readonly snapshotIndex: LogIndex;
  readonly snapshotBytes: number;
  readonly storageState: StorageState;
  /** Whether it is a member no more, for ever: it may be stopped. */
  readonly retired: boolean;
  /** Sessions that are open in the store. */
  readonly sessions: number;
  /** Of the store at `lastApplied`: equal on all nodes that have applied as much; "": not told. */
  readonly stateHash: string;
  /** Whether the node obeys {@link SetFaultsRequest}. */
  readonly faultsAllowed: boolean;
  /** Faults that were set on its lines. */
  readonly faults: readonly LinkFault[];
}

export const NODE_EVENT_KINDS = [
  "started",
  "stopping",
  "roleChanged",
  "termChanged",
  "leaderChanged",
  "voteGranted",
  "voteRefused",
  "electionStarted",
  "electionWon",
  "steppedDown",
  "entriesTruncated",
  "committed",
  "peerConnected",
  "peerDisconnected",
  "peerRefused",
  "persistSlow",
  "transferStarted",
  "transferEnded",
  "snapshotTaken",
  "snapshotSending",
  "snapshotInstalled",
  "snapshotDamaged",
  "membersChanged",
  "promoted",
  "retired",
] as const;
export type NodeEventKind = (typeof NODE_EVENT_KINDS)[number];

export type EventSeverity = "info" | "good" | "warning" | "bad";

/** One thing that happened on a node, told once. */
export interface NodeEvent {
  /** Counts up by one within a process (`bootId`). */
  readonly sequence: number;
  readonly kind: NodeEventKind;
  readonly severity: EventSeverity;
  readonly term: Term;
  /** Milliseconds since the Unix epoch on the node's wall clock: for display only. */
  readonly wallMs: number;
  /** Milliseconds on the node's monotonic clock. */
  readonly monotonicMs: number;
  /** A sentence without its subject: "voted for n3 in term 8". */
  readonly text: string;
  /** The facts in the sentence, at most 32, by name: a letter, then letters and digits. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** The whole state of the node: first on a stream, and again after a gap. */
export interface StreamState {
  readonly type: "StreamState";
  readonly requestId: RequestId;
  readonly status: NodeStatus;
}

/** Fields of the status that changed since the last state or delta of this stream. */
export interface StreamDelta {
  readonly type: "StreamDelta";
  readonly requestId: RequestId;
  readonly changed: Partial<NodeStatus>;
}

export interface StreamEvents {
  readonly type: "StreamEvents";
  readonly requestId: RequestId;
  readonly events: readonly NodeEvent[];
}

/** Sent every 500 ms when nothing else was: the node is alive. */
export interface StreamTick {
  readonly type: "StreamTick";
  readonly requestId: RequestId;
  readonly monotonicMs: number;
}

/** Events were dropped because the subscriber or the ring could not hold them. */
export interface StreamGap {
  readonly type: "StreamGap";
  readonly requestId: RequestId;
  readonly lost: number;
}

export type StreamMessage = StreamState | StreamDelta | StreamEvents | StreamTick | StreamGap;

export type ClientReply =
  | GetReply
  | PutReply
  | DeleteReply
  | StatusReply
  | MoveLeaderReply
  | SessionReply
  | ChangeMembersReply
  | SetFaultsReply
  | ErrorReply
  | StreamMessage;

/** Keeps a connection alive and shows when the other side is gone; answered by a Pong at once. */
export interface Ping {
  readonly type: "Ping";
  readonly nonce: number;
}

export interface Pong {
  readonly type: "Pong";
  readonly nonce: number;
}
