import type { AppendEntries, LogEntry } from "@quorate/wire";
import { assert } from "./assert.ts";
import type { Progress } from "./progress.ts";
import { entrySizeBytes } from "./raft-log.ts";
import type { LeaderState, RaftState } from "./raft-state.ts";

/** Sends each follower what it lacks, as far as its window allows. */
export function replicate(state: RaftState, leader: LeaderState): void {
  for (const progress of leader.progress.values()) {
    followLogStart(state, progress);
    while (hasRoom(state, progress) && progress.nextIndex <= state.log.lastIndex) {
      sendNextEntries(state, leader, progress);
    }
  }
}

/** Whether a follower is sent the log or a snapshot depends on what the log still has (Raft §7). */
function followLogStart(state: RaftState, progress: Progress): void {
  const isInLog = state.log.termAt(progress.nextIndex - 1) !== null;
  const awaits = progress.state === "snapshot";
  if (isInLog === !awaits) return;
  if (isInLog) {
    progress.probeFrom(progress.nextIndex);
    return;
  }
  progress.awaitSnapshot();
  // One that has gone needs no state: it is told that it is out if the log can tell it.
  if (progress.departedTicks === null) state.outbox.snapshotsToSend.push(progress.id);
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
  if (progress.state === "snapshot") return false;
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

/**
 * Sends `entries`, which follow `nextIndex - 1`, or none: then only the commit index and the round.
 * Where what comes before is in the log no more, the message is one that any log agrees with.
 */
export function sendAppend(
  state: RaftState,
  leader: LeaderState,
  progress: Progress,
  entries: readonly LogEntry[],
): void {
  const knownTerm = state.log.termAt(progress.nextIndex - 1);
  assert(
    knownTerm !== null || entries.length === 0,
    `entries for ${progress.id} after one that is not in the log`,
  );
  const prevLogIndex = knownTerm === null ? 0 : progress.nextIndex - 1;
  const prevLogTerm = knownTerm ?? 0;
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
