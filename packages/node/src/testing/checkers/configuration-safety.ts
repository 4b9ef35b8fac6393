import type { Configuration, LogIndex, NodeId, Term } from "@quorate/wire";
import type { PeerView } from "../../raft/index.ts";
import { allMembers, allVoters, hasQuorum } from "../../raft/index.ts";
import { requireInvariant } from "../invariant-violation.ts";
import type { PlacedConfiguration } from "./configuration-mirror.ts";

/** A configuration that a leader puts into its log, and what is so when it does. */
export interface AppendedConfiguration {
  readonly leader: NodeId;
  readonly leaderTerm: Term;
  /** What was in force before it. */
  readonly before: PlacedConfiguration;
  readonly appended: PlacedConfiguration;
  readonly commitIndex: LogIndex;
  /** Term of the entry at `commitIndex`. */
  readonly commitTerm: Term;
}

/**
 * One change of members at a time (Raft §6): the one before is committed, the leader knows what is
 * committed by an entry of its own term (the bug of 2015), and no majority of the one before can
 * decide anything without a server of any majority of the next.
 */
export function checkAppended(change: AppendedConfiguration): void {
  const { leader, leaderTerm, before, appended, commitIndex, commitTerm } = change;
  requireInvariant(
    before.index <= commitIndex,
    "Configuration Safety",
    () =>
      `${leader} changes members at ${appended.index} while those of ${before.index} are not ` +
      `committed`,
  );
  // A joint configuration has one successor only, whoever appends it.
  requireInvariant(
    commitTerm === leaderTerm || before.configuration.votersOutgoing.length > 0,
    "Configuration Safety",
    () => `${leader} changes members before it committed an entry of its term ${leaderTerm}`,
  );
  requireInvariant(
    quorumsOverlap(before.configuration, appended.configuration),
    "Configuration Safety",
    () =>
      `${leader} goes from ${describe(before.configuration)} to ` +
      `${describe(appended.configuration)}: majorities that do not meet`,
  );
}

/** The members in force are the latest in the log, committed or not (Raft §6). */
export function checkInForce(
  node: NodeId,
  used: PlacedConfiguration,
  latest: PlacedConfiguration,
): void {
  requireInvariant(
    used.index === latest.index && describe(used.configuration) === describe(latest.configuration),
    "Configuration Safety",
    () =>
      `${node} uses the members of entry ${used.index}, ${describe(used.configuration)}; the ` +
      `latest are those of ${latest.index}, ${describe(latest.configuration)}`,
  );
}

/**
 * Only voters campaign: of the members in force, or of the committed ones, while a change that
 * removes them is not (Diss. §4.2.2).
 */
export function checkCampaign(
  node: NodeId,
  inForce: Configuration,
  committed: Configuration,
): void {
  requireInvariant(
    [inForce, committed].some((members) => allVoters(members).includes(node)),
    "Configuration Safety",
    () => `${node} campaigns, and votes neither in ${describe(inForce)} nor ${describe(committed)}`,
  );
}

/**
 * An id is used once: whoever was a member and is not any more is retired for good, or it could
 * come back with an empty disk under the name of votes that it gave.
 */
export function checkNames(index: LogIndex, before: Configuration, after: Configuration): void {
  const members = allMembers(after);
  const gone = allMembers(before).filter((id) => !members.includes(id));
  const forgotten = [...before.retired, ...gone].find((id) => !after.retired.includes(id));
  requireInvariant(
    forgotten === undefined,
    "Configuration Safety",
    () => `the members of entry ${index} do not know that ${forgotten ?? ""} was one before`,
  );
  const back = members.find((id) => after.retired.includes(id));
  requireInvariant(
    back === undefined,
    "Configuration Safety",
    () => `${back ?? ""}, which was removed before, is a member again at entry ${index}`,
  );
}

/**
 * A leader makes a server that catches up a voter by itself only after a round (Diss. §4.2.1): the
 * server has what the leader had when the round began, at least the entry that made it catch up.
 */
export function checkCaughtUp(leader: NodeId, stagedAt: LogIndex, peer: PeerView): void {
  requireInvariant(
    peer.matchIndex >= stagedAt,
    "Configuration Safety",
    () =>
      `${leader} makes ${peer.id} a voter, which catches up since entry ${stagedAt} and has ` +
      `${peer.matchIndex} entries`,
  );
}

/** Whether each quorum of one shares a server with each quorum of the other. */
export function quorumsOverlap(one: Configuration, other: Configuration): boolean {
  const ids = [...new Set([...allVoters(one), ...allVoters(other)])];
  for (let set = 0; set < 2 ** ids.length; set++) {
    const isIn = (id: NodeId): boolean => ((set >> ids.indexOf(id)) & 1) === 1;
    if (hasQuorum(one, isIn) && hasQuorum(other, (id) => !isIn(id))) return false;
  }
  return true;
}

function describe({ voters, votersOutgoing, learners, staging }: Configuration): string {
  return [voters, votersOutgoing, learners, staging].map((ids) => ids.join(",")).join("/");
}
