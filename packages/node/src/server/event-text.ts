import type {
  EventSeverity,
  LogIndex,
  NodeEventKind,
  NodeId,
  PreVote,
  RequestVote,
  Term,
} from "@quorate/wire";
import type { RaftView } from "../raft/index.ts";

/** An event before it has its number and its times. */
export interface EventDraft {
  readonly kind: NodeEventKind;
  readonly severity: EventSeverity;
  /** A sentence without its subject, in the past tense. */
  readonly text: string;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** `287 ms`, `4.1 s`, `12 min`: two or three digits and a unit. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  const seconds = durationMs / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = seconds / 60;
  return minutes < 120 ? `${Math.round(minutes)} min` : `${Math.round(minutes / 60)} h`;
}

/** `1041–1045 (5 entries)` or `1041`. */
export function formatRange(first: LogIndex, last: LogIndex): string {
  return first === last ? String(first) : `${first}–${last} (${last - first + 1} entries)`;
}

/** Why a campaign began: the silence or the death of a leader, or that none is known. */
export function campaignText(
  leaderId: NodeId | null,
  silenceMs: number | null,
  leaderGone: boolean,
): string {
  if (leaderId === null) return "knew no leader";
  if (leaderGone) return `found ${leaderId}'s process gone`;
  if (silenceMs === null) return `never heard from ${leaderId}`;
  return `heard nothing from ${leaderId} for ${formatDuration(silenceMs)}`;
}

/** Why this node refused a vote, told from its own log, vote and leader (Raft §5.2, §5.4.1). */
export function refusalReason(request: RequestVote | PreVote, mine: RaftView): string {
  if (request.term < mine.currentTerm) {
    return `its term ${request.term} is behind my ${mine.currentTerm}`;
  }
  const behind =
    request.lastLogTerm < mine.lastLogTerm ||
    (request.lastLogTerm === mine.lastLogTerm && request.lastLogIndex < mine.lastLogIndex);
  if (behind) {
    const its = position(request.lastLogIndex, request.lastLogTerm);
    return `its log ends at ${its}, mine at ${position(mine.lastLogIndex, mine.lastLogTerm)}`;
  }
  const votedElsewhere = mine.votedFor !== null && mine.votedFor !== request.candidateId;
  if (votedElsewhere && request.term === mine.currentTerm) {
    return `had voted for ${mine.votedFor} in term ${mine.currentTerm}`;
  }
  if (mine.leaderId !== null) return `${mine.leaderId} leads term ${mine.currentTerm}`;
  return `a leader was heard less than an election timeout ago`;
}

function position(index: LogIndex, term: Term): string {
  return `${index}@${term}`;
}
