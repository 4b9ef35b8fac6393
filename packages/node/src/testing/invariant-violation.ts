/**
 * What every simulation checks. The first five are the guarantees of Raft Figure 3; the others
 * are what an implementation must keep beside them.
 */
export const INVARIANTS = [
  "Election Safety",
  "Leader Append-Only",
  "Log Matching",
  "Leader Completeness",
  "State Machine Safety",
  "Term Monotone",
  "One Vote Per Term",
  "Monotone Progress",
  "Committed Immutable",
  "Committed On Quorum",
  "Replication Belief",
  "Durability Before Promise",
  "Storage As Modelled",
  "Determinism",
  "Snapshot Equals Replay",
  "Snapshot Durable",
  "Configuration Safety",
  "Exactly Once",
  "Bounded Log",
  "Bounded Windows",
  "No Disruption",
  "Leadership Transfer",
  "Rules Of A Step",
  "Acknowledged Writes Survive",
  "Honest Outcomes",
  "Fresh Reads",
  "Wire Sanity",
  "Admission",
  "Liveness",
  "No Exception",
] as const;

export type Invariant = (typeof INVARIANTS)[number];

/** A simulated cluster broke one of its guarantees: the run ends here. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
  readonly invariant: Invariant;

  constructor(invariant: Invariant, message: string) {
    super(message);
    this.invariant = invariant;
  }
}

/** Ends the run with an {@link InvariantViolation} unless `condition` holds. */
export function requireInvariant(
  condition: boolean,
  invariant: Invariant,
  message: () => string,
): asserts condition {
  if (!condition) throw new InvariantViolation(invariant, message());
}
