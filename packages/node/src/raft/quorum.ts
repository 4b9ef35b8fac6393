import type { Configuration, NodeId } from "@quorate/wire";

/** Smallest number of voters that makes a majority of `voterCount` (Raft §5.2). */
export function majorityOf(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1;
}

/** Whether `id` counts in elections and commitment: in either half while the change is joint. */
export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.votersOutgoing.includes(id);
}

/** All voters of both halves, sorted, each once. */
export function allVoters(configuration: Configuration): readonly NodeId[] {
  if (configuration.votersOutgoing.length === 0) return configuration.voters;
  return [...new Set([...configuration.voters, ...configuration.votersOutgoing])].sort();
}

/** Everybody who receives the log, sorted, each once. */
export function allMembers(configuration: Configuration): readonly NodeId[] {
  return [...new Set([...allVoters(configuration), ...configuration.learners])].sort();
}

/** Whether those that `holds` is true of are a majority: of each half while joint (Raft §6). */
export function hasQuorum(configuration: Configuration, holds: (id: NodeId) => boolean): boolean {
  return (
    hasMajority(configuration.voters, holds) &&
    (configuration.votersOutgoing.length === 0 || hasMajority(configuration.votersOutgoing, holds))
  );
}

/** Highest number that a majority has reached: the lower of the two halves' while joint. */
export function quorumReached(
  configuration: Configuration,
  reached: (id: NodeId) => number,
): number {
  const current = majorityReached(configuration.voters, reached);
  if (configuration.votersOutgoing.length === 0) return current;
  return Math.min(current, majorityReached(configuration.votersOutgoing, reached));
}

function hasMajority(voters: readonly NodeId[], holds: (id: NodeId) => boolean): boolean {
  let count = 0;
  for (const id of voters) if (holds(id)) count += 1;
  return count >= majorityOf(voters.length);
}

function majorityReached(voters: readonly NodeId[], reached: (id: NodeId) => number): number {
  if (voters.length === 0) return 0;
  const descending = voters.map(reached).sort((a, b) => b - a);
  return descending[majorityOf(voters.length) - 1] ?? 0;
}
