import type { LogEntry } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { PeerView, RaftView } from "../../../src/raft/index.ts";

/** A follower's view with nothing in it, but for `changes`. */
export function viewOf(changes: Partial<RaftView>): RaftView {
  return {
    role: "follower",
    currentTerm: 1,
    votedFor: null,
    leaderId: null,
    commitIndex: 0,
    lastApplied: 0,
    firstLogIndex: 1,
    lastLogIndex: 0,
    lastLogTerm: 0,
    durableIndex: 0,
    configuration: configurationOf({ voters: ["n1", "n2", "n3"] }),
    configurationIndex: 0,
    snapshotIndex: 0,
    isStalled: false,
    voteFloor: null,
    round: 0,
    confirmedRound: 0,
    votesGranted: null,
    electionTicksLeft: 5,
    electionTimeoutTicks: 10,
    transferTarget: null,
    peers: [],
    ...changes,
  };
}

export function peerOf(changes: Partial<PeerView>): PeerView {
  return {
    id: "n2",
    matchIndex: 0,
    nextIndex: 1,
    state: "probe",
    inFlightMessages: 0,
    inFlightBytes: 0,
    silentTicks: 0,
    recentlyActive: true,
    catchUpRounds: 0,
    isDeparting: false,
    ...changes,
  };
}

/** A command entry; `text` tells it from others. */
export function entryOf(index: number, term: number, text = ""): LogEntry {
  return { index, term, kind: "command", data: Buffer.from(text) };
}
