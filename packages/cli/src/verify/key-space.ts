import type { Dice } from "./dice.ts";

const HOT_KEYS = 4;
const WIDE_KEYS = 200;
const COUNTERS = 2;
const CHAINS = 2;

/** Uses of the contended keys before others take their place: each stays checkable by search. */
const USES_OF_AN_AGE = 1500;

/** Appends to one chain before the next one begins: values stay short. */
export const CHAIN_LENGTH_MAX = 40;

/** The part of the reads and writes that goes to the few hot keys. */
const HOT_PART = 0.6;

/** Which keys a workload uses: a few that all clients fight over, and many that few touch. */
export class KeySpace {
  readonly #prefix: string;
  readonly #used = new Set<string>();
  readonly #chainAges: number[] = Array.from({ length: CHAINS }, () => 0);
  #uses = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Every key that was given out. */
  get used(): ReadonlySet<string> {
    return this.#used;
  }

  register(dice: Dice): string {
    if (!dice.chance(HOT_PART)) return this.#use(`wide-${dice.below(WIDE_KEYS)}`);
    return this.#use(`hot-${this.#age()}-${dice.below(HOT_KEYS)}`);
  }

  counter(dice: Dice): string {
    return this.#use(`count-${this.#age()}-${dice.below(COUNTERS)}`);
  }

  chain(dice: Dice): string {
    const number = dice.below(CHAINS);
    return this.#use(`chain-${number}-${this.#chainAges[number] ?? 0}`);
  }

  /** A chain has its length: the next append there goes to a new one. */
  chainIsFull(key: string): void {
    this.#chainAges.forEach((age, number) => {
      if (key === `${this.#prefix}chain-${number}-${age}`) this.#chainAges[number] = age + 1;
    });
  }

  #age(): number {
    this.#uses += 1;
    return Math.floor(this.#uses / USES_OF_AN_AGE);
  }

  #use(name: string): string {
    const key = this.#prefix + name;
    this.#used.add(key);
    return key;
  }
}
