import assert from "node:assert/strict";
import type {
  AppendEntries,
  AppendEntriesReply,
  Configuration,
  EntryId,
  InstallSnapshot,
  InstallSnapshotReply,
  LogEntry,
  LogIndex,
  NodeId,
  PreVote,
  RaftMessage,
  RequestVote,
  Term,
} from "@quorate/wire";
import { configurationOf, decodeConfiguration, encodeConfiguration } from "@quorate/wire";
import type {
  ConfigurationCodec,
  ConfigurationTarget,
  DeferredEnvelope,
  Output,
  PersistBatch,
  RaftConfig,
  RecoveredState,
} from "../../src/raft/index.ts";
import { checkState, checkTransition, RaftCore } from "../../src/raft/index.ts";

/** The wire's own encoding of configurations. */
export const CODEC: ConfigurationCodec = {
  encode: encodeConfiguration,
  decode: decodeConfiguration,
};

const NO_ENTRY: EntryId = { index: 0, term: 0 };

/** Small numbers: the shortest election timeout is ten ticks, and dice of 0 draw that one. */
export const TICKS = { heartbeatTicks: 2, electionTicks: 10 } as const;

/** What is not told is the default: n1 of three voters, an empty log, term 0, dice of 0. */
export interface Start {
  readonly id?: NodeId;
  readonly voters?: readonly NodeId[];
  readonly votersOutgoing?: readonly NodeId[];
  readonly learners?: readonly NodeId[];
  /** Term of each entry of the log; entry 1 is the first. */
  readonly log?: readonly Term[];
  /** The last entry's term if not told. */
  readonly currentTerm?: Term;
  readonly votedFor?: NodeId | null;
  readonly commitIndex?: LogIndex;
  readonly config?: Partial<RaftConfig>;
  /** Dice in order; 0 when they are used up. */
  readonly dice?: readonly number[];
  /** The last entry of a snapshot, and of the log's start if not told otherwise. */
  readonly snapshot?: EntryId;
  readonly beforeFirst?: EntryId;
  readonly voteFloor?: EntryId;
}

export function command(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** An entry whose data says what it is: two entries of one index and term are equal (§5.3). */
export function entry(index: LogIndex, term: Term): LogEntry {
  return { index, term, kind: "command", data: command(`${index}@${term}`) };
}

export function noop(index: LogIndex, term: Term): LogEntry {
  return { index, term, kind: "noop", data: new Uint8Array(0) };
}

export function logOf(terms: readonly Term[]): LogEntry[] {
  return logAfter(0, terms);
}

/** The entries that follow the one at `index`. */
function logAfter(index: LogIndex, terms: readonly Term[]): LogEntry[] {
  return terms.map((term, offset) => entry(index + offset + 1, term));
}

/** An entry whose data are members. */
export function configurationEntry(
  index: LogIndex,
  term: Term,
  parts: Parameters<typeof configurationOf>[0],
): LogEntry {
  return { index, term, kind: "configuration", data: encodeConfiguration(configurationOf(parts)) };
}

/** What a change of members asks for, if nothing but these lists. */
export function targetOf(
  parts: Partial<ConfigurationTarget> & Pick<ConfigurationTarget, "voters">,
): ConfigurationTarget {
  return { learners: [], staging: [], addresses: [], ...parts };
}

/** The first or only piece of a snapshot of n2, if not told otherwise. */
export function installSnapshot(
  parts: Partial<InstallSnapshot> & Pick<InstallSnapshot, "term" | "lastIncludedIndex">,
): InstallSnapshot {
  return {
    type: "InstallSnapshot",
    leaderId: "n2",
    lastIncludedTerm: parts.term,
    configuration: configurationOf({ voters: ["n1", "n2", "n3"] }),
    configurationIndex: 0,
    snapshotId: "s1",
    totalBytes: 8,
    offset: 0,
    data: new Uint8Array(8),
    done: true,
    ...parts,
  };
}

/** An answer to a piece of a snapshot. */
export function installReply(
  parts: Partial<InstallSnapshotReply> & Pick<InstallSnapshotReply, "term" | "lastIncludedIndex">,
): InstallSnapshotReply {
  return {
    type: "InstallSnapshotReply",
    snapshotId: "s1",
    nextOffset: 8,
    installed: true,
    ...parts,
  };
}

/** n1 leads n1, n4, n5 and is changing to n1, n2, n3: entry 2 is the joint configuration. */
export function leadJoint(): ServerUnderTest {
  const server = new ServerUnderTest({ voters: ["n1", "n4", "n5"] }).lead();
  server.change({ voters: ["n1", "n2", "n3"] });
  return server;
}

/** An output in which nothing is asked for but what is told. */
export function outputOf(parts: Partial<Output>): Output {
  return {
    messages: [],
    messagesAfterPersist: [],
    persist: null,
    committedEntries: [],
    readStates: [],
    abortedReads: [],
    installed: null,
    snapshotChunks: [],
    snapshotsToSend: [],
    snapshotAcks: [],
    ...parts,
  };
}

export function requestVote(
  candidateId: NodeId,
  term: Term,
  last: readonly [LogIndex, Term] = [0, 0],
  leadershipTransfer = false,
): RequestVote {
  const [lastLogIndex, lastLogTerm] = last;
  return { type: "RequestVote", term, candidateId, lastLogIndex, lastLogTerm, leadershipTransfer };
}

export function preVote(
  candidateId: NodeId,
  term: Term,
  last: readonly [LogIndex, Term] = [0, 0],
): PreVote {
  const [lastLogIndex, lastLogTerm] = last;
  return { type: "PreVote", term, candidateId, lastLogIndex, lastLogTerm };
}

/** An AppendEntries of n2, if not told otherwise: a heartbeat at the start of the log. */
export function appendEntries(
  parts: Partial<AppendEntries> & { readonly term: Term },
): AppendEntries {
  return {
    type: "AppendEntries",
    leaderId: "n2",
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [],
    leaderCommit: 0,
    round: 0,
    ...parts,
  };
}

/** An answer to an AppendEntries; a success if not told otherwise. */
export function appendReply(
  parts: Partial<AppendEntriesReply> & { readonly term: Term },
): AppendEntriesReply {
  return {
    type: "AppendEntriesReply",
    success: true,
    prevLogIndex: 0,
    matchIndex: 0,
    conflictTerm: null,
    conflictIndex: 0,
    round: 0,
    ...parts,
  };
}

function recoveredFrom(start: Start): RecoveredState {
  const { index: lastIncludedIndex, term: lastIncludedTerm } = start.snapshot ?? NO_ENTRY;
  const beforeFirst = start.beforeFirst ?? start.snapshot ?? NO_ENTRY;
  const entries = logAfter(beforeFirst.index, start.log ?? []);
  const configuration: Configuration = configurationOf({
    voters: start.voters ?? ["n1", "n2", "n3"],
    votersOutgoing: start.votersOutgoing ?? [],
    learners: start.learners ?? [],
  });
  return {
    hardState: {
      currentTerm: start.currentTerm ?? entries.at(-1)?.term ?? beforeFirst.term,
      votedFor: start.votedFor ?? null,
      commitIndex: start.commitIndex ?? 0,
    },
    entries,
    snapshot: { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex: 0 },
    beforeFirst,
    voteFloor: start.voteFloor ?? null,
  };
}

/**
 * One core and its invariants, checked after every input. Its disk is finished by hand
 * (`persist`), so that a test sees what leaves before and what only after.
 */
export class ServerUnderTest {
  readonly core: RaftCore;
  readonly id: NodeId;
  #inFlight: PersistBatch | null = null;
  #held: DeferredEnvelope[] = [];
  readonly #others: readonly NodeId[];

  constructor(start: Start = {}) {
    this.id = start.id ?? "n1";
    const dice = [...(start.dice ?? [])];
    // The first roll names the first read; tests name the others.
    const random = { below: (exclusiveMax: number) => (dice.shift() ?? 0) % exclusiveMax };
    const config: RaftConfig = {
      nodeId: this.id,
      ...TICKS,
      appendEntriesMaxBytes: 1024 * 1024,
      inFlightMaxMessages: 8,
      inFlightMaxBytes: 1024 * 1024,
      uncommittedMaxBytes: 1024 * 1024,
      applyMaxBytes: 1024 * 1024,
      trailingEntries: 4,
      leaseReads: false,
      ...start.config,
    };
    const recovered = recoveredFrom(start);
    this.core = new RaftCore(config, recovered, random, CODEC);
    const { voters, votersOutgoing } = recovered.snapshot.configuration;
    this.#others = [...new Set([...voters, ...votersOutgoing])].filter((id) => id !== this.id);
    checkState(this.core);
  }

  /** Everything that one group of inputs asks for. */
  step(input: (core: RaftCore) => void): Output {
    const before = this.core.view();
    input(this.core);
    const output = this.core.takeOutput();
    checkState(this.core);
    checkTransition(before, this.core.view());
    if (output.persist !== null) {
      assert.equal(this.#inFlight, null, "a batch is handed out while one is in flight");
      this.#inFlight = output.persist;
    }
    this.#held.push(...output.messagesAfterPersist);
    return output;
  }

  receive(from: NodeId, message: RaftMessage): Output {
    return this.step((core) => core.receive(from, message));
  }

  tick(count = 1): Output {
    return this.step((core) => {
      for (let done = 0; done < count; done += 1) core.tick();
    });
  }

  /** The batch in flight is durable: the messages that this frees, and what the core asks next. */
  persist(): { readonly freed: readonly DeferredEnvelope[]; readonly output: Output } {
    const batch = this.#inFlight;
    assert(batch !== null, "no batch is in flight");
    this.#inFlight = null;
    const freed = this.#held.filter(({ afterSequence }) => afterSequence <= batch.sequence);
    this.#held = this.#held.filter(({ afterSequence }) => afterSequence > batch.sequence);
    const output = this.step((core) => core.persisted(batch.sequence));
    return { freed, output };
  }

  /** Lets the disk finish everything; what that gave rise to, in order. */
  persistAll(): Output[] {
    const outputs: Output[] = [];
    while (this.#inFlight !== null) outputs.push(this.persist().output);
    return outputs;
  }

  /** Ticks until this server asks for pre-votes; the output of that tick. */
  startPreVote(): Output {
    for (let ticks = 0; ticks <= 2 * TICKS.electionTicks; ticks += 1) {
      const output = this.tick();
      if (this.core.view().role !== "follower") return output;
    }
    throw new Error("no election was started");
  }

  /** Campaigns as a candidate whose own vote is not durable yet; the output of that step. */
  startElection(): Output {
    let output = this.startPreVote();
    const { currentTerm } = this.core.view();
    for (const from of this.#others) {
      if (this.core.view().role !== "preCandidate") break;
      output = this.receive(from, {
        type: "PreVoteReply",
        term: currentTerm,
        preVoteTerm: currentTerm + 1,
        voteGranted: true,
      });
    }
    assert.equal(this.core.view().role, "candidate");
    return output;
  }

  /** Wins an election with all votes; the output of the vote that decided it. */
  win(): Output {
    this.startElection();
    let { output } = this.persist();
    const { currentTerm: term } = this.core.view();
    for (const from of this.#others) {
      if (this.core.view().role === "leader") break;
      output = this.receive(from, { type: "RequestVoteReply", term, voteGranted: true });
    }
    assert.equal(this.core.view().role, "leader");
    return output;
  }

  /** Leads with its no-op durable everywhere and committed. */
  lead(): this {
    this.win();
    this.persistAll();
    const { currentTerm: term, lastLogIndex } = this.core.view();
    for (const from of this.#others) {
      this.receive(
        from,
        appendReply({ term, prevLogIndex: lastLogIndex - 1, matchIndex: lastLogIndex }),
      );
    }
    assert.equal(this.core.view().commitIndex, lastLogIndex);
    // Carries the commit to the followers, so that the next outputs hold nothing of it.
    this.tick();
    return this;
  }

  /** Begins a change of members that must be accepted; it is in the log, and on its way to the disk. */
  change(parts: Parameters<typeof targetOf>[0]): Output {
    return this.step((core) => {
      const result = core.changeMembers(targetOf(parts), { expectedIndex: null, force: true });
      assert.equal(result.kind, "accepted", JSON.stringify(result));
    });
  }

  /** Says that `from` has stored the log up to `matchIndex`, all of it if not told. */
  stored(from: NodeId, matchIndex: LogIndex = this.core.view().lastLogIndex): Output {
    const { currentTerm: term } = this.core.view();
    return this.receive(from, appendReply({ term, prevLogIndex: matchIndex, matchIndex }));
  }

  /** Terms of the log, in order. */
  logTerms(): Term[] {
    return this.core
      .termRuns(Number.MAX_SAFE_INTEGER)
      .flatMap(({ term, count }) => Array.from({ length: count }, () => term));
  }
}
