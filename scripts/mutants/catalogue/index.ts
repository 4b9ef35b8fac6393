import type { Mutant } from "../mutant.ts";
import { ELECTION_MUTANTS } from "./elections.ts";
import { HARNESS_MUTANTS, JUDGE_MUTANTS, WIRING_MUTANTS } from "./harness.ts";
import { MEMBER_MUTANTS } from "./members.ts";
import { REPLICATION_MUTANTS } from "./replication.ts";
import { SNAPSHOT_AND_READ_MUTANTS } from "./snapshots-and-reads.ts";
import { STORAGE_AND_WIRE_MUTANTS } from "./storage.ts";

/** Every break that has to be caught, in the order of the rules that they break. */
export const MUTANTS: readonly Mutant[] = [
  ...ELECTION_MUTANTS,
  ...REPLICATION_MUTANTS,
  ...MEMBER_MUTANTS,
  ...SNAPSHOT_AND_READ_MUTANTS,
  ...STORAGE_AND_WIRE_MUTANTS,
  ...HARNESS_MUTANTS,
  ...WIRING_MUTANTS,
  ...JUDGE_MUTANTS,
];
