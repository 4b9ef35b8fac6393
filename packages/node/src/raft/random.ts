/** Dice, passed in so that equal seeds give equal runs (the `Random` port). */
export interface Random {
  /** A whole number in [0, `exclusiveMax`); `exclusiveMax` is 1 to 2^48. */
  below(exclusiveMax: number): number;
}
