import type { Proof } from "./environment.ts";
import type { Tier } from "./mutant.ts";

/** What one way of looking for a break came to. */
export type Attempt =
  | {
      readonly kind: "caught";
      readonly tier: Tier;
      /** The invariant or the test that broke first. */
      readonly by: string;
      /** Of the simulator; null: a test. */
      readonly seed: number | null;
      readonly message: string;
      readonly wallMs: number;
      readonly cpuMs: number;
    }
  | { readonly kind: "missed"; readonly wallMs: number; readonly cpuMs: number }
  /** It proves nothing: the break was not made, or not there. */
  | { readonly kind: "unfit"; readonly why: string };

export type Caught = Extract<Attempt, { kind: "caught" }>;

/** An attempt as its processes proved it; `by` null: nothing was noticed. */
export function attemptFrom(
  proof: Proof,
  said: {
    readonly tier: Tier;
    readonly by: string | null;
    readonly seed: number | null;
    readonly message: string;
    readonly wallMs: number;
  },
): Attempt {
  const { tier, by, seed, message, wallMs } = said;
  const { cpuMs } = proof;
  if (proof.unfit !== null) return { kind: "unfit", why: proof.unfit };
  if (!proof.isApplied) return { kind: "unfit", why: `nothing loads the file: ${message}` };
  if (by === null && message !== "") return { kind: "unfit", why: message };
  if (by === null) return { kind: "missed", wallMs, cpuMs };
  return { kind: "caught", tier, by, seed, message, wallMs, cpuMs };
}
