import type { LogIndex, NodeId, PreVote, RaftMessage, RequestVote } from "@quorate/wire";
import type { Clock, Timer } from "../ports/clock.ts";
import type { PersistBatch, RaftView } from "../raft/index.ts";
import type { DriverObserver } from "./driver-outcomes.ts";
import type { EventDraft } from "./event-text.ts";
import { campaignText, formatDuration, formatRange, refusalReason } from "./event-text.ts";
import { memberEvents } from "./member-events.ts";

export interface EventSourceOptions {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  /** The node's state now. */
  readonly view: () => RaftView;
  readonly emit: (draft: EventDraft) => void;
  /** A write to disk that takes longer is told. Milliseconds. */
  readonly persistSlowMs: number;
  /** Last entry on disk when the process started. */
  readonly recoveredLastIndex: LogIndex;
}

/** At most one event of a kind that comes in floods each this many milliseconds. */
const FOLD_MS = 1000;

/**
 * Tells what happened on a node, from its state before and after each step and from the messages
 * in between. It sees everything and changes nothing.
 */
export class EventSource implements DriverObserver {
  readonly #options: EventSourceOptions;
  readonly #voteRequests = new Map<NodeId, RequestVote | PreVote>();
  readonly #voters = new Set<NodeId>();
  #leaderHeardMs: number | null = null;
  #goneLeader: NodeId | null = null;
  #campaignBeganMs = 0;
  #ledSinceMs = 0;
  #lastIndexOnDisk: LogIndex;
  #commitToldMs = Number.NEGATIVE_INFINITY;
  #commitFold: { first: LogIndex; last: LogIndex; timer: Timer } | null = null;
  #slowToldMs = Number.NEGATIVE_INFINITY;

  constructor(options: EventSourceOptions) {
    this.#options = options;
    this.#lastIndexOnDisk = options.recoveredLastIndex;
  }

  onStep(before: RaftView, after: RaftView): void {
    if (before.role !== after.role) this.#roleChanged(before, after);
    const voted = this.#voteChanged(before, after);
    const led = this.#leaderChanged(before, after);
    const campaigns = after.role === "candidate" || after.role === "leader";
    if (after.currentTerm !== before.currentTerm && !voted && !led && !campaigns) {
      const details = { term: after.currentTerm, previousTerm: before.currentTerm };
      this.#emit("termChanged", "info", `entered term ${after.currentTerm}`, details);
    }
    this.#transferChanged(before, after);
    for (const draft of memberEvents(this.#options.nodeId, before, after)) {
      this.#options.emit(draft);
    }
    if (after.commitIndex > before.commitIndex) {
      this.#committed(before.commitIndex + 1, after.commitIndex);
    }
  }

  onMessageReceived(from: NodeId, message: RaftMessage): void {
    switch (message.type) {
      case "AppendEntries":
        this.#leaderHeardMs = this.#options.clock.nowMs();
        break;
      case "RequestVote":
      case "PreVote":
        this.#voteRequests.set(from, message);
        break;
      case "RequestVoteReply":
        if (message.voteGranted) this.#voters.add(from);
        break;
      default:
    }
  }

  onMessageSent(to: NodeId, message: RaftMessage): void {
    const isReply = message.type === "RequestVoteReply" || message.type === "PreVoteReply";
    if (!isReply || message.voteGranted) return;
    const request = this.#voteRequests.get(to);
    if (request === undefined) return;
    const reason = refusalReason(request, this.#options.view());
    const what = message.type === "PreVoteReply" ? ` a pre-vote of term ${request.term}` : "";
    this.#emit("voteRefused", "warning", `refused ${to}${what}: ${reason}`, {
      candidateId: to,
      term: request.term,
      preVote: message.type === "PreVoteReply",
      lastLogIndex: request.lastLogIndex,
      lastLogTerm: request.lastLogTerm,
    });
  }

  onPersisted(batch: PersistBatch, durationMs: number): void {
    if (batch.snapshot?.keepsLog === false) {
      this.#lastIndexOnDisk = batch.snapshot.point.lastIncludedIndex;
    }
    const first = batch.entries[0];
    const last = batch.entries.at(-1);
    if (first !== undefined && last !== undefined) {
      if (first.index <= this.#lastIndexOnDisk) {
        this.#truncated(first.index, this.#lastIndexOnDisk, first.term);
      }
      this.#lastIndexOnDisk = last.index;
    }
    const nowMs = this.#options.clock.nowMs();
    if (durationMs <= this.#options.persistSlowMs || nowMs - this.#slowToldMs < FOLD_MS) return;
    this.#slowToldMs = nowMs;
    const text = `needed ${formatDuration(durationMs)} to make ${batch.entries.length} entries durable`;
    this.#emit("persistSlow", "warning", text, {
      durationMs: Math.round(durationMs),
      entries: batch.entries.length,
    });
  }

  onPeerConnected(peer: NodeId): void {
    this.#emit("peerConnected", "info", `connected to ${peer}`, { peer });
  }

  onPeerDown(peer: NodeId, refused: boolean): void {
    if (refused) {
      this.#goneLeader = peer;
      const text = `found ${peer}'s process gone (connection refused)`;
      this.#emit("peerRefused", "bad", text, { peer });
    } else {
      this.#emit("peerDisconnected", "warning", `lost the connection to ${peer}`, { peer });
    }
  }

  /** Tells a commit that was held back to be folded with later ones, and ends the timers. */
  stop(): void {
    this.#tellCommits();
  }

  #roleChanged(before: RaftView, after: RaftView): void {
    const nowMs = this.#options.clock.nowMs();
    if (before.role === "leader") this.#steppedDown(before, after, nowMs);
    switch (after.role) {
      case "preCandidate":
        this.#campaignBeganMs = nowMs;
        this.#preCampaign(before, after, nowMs);
        break;
      case "candidate":
        if (before.role !== "preCandidate") this.#campaignBeganMs = nowMs;
        this.#candidate(after);
        break;
      case "leader":
        if (before.role !== "candidate" && before.role !== "preCandidate") {
          this.#campaignBeganMs = nowMs;
        }
        this.#won(after, nowMs);
        break;
      case "follower":
        if (before.role !== "leader") {
          const details = { from: before.role, to: after.role, term: after.currentTerm };
          this.#emit("roleChanged", "info", "ended its campaign; a follower again", details);
        }
        break;
    }
  }

  #preCampaign(before: RaftView, after: RaftView, nowMs: number): void {
    const { leaderId } = before;
    const silenceMs = this.#leaderHeardMs === null ? null : nowMs - this.#leaderHeardMs;
    const why = campaignText(leaderId, silenceMs, leaderId === this.#goneLeader);
    this.#goneLeader = null;
    const term = after.currentTerm + 1;
    this.#emit("roleChanged", "warning", `${why}; asked for pre-votes of term ${term}`, {
      from: before.role,
      to: after.role,
      leaderId,
      silenceMs: silenceMs === null ? null : Math.round(silenceMs),
      term,
    });
  }

  #candidate(after: RaftView): void {
    this.#voters.clear();
    this.#voters.add(this.#options.nodeId);
    this.#emit("electionStarted", "warning", `became candidate of term ${after.currentTerm}`, {
      term: after.currentTerm,
      lastLogIndex: after.lastLogIndex,
      lastLogTerm: after.lastLogTerm,
    });
  }

  #won(after: RaftView, nowMs: number): void {
    this.#ledSinceMs = nowMs;
    this.#voters.add(this.#options.nodeId);
    const voters = [...this.#voters].toSorted();
    const total = after.configuration.voters.length;
    const durationMs = nowMs - this.#campaignBeganMs;
    const text =
      `leads term ${after.currentTerm} with ${voters.length} of ${total} votes ` +
      `(${voters.join(" ")}), ${formatDuration(durationMs)}`;
    this.#emit("electionWon", "good", text, {
      term: after.currentTerm,
      votes: voters.length,
      of: total,
      voters: voters.join(" "),
      durationMs: Math.round(durationMs),
    });
  }

  #steppedDown(before: RaftView, after: RaftView, nowMs: number): void {
    const ledMs = nowMs - this.#ledSinceMs;
    const sawTerm = after.currentTerm > before.currentTerm;
    const why = sawTerm ? `saw term ${after.currentTerm}` : "heard from no majority";
    const text = `stepped down: ${why} (led term ${before.currentTerm} for ${formatDuration(ledMs)})`;
    this.#emit("steppedDown", sawTerm ? "info" : "warning", text, {
      term: after.currentTerm,
      ledTerm: before.currentTerm,
      ledMs: Math.round(ledMs),
    });
  }

  #voteChanged(before: RaftView, after: RaftView): boolean {
    const { votedFor, currentTerm } = after;
    const changed = votedFor !== before.votedFor || currentTerm !== before.currentTerm;
    if (!changed || votedFor === null || votedFor === this.#options.nodeId) return false;
    const details = { candidateId: votedFor, term: currentTerm };
    this.#emit("voteGranted", "info", `voted for ${votedFor} in term ${currentTerm}`, details);
    return true;
  }

  #leaderChanged(before: RaftView, after: RaftView): boolean {
    const { leaderId, currentTerm } = after;
    const sameLeader = leaderId === before.leaderId;
    if (sameLeader && (leaderId === null || currentTerm === before.currentTerm)) return false;
    const details = { leaderId, previousLeaderId: before.leaderId, term: currentTerm };
    if (leaderId === this.#options.nodeId) return false;
    if (leaderId !== null) {
      this.#emit("leaderChanged", "info", `follows ${leaderId} in term ${currentTerm}`, details);
      return true;
    }
    if (after.role !== "follower" || before.role === "leader") return false;
    this.#emit("leaderChanged", "warning", `knows no leader of term ${currentTerm}`, details);
    return true;
  }

  #transferChanged(before: RaftView, after: RaftView): void {
    const [was, is] = [before.transferTarget, after.transferTarget];
    if (was === is) return;
    if (was !== null) {
      const stillLeads = after.role === "leader";
      const text = stillLeads
        ? `gave up handing leadership to ${was}`
        : `handed leadership to ${was}`;
      this.#emit("transferEnded", stillLeads ? "warning" : "good", text, {
        target: was,
        moved: !stillLeads,
      });
    }
    if (is !== null) {
      this.#emit("transferStarted", "info", `began to hand leadership to ${is}`, { target: is });
    }
  }

  #truncated(first: LogIndex, last: LogIndex, newTerm: number): void {
    const { leaderId } = this.#options.view();
    const whose = leaderId === null ? "the log" : `leader ${leaderId}`;
    const text = `dropped ${formatRange(first, last)}: ${whose} has term ${newTerm} there`;
    this.#emit("entriesTruncated", "warning", text, {
      firstIndex: first,
      lastIndex: last,
      count: last - first + 1,
      leaderId,
      term: newTerm,
    });
  }

  #committed(first: LogIndex, last: LogIndex): void {
    const { clock } = this.#options;
    if (this.#commitFold !== null) {
      this.#commitFold.last = last;
      return;
    }
    const waitMs = this.#commitToldMs + FOLD_MS - clock.nowMs();
    const timer = clock.after(Math.max(0, waitMs), () => {
      this.#tellCommits();
    });
    this.#commitFold = { first, last, timer };
    if (waitMs <= 0) this.#tellCommits();
  }

  #tellCommits(): void {
    const fold = this.#commitFold;
    if (fold === null) return;
    fold.timer.cancel();
    this.#commitFold = null;
    this.#commitToldMs = this.#options.clock.nowMs();
    const details = { firstIndex: fold.first, lastIndex: fold.last };
    this.#emit("committed", "info", `committed ${formatRange(fold.first, fold.last)}`, details);
  }

  #emit(
    kind: EventDraft["kind"],
    severity: EventDraft["severity"],
    text: string,
    details: EventDraft["details"],
  ): void {
    this.#options.emit({ kind, severity, text, details });
  }
}
