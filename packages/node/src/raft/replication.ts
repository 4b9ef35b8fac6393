import type { AppendEntries, LogEntry } from "@quorate/wire";
import { assert } from "./assert.ts";
import type { Progress } from "./progress.ts";
import { entrySizeBytes } from "./raft-log.ts";
import type { LeaderState, RaftState } from "./raft-state.ts";

/** Sends each follower what it lacks, as far as its window allows. */
export function replicate(state: RaftState, leader: LeaderState): void {
  for (const progress of leader.progress.values()) {
    while (hasRoom(state, progress) && progress.nextIndex <= state.log.lastIndex) {
      sendNextEntries(state, leader, progress);
    }
  }
}

/**
 * Asserts leadership and keeps a follower from campaigning (Raft §5.2). It has no entries, so its
 * answer waits for no disk: a follower whose disk stalls is still heard, and confirms reads. The
 * answer also ends the wait for a probe that was lost, and in a full window it is what shows that
 * the messages before it were lost.
 */
export function sendHeartbeat(state: RaftState, leader: LeaderState, progress: Progress): void {
  sendAppend(state, leader, progress, []);
}

function hasRoom(state: RaftState, progress: Progress): boolean {
  if (progress.state === "probe") return !progress.probeSent;
  return (
    progress.inFlightMessages < state.config.inFlightMaxMessages &&
    progress.inFlightBytes < state.config.inFlightMaxBytes
  );
}

function sendNextEntries(state: RaftState, leader: LeaderState, progress: Progress): void {
  const { log, config } = state;
  const entries = log.rangeWithin(progress.nextIndex, log.lastIndex, config.appendEntriesMaxBytes);
  sendAppend(state, leader, progress, entries);
  const bytes = entries.reduce((sum, entry) => sum + entrySizeBytes(entry), 0);
  progress.entriesSent(progress.nextIndex + entries.length - 1, bytes);
}

/** Sends `entries`, which follow `nextIndex - 1`, or none: then only the commit index and the round. */
export function sendAppend(
  state: RaftState,
  leader: LeaderState,
  progress: Progress,
  entries: readonly LogEntry[],
): void {
  const prevLogIndex = progress.nextIndex - 1;
  const prevLogTerm = state.log.termAt(prevLogIndex);
  assert(
    prevLogTerm !== null,
    `${progress.id} needs entry ${prevLogIndex}, which is not in the log`,
  );
  const request: AppendEntries = {
    type: "AppendEntries",
    term: state.currentTerm,
    leaderId: state.nodeId,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommit: state.commitIndex,
    round: leader.round,
  };
  progress.sentCommit = state.commitIndex;
  // Before its own disk has the entries: it counts itself only afterwards (Diss. §10.2.1).
  state.send(progress.id, request);
}
