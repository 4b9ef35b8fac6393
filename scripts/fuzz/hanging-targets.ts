/** A target that never comes back from some inputs, for the test of the watch over threads. */
import type { Target } from "./target.ts";

export function makeTargets(): Promise<Target[]> {
  const check = (input: Uint8Array): string => {
    for (;;) if (input[0] !== 7) return "ok";
  };
  const seeds = [Uint8Array.of(1, 2), Uint8Array.of(7, 1)];
  return Promise.resolve([{ name: "hanging", seeds, mutations: [], limitMs: 1000, check }]);
}
