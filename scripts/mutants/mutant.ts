import type { Fabric, StorageKind } from "@quorate/node/testing";

/** Where a break is noticed, the earliest first. */
export const TIERS = ["unit", "scenario", "simulator", "system"] as const;
export type Tier = (typeof TIERS)[number];

/** Tests of one file: those whose titles match `name`, or all. */
export interface TestRef {
  /** From the root of the repository. */
  readonly file: string;
  /** The title as it stands in the source: `${…}` stands for anything. */
  readonly name?: string;
}

/**
 * One deliberate break of one place. It is made in memory, while the file is loaded: see
 * `preload.ts`.
 */
export interface Mutant {
  /** Names it on the command line: lower case, with hyphens. */
  readonly name: string;
  /** What is wrong with it, as the bug's report would begin. */
  readonly claim: string;
  /** The rules of docs/raft-rules.md that it breaks; none: it breaks the tests themselves. */
  readonly rules: readonly number[];
  /** From the root of the repository. */
  readonly file: string;
  /** Text that occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Where it has to be caught. */
  readonly tier: Tier;
  /**
   * `simulator`: a campaign of so many seeds from 1 on, at most. Default: {@link SEEDS_MAX}. Other
   * tiers have none.
   */
  readonly seeds?: number;
  /** Tests that have to notice it; default: those that the document names for its rules. */
  readonly tests?: readonly TestRef[];
  /** Seconds of processor time for the simulator. Default: {@link BUDGET_SECONDS}. */
  readonly budgetSeconds?: number;
  /** The simulator's runs are all of this kind: where one in twelve would see too little. */
  readonly fabric?: Fabric;
  /** Likewise of what logs are kept in. */
  readonly storage?: StorageKind;
}

export const SEEDS_MAX = 400;
export const BUDGET_SECONDS = 40;

/** Lets a catalogue say once what its mutants have in common. */
export function mutantsOf(
  common: { readonly folder: string; readonly tier: Tier },
  mutants: readonly (Omit<Mutant, "tier"> & { readonly tier?: Tier })[],
): readonly Mutant[] {
  return mutants.map((mutant) => ({
    ...mutant,
    tier: mutant.tier ?? common.tier,
    file: `${common.folder}/${mutant.file}`,
  }));
}
