import type { LogIndex, NodeId } from "@quorate/wire";
import { assert } from "./assert.ts";

interface InFlight {
  readonly lastIndex: LogIndex;
  readonly bytes: number;
}

/** Catching up of a learner that is to vote, in rounds (Diss. §4.2.1). */
interface CatchUp {
  /** The round ends when the follower has this entry. */
  readonly targetIndex: LogIndex;
  readonly rounds: number;
  elapsedTicks: number;
}

/**
 * What a leader knows of one follower (Raft Figure 2, volatile state on leaders).
 *
 * `probe`: where the logs meet is not known; one AppendEntries at a time finds out.
 * `replicate`: they meet; AppendEntries are pipelined within a window (Diss. §10.2.2).
 * `snapshot`: it needs entries that are in the log no more; a snapshot is on its way (Raft §7).
 */
export class Progress {
  readonly id: NodeId;
  /** Highest index known to be durable on the follower and equal to ours. Never falls in a term. */
  matchIndex: LogIndex = 0;
  /** Next index to send. Invariant: matchIndex < nextIndex. */
  nextIndex: LogIndex;
  state: "probe" | "replicate" | "snapshot" = "probe";
  /** In `probe`: entries are out; more go once an answer, if only to a heartbeat, says where. */
  probeSent = false;
  /** Ticks since the follower last answered what it was sent, or since it is sent anything. */
  silentTicks = 0;
  /** Whether it ever answered. */
  hasAnswered = false;
  /** A rejection of this round or a later one proves that the follower lost what it stored. */
  doubtedFromRound: number | null = null;
  /** Highest confirmation round that the follower echoed (Diss. §6.4). */
  ackedRound = 0;
  /** Highest `leaderCommit` sent. */
  sentCommit: LogIndex = 0;
  catchUp: CatchUp = { targetIndex: 0, rounds: 0, elapsedTicks: 0 };
  /** Ticks since it is no member any more; null: it is one. */
  departedTicks: number | null = null;
  #inFlight: InFlight[] = [];
  #inFlightBytes = 0;

  constructor(id: NodeId, nextIndex: LogIndex) {
    this.id = id;
    this.nextIndex = nextIndex;
  }

  get inFlightMessages(): number {
    return this.#inFlight.length;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** The follower answered. */
  heard(): void {
    this.silentTicks = 0;
    this.hasAnswered = true;
  }

  /** Whether the follower answered within the last `ticks`. */
  wasHeardWithin(ticks: number): boolean {
    return this.silentTicks < ticks;
  }

  /** Entries up to `lastIndex` were sent: optimistically, the next message continues after them. */
  entriesSent(lastIndex: LogIndex, bytes: number): void {
    assert(lastIndex >= this.nextIndex, `${this.id}: sent ${lastIndex} before ${this.nextIndex}`);
    if (this.state === "probe") {
      this.probeSent = true;
      return;
    }
    this.nextIndex = lastIndex + 1;
    this.#inFlight.push({ lastIndex, bytes });
    this.#inFlightBytes += bytes;
  }

  /** The entries that it needs next are gone: nothing but heartbeats until the snapshot is there. */
  awaitSnapshot(): void {
    this.probeFrom(this.matchIndex + 1);
    this.state = "snapshot";
  }

  /** The follower has everything up to `index`, the last one of a snapshot. */
  snapshotInstalled(index: LogIndex): void {
    this.#raiseMatch(index);
    if (this.state === "snapshot") this.probeFrom(this.matchIndex + 1);
    else this.nextIndex = Math.max(this.nextIndex, this.matchIndex + 1);
  }

  /** A round of catching up begins: it ends when the follower has `targetIndex`. */
  startCatchUpRound(targetIndex: LogIndex): void {
    this.catchUp = { targetIndex, rounds: this.catchUp.rounds + 1, elapsedTicks: 0 };
  }

  /** It is not to catch up any more, or not yet. */
  endCatchUp(): void {
    this.catchUp = { targetIndex: 0, rounds: 0, elapsedTicks: 0 };
  }

  /** The follower's disk lost what it had stored: all is to be found out anew. */
  lostItsLog(nextIndex: LogIndex): void {
    this.matchIndex = 0;
    this.doubtedFromRound = null;
    this.probeFrom(nextIndex);
  }

  /** The follower holds the log durably up to `matchIndex`, and agrees with it up to `agreedIndex`. */
  matched(matchIndex: LogIndex, agreedIndex: LogIndex): void {
    this.#raiseMatch(matchIndex);
    if (this.state === "probe") {
      this.nextIndex = Math.max(this.matchIndex, agreedIndex) + 1;
      this.state = "replicate";
      this.probeSent = false;
    }
    this.nextIndex = Math.max(this.nextIndex, this.matchIndex + 1);
    this.#release();
  }

  /** The logs differ before `nextIndex`: look for the place where they meet, one step at a time. */
  probeFrom(nextIndex: LogIndex): void {
    this.nextIndex = Math.max(this.matchIndex + 1, nextIndex);
    this.state = "probe";
    this.probeSent = false;
    this.#inFlight = [];
    this.#inFlightBytes = 0;
  }

  /** What it stores now it may have rejected rightly before, in the rounds of a doubt as well. */
  #raiseMatch(index: LogIndex): void {
    if (index <= this.matchIndex) return;
    this.matchIndex = index;
    this.doubtedFromRound = null;
  }

  #release(): void {
    let released = 0;
    for (const message of this.#inFlight) {
      if (message.lastIndex > this.matchIndex) break;
      this.#inFlightBytes -= message.bytes;
      released += 1;
    }
    if (released > 0) this.#inFlight.splice(0, released);
  }
}
