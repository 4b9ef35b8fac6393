import type { SeededRandom } from "@quorate/node/testing";

/** Changes an input; `other` is another one, to take a part of. Gives a new one. */
export type Mutation = (input: Uint8Array, dice: SeededRandom, other: Uint8Array) => Uint8Array;

/** Something that takes bytes from outside. */
export interface Target {
  readonly name: string;
  /** Sound inputs to begin with: each of them must be accepted. */
  readonly seeds: readonly Uint8Array[];
  /** Changes that know what the bytes mean. */
  readonly mutations: readonly Mutation[];
  /** Longest time of the processor that one input may take, in ms. */
  readonly limitMs: number;
  /**
   * Feeds the input to the code and tells how that behaved: "ok …" or "refused …" and what kind.
   * A new kind is kept and changed further. Equal inputs behave alike.
   *
   * @throws whatever the code must not throw, and {@link Broken} where a property does not hold.
   */
  readonly check: (input: Uint8Array) => string | Promise<string>;
  /** What an input consists of, so that one of them can go while the others stay whole. */
  readonly partsOf?: (input: Uint8Array) => Uint8Array[];
  readonly close?: () => Promise<void>;
}

/** A property that does not hold for an input. */
export class Broken extends Error {
  override readonly name = "Broken";
}

/** Throws {@link Broken} unless `condition` holds. */
export function hold(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Broken(what());
}

/** An input that broke something. */
export interface Finding {
  readonly target: string;
  readonly seed: string;
  /** What broke: name and message of what was thrown, or that it took too long. */
  readonly what: string;
  readonly stack: string | null;
  /** The smallest input found that breaks the same. */
  readonly input: Uint8Array;
}

/** Findings of one kind say the same but for their numbers and what they quote. */
export function kindOf(what: string): string {
  return what
    .replaceAll(/"(?:[^"\\]|\\.)*"/gu, '"…"')
    .replaceAll(/\d+/gu, "#")
    .slice(0, 160);
}
