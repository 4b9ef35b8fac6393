import type { NodeId } from "@quorate/wire";
import type { LeaderState, RaftState } from "./raft-state.ts";

/** What became of the wish to hand leadership over. `started` tells nothing of its end. */
export type TransferResult =
  | { readonly kind: "started"; readonly target: NodeId }
  | { readonly kind: "notLeader"; readonly leaderId: NodeId | null }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Stops taking proposals, brings `target` up to date and asks it to campaign (Diss. §3.10). Given
 * up after one election timeout, and on any change of role.
 */
export function startTransfer(state: RaftState, target: NodeId | null): TransferResult {
  const { leader } = state;
  if (leader === null) return { kind: "notLeader", leaderId: state.leaderId };
  if (leader.transfer !== null) {
    return { kind: "refused", reason: `a transfer to ${leader.transfer.target} is under way` };
  }
  const chosen = target ?? bestTarget(state, leader);
  if (chosen === null) return { kind: "refused", reason: "no other voter was heard from lately" };
  if (chosen === state.nodeId) return { kind: "refused", reason: `${chosen} leads already` };
  // Not one that a change removes: it would have to hand over at once.
  if (!state.configuration.voters.includes(chosen)) {
    return { kind: "refused", reason: `${chosen} is not a voter of this cluster` };
  }
  leader.transfer = { target: chosen, elapsedTicks: 0, timeoutNowSent: false };
  continueTransfer(state, leader);
  return { kind: "started", target: chosen };
}

/** Asks the target to campaign as soon as it has the whole log. */
export function continueTransfer(state: RaftState, leader: LeaderState): void {
  const { transfer } = leader;
  if (transfer === null || transfer.timeoutNowSent) return;
  if (leader.progress.get(transfer.target)?.matchIndex !== state.log.lastIndex) return;
  transfer.timeoutNowSent = true;
  leader.mayLease = false;
  const { currentTerm: term, nodeId: leaderId } = state;
  state.send(transfer.target, { type: "TimeoutNow", term, leaderId });
}

/**
 * A leader that is a member no more asks the voter with the longest log to take over, so that the
 * cluster need not wait for an election timeout (Diss. §4.2.2).
 */
export function handOverOnRetirement(state: RaftState, leader: LeaderState): void {
  const { currentTerm: term, nodeId: leaderId } = state;
  const target = bestTarget(state, leader);
  if (target === null) return;
  state.send(target, { type: "TimeoutNow", term, leaderId });
}

/** Gives the transfer up when it takes longer than an election: the leader serves on. */
export function tickTransfer(state: RaftState, leader: LeaderState): void {
  if (leader.transfer === null) return;
  leader.transfer.elapsedTicks += 1;
  if (leader.transfer.elapsedTicks >= state.config.electionTicks) leader.transfer = null;
}

/** The voter with the longest matching log among those that were heard from. */
function bestTarget(state: RaftState, leader: LeaderState): NodeId | null {
  let best: { id: NodeId; matchIndex: number } | null = null;
  for (const progress of leader.progress.values()) {
    const { id, matchIndex } = progress;
    const isHeard = progress.wasHeardWithin(state.config.electionTicks);
    if (!isHeard || !state.configuration.voters.includes(id)) continue;
    if (best === null || matchIndex > best.matchIndex) best = { id, matchIndex };
  }
  return best?.id ?? null;
}
