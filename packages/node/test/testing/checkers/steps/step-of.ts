import type {
  AppendEntries,
  AppendEntriesReply,
  InstallSnapshot,
  PreVote,
  RequestVote,
} from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { RaftConfig, RaftView } from "../../../../src/raft/index.ts";
import { RAFT_DEFAULTS } from "../../../../src/raft/index.ts";
import type { Step, StepWorld } from "../../../../src/testing/checkers/steps/step.ts";
import { viewOf } from "../view-of.ts";

export const CONFIG: RaftConfig = { ...RAFT_DEFAULTS, nodeId: "n1" };

/** A step of n1 that changes nothing, but for `changes`; `termNamed`: of the entry it names. */
export function stepOf(
  before: Partial<RaftView>,
  changes: Partial<RaftView> = {},
  termNamed: number | null = null,
): Step {
  return {
    node: "n1",
    config: CONFIG,
    input: { kind: "other" },
    before: viewOf(before),
    after: viewOf({ ...before, ...changes }),
    termNamed,
  };
}

/** Nothing is lost, nobody voted, and the members are those of the view. */
export const WORLD: StepWorld = {
  committedAt: () => viewOf({}).configuration,
  hasLostEntries: () => false,
  voteOf: () => null,
};

export function requestVote(changes: Partial<RequestVote> = {}): RequestVote {
  return {
    type: "RequestVote",
    term: 1,
    candidateId: "n2",
    lastLogIndex: 5,
    lastLogTerm: 1,
    leadershipTransfer: false,
    ...changes,
  };
}

export function preVote(changes: Partial<PreVote> = {}): PreVote {
  return {
    type: "PreVote",
    term: 2,
    candidateId: "n2",
    lastLogIndex: 5,
    lastLogTerm: 1,
    ...changes,
  };
}

export function appendEntries(changes: Partial<AppendEntries> = {}): AppendEntries {
  return {
    type: "AppendEntries",
    term: 1,
    leaderId: "n2",
    prevLogIndex: 5,
    prevLogTerm: 1,
    entries: [],
    leaderCommit: 0,
    round: 3,
    ...changes,
  };
}

export function refusal(changes: Partial<AppendEntriesReply> = {}): AppendEntriesReply {
  return {
    type: "AppendEntriesReply",
    term: 1,
    success: false,
    prevLogIndex: 5,
    matchIndex: 0,
    conflictTerm: null,
    conflictIndex: 3,
    round: 3,
    ...changes,
  };
}

export function installSnapshot(changes: Partial<InstallSnapshot> = {}): InstallSnapshot {
  return {
    type: "InstallSnapshot",
    term: 1,
    leaderId: "n2",
    lastIncludedIndex: 5,
    lastIncludedTerm: 1,
    configuration: configurationOf({ voters: ["n1", "n2", "n3"] }),
    configurationIndex: 0,
    snapshotId: "s",
    totalBytes: 10,
    offset: 0,
    data: new Uint8Array(10),
    done: true,
    ...changes,
  };
}
