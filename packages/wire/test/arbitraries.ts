import fc from "fast-check";

import type {
  Configuration,
  EntryKind,
  LinkFault,
  LogEntry,
  MembersChange,
  MessageOf,
  MessageType,
  NodeEvent,
  NodeStatus,
  SessionOperation,
  WireMessage,
} from "../src/index.ts";
import { HELLO_REFUSAL_CODES, NODE_EVENT_KINDS, REQUEST_ERROR_CODES } from "../src/index.ts";

/*
 * Every message that may stand on the wire, for properties: values are drawn from the whole of
 * each field's range, its ends more often.
 */

type Shape<T> = { [K in keyof T]: fc.Arbitrary<T[K]> };

/** A record with the prototype of an object literal, as decoders build them. */
function record<T>(shape: Shape<T>): fc.Arbitrary<T> {
  return fc.record(shape, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

function message<T extends MessageType>(
  type: T,
  shape: Shape<Omit<MessageOf<T>, "type">>,
): fc.Arbitrary<MessageOf<T>> {
  return record({ type: fc.constant(type), ...shape }) as unknown as fc.Arbitrary<MessageOf<T>>;
}

function orNull<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.option(arbitrary, { nil: null });
}

const integer = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
);
const identifier = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u);
const measure = fc.double({ min: 0, max: 1e15, noNaN: true });

/** A code point has at most two UTF-16 units. Text may lose a leading U+FEFF on its way. */
function text(unitsMax: number, codePointsMin = 0): fc.Arbitrary<string> {
  return fc
    .string({ unit: "binary", minLength: codePointsMin, maxLength: unitsMax / 2 })
    .filter((candidate) => !candidate.startsWith("\uFEFF"));
}

const prose = text(512);
const name = text(64, 1);
const address = fc.stringMatching(/^[a-z0-9.-]{1,60}:[1-9][0-9]{0,4}$/u);

/** Bytes up to `maxLength`, around the sizes where their encoding changes. */
function bytes(maxLength = 600): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    fc.uint8Array({ maxLength: Math.min(maxLength, 24) }),
    fc
      .constantFrom(...[0, 1, 255, 256, 257, maxLength].filter((size) => size <= maxLength))
      .chain((size) => fc.uint8Array({ minLength: size, maxLength: size })),
  );
}

const entryKind: fc.Arbitrary<EntryKind> = fc.constantFrom("noop", "command", "configuration");

/** Entries of any index and term, in no order: what a run of records may hold. */
export const looseEntry: fc.Arbitrary<LogEntry> = record({
  index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  term: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  kind: entryKind,
  data: bytes(),
});

const appendEntries: fc.Arbitrary<MessageOf<"AppendEntries">> = fc
  .record({
    prevLogIndex: fc.integer({ min: 0, max: 2 ** 53 - 100 }),
    prevLogTerm: fc.nat(2 ** 40),
    steps: fc.array(fc.record({ termStep: fc.nat(3), kind: entryKind, data: bytes() }), {
      maxLength: 8,
    }),
    termAhead: fc.nat(2 ** 40),
    leaderId: identifier,
    leaderCommit: integer,
    round: integer,
  })
  .map(({ prevLogIndex, prevLogTerm, steps, termAhead, leaderId, leaderCommit, round }) => {
    let term = prevLogTerm + 1;
    const entries = steps.map(({ termStep, kind, data }, offset) => {
      term += termStep;
      return { index: prevLogIndex + 1 + offset, term, kind, data };
    });
    return {
      type: "AppendEntries",
      term: term + termAhead,
      leaderId,
      prevLogIndex,
      prevLogTerm,
      leaderCommit,
      round,
      entries,
    };
  });

export const configuration: fc.Arbitrary<Configuration> = fc
  .record({
    ids: fc.uniqueArray(identifier, { minLength: 3, maxLength: 9 }),
    outgoing: fc.nat(3),
    learners: fc.nat(2),
  })
  .map(({ ids, outgoing, learners }) => ({
    voters: ids.slice(learners).toSorted(),
    votersOutgoing: ids.slice(learners).toSorted().slice(0, outgoing),
    learners: ids.slice(0, learners).toSorted(),
    staging: ids.slice(0, Math.min(learners, 1)).toSorted(),
    addresses: ids.toSorted().map((id, offset) => ({ id, address: `127.0.0.1:${7001 + offset}` })),
    retired: outgoing === 0 ? [] : [`-${outgoing}`.replace("-", "z")],
  }))
  .filter(
    ({ voters, learners, retired }) => !retired.some((id) => [...voters, ...learners].includes(id)),
  );

const linkFault: fc.Arbitrary<LinkFault> = record({
  peer: identifier,
  direction: fc.constantFrom("to", "from"),
  dropRate: fc.double({ min: 0, max: 1, noNaN: true }),
  delayMs: measure,
});

const NODE_STATUS: Shape<NodeStatus> = {
  clusterId: identifier,
  nodeId: identifier,
  incarnation: identifier,
  bootId: identifier,
  softwareVersion: name,
  pid: integer,
  uptimeMs: measure,
  address,
  dataDirectory: text(512),
  role: fc.constantFrom("follower", "preCandidate", "candidate", "leader"),
  currentTerm: integer,
  votedFor: orNull(identifier),
  leaderId: orNull(identifier),
  votesGranted: orNull(integer),
  commitIndex: integer,
  lastApplied: integer,
  firstLogIndex: integer,
  lastLogIndex: integer,
  lastLogTerm: integer,
  durableIndex: integer,
  logTail: fc.array(record({ term: integer, count: integer }), { maxLength: 5 }),
  revision: integer,
  keyCount: integer,
  members: fc.array(
    record({
      id: identifier,
      address,
      voter: fc.boolean(),
      role: fc.constantFrom("voter", "learner", "staging", "leaving"),
    }),
    { maxLength: 5 },
  ),
  peers: fc.array(
    record({
      id: identifier,
      connected: fc.boolean(),
      matchIndex: orNull(integer),
      nextIndex: orNull(integer),
      replication: fc.constantFrom(
        "probe" as const,
        "replicate" as const,
        "snapshot" as const,
        null,
      ),
      inFlightEntries: orNull(integer),
      lastContactMs: orNull(measure),
      roundTripMs: orNull(measure),
      snapshotOffset: orNull(integer),
      snapshotBytes: orNull(integer),
      catchUpRounds: orNull(integer),
      refusal: orNull(prose),
    }),
    { maxLength: 4 },
  ),
  electionTimerLeft: orNull(fc.double({ min: 0, max: 1, noNaN: true })),
  electionTimeoutMs: measure,
  heartbeatIntervalMs: measure,
  clientConnections: integer,
  subscribers: integer,
  writesApplied: integer,
  readsServed: integer,
  requestsFailed: integer,
  residentBytes: integer,
  storageBytes: integer,
  persistP50Ms: orNull(measure),
  persistP99Ms: orNull(measure),
  commitP50Ms: orNull(measure),
  commitP99Ms: orNull(measure),
  configurationIndex: integer,
  snapshotIndex: integer,
  snapshotBytes: integer,
  storageState: fc.constantFrom("ok", "stalled", "full"),
  retired: fc.boolean(),
  sessions: integer,
  stateHash: fc.stringMatching(/^[0-9a-f]{0,16}$/u),
  faultsAllowed: fc.boolean(),
  faults: fc.array(linkFault, { maxLength: 3 }),
};

/** Every field of a status. */
export const nodeStatusNames: readonly string[] = Object.keys(NODE_STATUS);

export const nodeStatus: fc.Arbitrary<NodeStatus> = record(NODE_STATUS);

const partOfNodeStatus = fc.record(NODE_STATUS, {
  requiredKeys: [],
  noNullPrototype: true,
}) as fc.Arbitrary<Partial<NodeStatus>>;

/** Names that an object has or that JavaScript treats specially stand among the plain ones. */
const detailName = fc.oneof(
  fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,20}$/u),
  fc.constantFrom("constructor", "hasOwnProperty", "toJSON", "toString", "length"),
);

const detail = fc.oneof(
  prose,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);

export const nodeEvent: fc.Arbitrary<NodeEvent> = record({
  sequence: integer,
  kind: fc.constantFrom(...NODE_EVENT_KINDS),
  severity: fc.constantFrom("info", "good", "warning", "bad"),
  term: integer,
  wallMs: measure,
  monotonicMs: measure,
  text: prose,
  details: fc.dictionary(detailName, detail, { maxKeys: 5, noNullPrototype: true }),
});

const nodeHello = {
  protocolVersion: integer,
  clusterId: orNull(identifier),
  to: orNull(identifier),
  incarnation: orNull(identifier),
  bootId: identifier,
  advertiseAddress: orNull(address),
  softwareVersion: name,
  capabilities: fc.array(name, { maxLength: 16 }),
  bootNumber: orNull(integer),
  configurationIndex: orNull(integer),
};

const found = record({
  value: bytes(),
  createRevision: integer,
  modRevision: integer,
  version: integer,
});

const sessionOperation: fc.Arbitrary<SessionOperation> = record({
  sessionId: integer,
  serial: integer,
  ackedBelow: integer,
});

const membersChange: fc.Arbitrary<MembersChange> = fc.oneof<fc.Arbitrary<MembersChange>[]>(
  record({ kind: fc.constant("add"), id: identifier, address, asLearner: fc.boolean() }),
  record({ kind: fc.constantFrom("promote", "remove"), id: identifier }),
  record({ kind: fc.constant("replace"), id: identifier, withId: identifier, address }),
  record({ kind: fc.constant("updateAddress"), id: identifier, address }),
);

/** One arbitrary for each message type: a new type without one does not compile. */
export const messagesByType: { readonly [T in MessageType]: fc.Arbitrary<MessageOf<T>> } = {
  Hello: fc.oneof(
    message("Hello", { ...nodeHello, from: identifier, role: fc.constant("peer") }),
    message("Hello", { ...nodeHello, from: name, role: fc.constant("client") }),
  ),
  HelloRefused: message("HelloRefused", {
    code: fc.constantFrom(...HELLO_REFUSAL_CODES),
    message: prose,
    remedy: prose,
  }),
  Ping: message("Ping", { nonce: integer }),
  Pong: message("Pong", { nonce: integer }),
  RequestVote: message("RequestVote", {
    term: integer,
    candidateId: identifier,
    lastLogIndex: integer,
    lastLogTerm: integer,
    leadershipTransfer: fc.boolean(),
  }),
  RequestVoteReply: message("RequestVoteReply", { term: integer, voteGranted: fc.boolean() }),
  PreVote: message("PreVote", {
    term: integer,
    candidateId: identifier,
    lastLogIndex: integer,
    lastLogTerm: integer,
  }),
  PreVoteReply: message("PreVoteReply", {
    term: integer,
    preVoteTerm: integer,
    voteGranted: fc.boolean(),
  }),
  AppendEntries: appendEntries,
  AppendEntriesReply: message("AppendEntriesReply", {
    term: integer,
    success: fc.boolean(),
    prevLogIndex: integer,
    matchIndex: integer,
    conflictTerm: orNull(integer),
    conflictIndex: integer,
    round: integer,
  }),
  TimeoutNow: message("TimeoutNow", { term: integer, leaderId: identifier }),
  ReadIndex: message("ReadIndex", { term: integer, requestId: integer }),
  ReadIndexReply: message("ReadIndexReply", {
    term: integer,
    requestId: integer,
    readIndex: orNull(integer),
  }),
  InstallSnapshot: message("InstallSnapshot", {
    term: integer,
    leaderId: identifier,
    lastIncludedIndex: integer,
    lastIncludedTerm: integer,
    configuration,
    configurationIndex: integer,
    snapshotId: identifier,
    totalBytes: integer,
    offset: integer,
    data: bytes(),
    done: fc.boolean(),
  }),
  InstallSnapshotReply: message("InstallSnapshotReply", {
    term: integer,
    lastIncludedIndex: integer,
    snapshotId: identifier,
    nextOffset: integer,
    installed: fc.boolean(),
  }),
  Get: message("Get", {
    requestId: integer,
    key: bytes(),
    consistency: fc.constantFrom("linearizable", "stale"),
    maxStalenessMs: orNull(measure),
    minRevision: integer,
  }),
  Put: message("Put", {
    requestId: integer,
    key: bytes(),
    value: bytes(70_000),
    ifRevision: orNull(integer),
    session: orNull(sessionOperation),
  }),
  Delete: message("Delete", {
    requestId: integer,
    key: bytes(),
    ifRevision: orNull(integer),
    session: orNull(sessionOperation),
  }),
  OpenSession: message("OpenSession", { requestId: integer }),
  KeepSession: message("KeepSession", { requestId: integer, sessionId: integer }),
  CloseSession: message("CloseSession", { requestId: integer, sessionId: integer }),
  ChangeMembers: message("ChangeMembers", {
    requestId: integer,
    change: membersChange,
    expectedConfigurationIndex: orNull(integer),
    force: fc.boolean(),
    dryRun: fc.boolean(),
  }),
  SetFaults: message("SetFaults", {
    requestId: integer,
    rules: fc.array(linkFault, { maxLength: 4 }),
    ttlMs: measure,
  }),
  Status: message("Status", { requestId: integer }),
  MoveLeader: message("MoveLeader", { requestId: integer, target: orNull(identifier) }),
  Subscribe: message("Subscribe", {
    requestId: integer,
    resume: orNull(record({ bootId: identifier, sequence: integer })),
    stateRateMaxHz: fc.integer({ min: 1, max: 50 }),
    eventBacklogMax: integer,
  }),
  Cancel: message("Cancel", { requestId: integer }),
  GetReply: message("GetReply", {
    requestId: integer,
    found: orNull(found),
    revision: integer,
    appliedIndex: integer,
    ageMs: measure,
  }),
  PutReply: message("PutReply", {
    requestId: integer,
    index: integer,
    term: integer,
    revision: integer,
    created: fc.boolean(),
  }),
  DeleteReply: message("DeleteReply", {
    requestId: integer,
    index: integer,
    term: integer,
    revision: integer,
    deleted: fc.boolean(),
  }),
  StatusReply: message("StatusReply", { requestId: integer, status: nodeStatus }),
  MoveLeaderReply: message("MoveLeaderReply", {
    requestId: integer,
    leaderId: identifier,
    term: integer,
  }),
  SessionReply: message("SessionReply", {
    requestId: integer,
    sessionId: integer,
    ttlMs: measure,
  }),
  ChangeMembersReply: message("ChangeMembersReply", {
    requestId: integer,
    configurationIndex: integer,
    steps: fc.array(prose, { maxLength: 4 }),
  }),
  SetFaultsReply: message("SetFaultsReply", {
    requestId: integer,
    rules: fc.array(linkFault, { maxLength: 4 }),
    ttlMs: measure,
  }),
  ErrorReply: message("ErrorReply", {
    requestId: integer,
    code: fc.constantFrom(...REQUEST_ERROR_CODES),
    outcome: fc.constantFrom("notApplied", "unknown"),
    message: prose,
    leaderId: orNull(identifier),
    leaderAddress: orNull(address),
  }),
  StreamState: message("StreamState", { requestId: integer, status: nodeStatus }),
  StreamDelta: message("StreamDelta", { requestId: integer, changed: partOfNodeStatus }),
  StreamEvents: message("StreamEvents", {
    requestId: integer,
    events: fc.array(nodeEvent, { maxLength: 4 }),
  }),
  StreamTick: message("StreamTick", { requestId: integer, monotonicMs: measure }),
  StreamGap: message("StreamGap", { requestId: integer, lost: integer }),
};

/** Any message. */
export const wireMessage: fc.Arbitrary<WireMessage> = fc.oneof(...Object.values(messagesByType));
