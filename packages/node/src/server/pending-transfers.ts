import type { NodeId, Term } from "@quorate/wire";
import type { RaftView } from "../raft/index.ts";
import type { TransferOutcome } from "./driver-outcomes.ts";

type Done = (outcome: TransferOutcome) => void;

interface PendingTransfer {
  readonly fromTerm: Term;
  readonly deadlineTick: number;
  readonly done: Done;
}

/** Hand-overs of leadership that were started here and have not ended (Diss. §3.10). */
export class PendingTransfers {
  readonly #patienceTicks: number;
  #pending: PendingTransfer[] = [];

  /** After leadership was given up, a new leader is waited for at most `patienceTicks`. */
  constructor(patienceTicks: number) {
    this.#patienceTicks = patienceTicks;
  }

  add(fromTerm: Term, nowTick: number, done: Done): void {
    this.#pending.push({ fromTerm, deadlineTick: nowTick + this.#patienceTicks, done });
  }

  /** Answers what `view` decides. */
  settle(view: RaftView, nowTick: number): void {
    if (this.#pending.length === 0) return;
    const waiting: PendingTransfer[] = [];
    const settled: [Done, TransferOutcome][] = [];
    for (const transfer of this.#pending) {
      const outcome = outcomeOf(transfer, view, nowTick);
      if (outcome === null) waiting.push(transfer);
      else settled.push([transfer.done, outcome]);
    }
    this.#pending = waiting;
    for (const [done, outcome] of settled) done(outcome);
  }

  stop(leaderId: NodeId | null): void {
    const all = this.#pending;
    this.#pending = [];
    const reason = "the node stops";
    for (const { done } of all) done({ kind: "failed", code: "stopping", leaderId, reason });
  }
}

function outcomeOf(
  transfer: PendingTransfer,
  view: RaftView,
  nowTick: number,
): TransferOutcome | null {
  const { leaderId, currentTerm } = view;
  if (view.role === "leader") {
    if (currentTerm === transfer.fromTerm && view.transferTarget !== null) return null;
    const reason = "the target did not take over within an election timeout";
    return { kind: "failed", code: "transferFailed", leaderId, reason };
  }
  if (currentTerm > transfer.fromTerm && leaderId !== null) {
    return { kind: "moved", leaderId, term: currentTerm };
  }
  if (nowTick < transfer.deadlineTick) return null;
  const reason = "leadership was given up, but no new leader is known yet";
  return { kind: "failed", code: "noLeader", leaderId, reason };
}
