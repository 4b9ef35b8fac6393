import type { LogIndex, NodeId } from "@quorate/wire";
import { allVoters, hasQuorum } from "../../../raft/index.ts";
import type { Step, TermAt } from "./step.ts";
import { requireRule } from "./step.ts";

/**
 * "If there exists an N such that N > commitIndex, a majority of matchIndex[i] >= N, and
 * log[N].term == currentTerm: set commitIndex = N" (Raft Figure 2), of each half while joint (§6),
 * and at once: who waits for it would wait in vain. `matchIndexOf`: what the others have stored.
 */
export function checkLeaderCommits(
  { node, before, after }: Step,
  termAt: TermAt,
  matchIndexOf: (id: NodeId) => LogIndex,
): void {
  if (before.role !== "leader") return;
  const { configuration, currentTerm } = before;
  const held = (id: NodeId): LogIndex => (id === node ? after.durableIndex : matchIndexOf(id));
  for (const index of allVoters(configuration).map(held)) {
    if (index <= after.commitIndex || termAt(index) !== currentTerm) continue;
    requireRule(
      !hasQuorum(configuration, (id) => held(id) >= index),
      () => `a quorum has stored entry ${index} of this term, ${node} does not call it committed`,
    );
  }
}

/** What the own disk has counts like what another's has (Diss. §10.2.1). */
export function checkPersistedStep(step: Step, termAt: TermAt): void {
  const { peers } = step.before;
  checkLeaderCommits(step, termAt, (id) => peers.find((peer) => peer.id === id)?.matchIndex ?? 0);
}
