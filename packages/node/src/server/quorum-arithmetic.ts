import type { NodeId } from "@quorate/wire";
import type { RaftView } from "../raft/index.ts";
import { majorityOf } from "../raft/index.ts";

/** What a change of voters means for the losses that the cluster survives. */
export interface QuorumArithmetic {
  /** For people: the votes before, during and after the change. */
  readonly lines: readonly string[];
  /** Voters that may still be lost after the change; negative: too few answer. */
  readonly lossesAfter: number;
}

/**
 * Counts the votes that a change to `voters` leaves, for a leader with this `view`. Whoever has
 * not answered the leader for an election timeout counts as lost.
 */
export function describeQuorum(
  view: RaftView,
  nodeId: NodeId,
  voters: readonly NodeId[],
): QuorumArithmetic {
  const live = new Set(view.peers.filter((peer) => peer.recentlyActive).map(({ id }) => id));
  live.add(nodeId);
  const before = votesOf(view.configuration.voters, live);
  const after = votesOf(voters, live);
  const changes = !sameVoters(view.configuration.voters, voters);
  if (!changes) return { lines: [`votes: ${before.text}`], lossesAfter: before.losses };
  return {
    lines: [
      `votes before: ${before.text}`,
      `votes during: a majority of the old and a majority of the new voters; ${safe(
        Math.min(before.losses, after.losses),
      )}`,
      `votes after: ${after.text}`,
    ],
    lossesAfter: after.losses,
  };
}

function votesOf(
  voters: readonly NodeId[],
  live: ReadonlySet<NodeId>,
): { readonly text: string; readonly losses: number } {
  const silent = voters.filter((id) => !live.has(id));
  const majority = majorityOf(voters.length);
  const losses = voters.length - silent.length - majority;
  const answer = `${voters.length - silent.length} of ${voters.length} voters answer`;
  const missing = silent.length === 0 ? "" : ` (not ${silent.join(", ")})`;
  return { text: `${answer}${missing}, ${majority} are a majority; ${safe(losses)}`, losses };
}

function safe(losses: number): string {
  if (losses < 0) return `${-losses} too few: nothing can be committed`;
  return losses === 0 ? "no further loss is safe" : `${losses} more may be lost`;
}

function sameVoters(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
