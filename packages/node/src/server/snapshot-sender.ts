import type { InstallSnapshot, LogIndex, NodeId, Term } from "@quorate/wire";
import type { Clock, Timer } from "../ports/clock.ts";
import type { SnapshotName, SnapshotStore } from "../ports/snapshot-store.ts";
import type { RaftView, SnapshotAck, SnapshotPoint } from "../raft/index.ts";
import type { ByteProgress } from "./driver-outcomes.ts";
import { SnapshotTransfer } from "./snapshot-transfer.ts";

export interface SnapshotSenderOptions {
  readonly nodeId: NodeId;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  /** Sent in one message at most. */
  readonly pieceMaxBytes: number;
  /** To all followers together. */
  readonly bytesPerSecond: number;
  /** Ticks of silence after which a piece is sent again. */
  readonly resendTicks: number;
  readonly send: (to: NodeId, message: InstallSnapshot) => void;
  readonly onSending: (to: NodeId, name: SnapshotName, totalBytes: number) => void;
}

/** A follower that was sent a snapshot of so many bytes in `term`. */
interface Awaited {
  readonly term: Term;
  readonly bytes: number;
  /** Where the log ended when it had the snapshot. */
  readonly throughIndex: LogIndex;
}

/** Times for a resend without any answer after which a follower is gone, and nobody waits for it. */
const SILENT_RESENDS = 10;

/**
 * Streams the newest snapshot to followers that need entries which are in the log no more (Raft §7).
 * Small pieces, few of them on their way, and not more than some bytes a second: a follower that
 * comes back must not be felt by anybody else.
 */
export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  readonly #transfers = new Map<NodeId, SnapshotTransfer>();
  /** They need a snapshot that is not durable yet. */
  readonly #waiting = new Set<NodeId>();
  /** They have what they were sent, and not the log behind it. */
  readonly #catchingUp = new Map<NodeId, Awaited>();
  #stored: SnapshotPoint;
  #nextSendMs = 0;
  #pause: Timer | null = null;

  /** `stored` is the durable snapshot, with index 0 where there is none. */
  constructor(options: SnapshotSenderOptions, stored: SnapshotPoint) {
    this.#options = options;
    this.#stored = stored;
  }

  /**
   * Size of the largest snapshot that a follower is being sent, or was sent by this leader and has
   * not the log behind it yet; null: there is none, or only for followers that are silent.
   */
  get awaitedBytes(): number | null {
    const patienceTicks = this.#patienceTicks;
    const sizes = [...this.#transfers.values()]
      .filter(({ isHeard, silentTicks }) => isHeard && silentTicks < patienceTicks)
      .map(({ progress }) => progress.totalBytes)
      .concat([...this.#catchingUp.values()].map(({ bytes }) => bytes));
    return sizes.length === 0 ? null : Math.max(...sizes);
  }

  progress(): Map<NodeId, ByteProgress> {
    return new Map([...this.#transfers].map(([id, transfer]) => [id, transfer.progress]));
  }

  /** `peer` needs a snapshot; `view` is of a leader. */
  request(peer: NodeId, view: RaftView): void {
    const { currentTerm } = view;
    const under = this.#transfers.get(peer);
    const isOfUse = under?.term === currentTerm && isReached(under.lastIncludedIndex, view);
    if (under !== undefined && isOfUse) {
      under.isHeard = answers(view, peer);
      under.restart();
    } else {
      this.#end(peer);
      if (isReached(this.#stored.lastIncludedIndex, view)) this.#begin(peer, view);
      else this.#waiting.add(peer);
    }
    this.#pump();
  }

  /** `point` is durable now. */
  stored(point: SnapshotPoint, view: RaftView): void {
    this.#stored = point;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const peer of waiting) {
      if (needsSnapshot(view, peer)) this.request(peer, view);
    }
  }

  acknowledged({ from, snapshotId, nextOffset }: SnapshotAck): void {
    this.#transfers.get(from)?.acknowledged(snapshotId, nextOffset);
    this.#pump();
  }

  /** Ends what `view` says is over: the follower has it, or this node does not lead any more. */
  observe(view: RaftView): void {
    if (this.#transfers.size + this.#waiting.size + this.#catchingUp.size === 0) return;
    for (const [peer, transfer] of this.#transfers) {
      const { term } = transfer;
      if (term !== view.currentTerm) {
        this.#end(peer);
      } else if (!needsSnapshot(view, peer)) {
        const bytes = transfer.progress.totalBytes;
        this.#catchingUp.set(peer, { term, bytes, throughIndex: view.lastLogIndex });
        this.#end(peer);
      } else {
        transfer.isHeard = answers(view, peer);
      }
    }
    for (const [peer, awaited] of this.#catchingUp) {
      if (!isCatchingUp(view, peer, awaited, this.#patienceTicks)) this.#catchingUp.delete(peer);
    }
    for (const peer of this.#waiting) {
      if (!needsSnapshot(view, peer)) this.#waiting.delete(peer);
    }
    this.#pump();
  }

  tick(): void {
    if (this.#transfers.size === 0) return;
    for (const transfer of this.#transfers.values()) transfer.tick();
    this.#pump();
  }

  stop(): void {
    for (const peer of this.#transfers.keys()) this.#end(peer);
    this.#waiting.clear();
    this.#catchingUp.clear();
    this.#pause?.cancel();
    this.#pause = null;
  }

  get #patienceTicks(): number {
    return SILENT_RESENDS * this.#options.resendTicks;
  }

  #begin(to: NodeId, view: RaftView): void {
    const { nodeId, store, resendTicks, pieceMaxBytes, onSending } = this.#options;
    const reader = store.open();
    if (reader?.name.lastIncludedIndex !== this.#stored.lastIncludedIndex) {
      reader?.close();
      this.#waiting.add(to);
      return;
    }
    const { currentTerm: term } = view;
    const point = this.#stored;
    const transfer = new SnapshotTransfer({
      to,
      leaderId: nodeId,
      term,
      point,
      reader,
      pieceMaxBytes,
      resendTicks,
    });
    transfer.isHeard = answers(view, to);
    this.#transfers.set(to, transfer);
    onSending(to, reader.name, reader.totalBytes);
  }

  #end(peer: NodeId): void {
    this.#waiting.delete(peer);
    this.#transfers.get(peer)?.close();
    this.#transfers.delete(peer);
  }

  /** Sends what may be sent now, each follower in its turn. */
  #pump(): void {
    const { clock, bytesPerSecond, send } = this.#options;
    if (this.#pause !== null) return;
    const ready = [...this.#transfers.values()].filter(({ isReady }) => isReady);
    for (const transfer of ready) {
      const waitMs = this.#nextSendMs - clock.nowMs();
      if (waitMs > 0) {
        this.#pauseFor(waitMs);
        return;
      }
      // Whoever comes first now comes last next time.
      this.#transfers.delete(transfer.to);
      this.#transfers.set(transfer.to, transfer);
      transfer.readPiece((message) => {
        const nowMs = clock.nowMs();
        const tookMs = (message.data.length / bytesPerSecond) * 1000;
        this.#nextSendMs = Math.max(nowMs, this.#nextSendMs) + tookMs;
        send(transfer.to, message);
        this.#pump();
      });
    }
  }

  #pauseFor(waitMs: number): void {
    this.#pause = this.#options.clock.after(waitMs, () => {
      this.#pause = null;
      this.#pump();
    });
  }
}

function needsSnapshot(view: RaftView, peer: NodeId): boolean {
  return view.peers.some(({ id, state }) => id === peer && state === "snapshot");
}

/**
 * Whether `view` is of the leader of then, and `peer` has not the log of then. What was sent does not
 * count: it may be lost with its connection, and would be sent again.
 */
function isCatchingUp(
  view: RaftView,
  peer: NodeId,
  { term, throughIndex }: Awaited,
  patienceTicks: number,
): boolean {
  return (
    term === view.currentTerm &&
    view.peers.some(
      ({ id, state, matchIndex, silentTicks }) =>
        id === peer &&
        state !== "snapshot" &&
        matchIndex < throughIndex &&
        silentTicks < patienceTicks,
    )
  );
}

function answers(view: RaftView, peer: NodeId): boolean {
  return view.peers.some(({ id, recentlyActive }) => id === peer && recentlyActive);
}

/** Whether the log goes on from `lastIncludedIndex`; 0: there is no such snapshot. */
function isReached(lastIncludedIndex: number, view: RaftView): boolean {
  return lastIncludedIndex > 0 && lastIncludedIndex + 1 >= view.firstLogIndex;
}
