import type { LogIndex, NodeId } from "@quorate/wire";
import type { PeerView, RaftView } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";

/** What a disk is asked. */
export interface DurableLog {
  readonly hardState: { readonly currentTerm: number };
  chainHashAt(index: LogIndex): number | null;
}

/**
 * A leader believes of a follower only what is true (Raft §5.3): `matchIndex` is within the
 * follower's durable, equal log. A follower that has gone on to a later term may have changed it.
 */
export function checkReplicationBelief(
  leader: NodeId,
  view: RaftView,
  peer: PeerView,
  logs: { readonly own: (index: LogIndex) => number | null; readonly peer: DurableLog },
): void {
  requireInvariant(
    peer.nextIndex > peer.matchIndex,
    "Replication Belief",
    () => `${leader}: nextIndex of ${peer.id} is not above its matchIndex`,
  );
  if (peer.matchIndex === 0 || logs.peer.hardState.currentTerm > view.currentTerm) return;
  requireInvariant(
    logs.peer.chainHashAt(peer.matchIndex) === logs.own(peer.matchIndex),
    "Replication Belief",
    () => `${leader} believes that ${peer.id} holds its log up to ${peer.matchIndex}: it does not`,
  );
}
