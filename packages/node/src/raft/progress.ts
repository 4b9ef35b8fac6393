import type { LogIndex, NodeId } from "@quorate/wire";
import { assert } from "./assert.ts";

interface InFlight {
  readonly lastIndex: LogIndex;
  readonly bytes: number;
}

/**
 * What a leader knows of one follower (Raft Figure 2, volatile state on leaders).
 *
 * `probe`: where the logs meet is not known; one AppendEntries at a time finds out.
 * `replicate`: they meet; AppendEntries are pipelined within a window (Diss. §10.2.2).
 */
export class Progress {
  readonly id: NodeId;
  /** Highest index known to be durable on the follower and equal to ours. Never falls in a term. */
  matchIndex: LogIndex = 0;
  /** Next index to send. Invariant: matchIndex < nextIndex. */
  nextIndex: LogIndex;
  state: "probe" | "replicate" = "probe";
  /** In `probe`: entries are out; more go once an answer, if only to a heartbeat, says where. */
  probeSent = false;
  /** Ticks since the follower last answered an AppendEntries, or since this server leads. */
  silentTicks = 0;
  /** Highest confirmation round that the follower echoed (Diss. §6.4). */
  ackedRound = 0;
  /** Highest `leaderCommit` sent. */
  sentCommit: LogIndex = 0;
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

  /** The follower holds the log durably up to `matchIndex`, and agrees with it up to `agreedIndex`. */
  matched(matchIndex: LogIndex, agreedIndex: LogIndex): void {
    this.matchIndex = Math.max(this.matchIndex, matchIndex);
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
