import { SeededRandom } from "@quorate/node/testing";
import { minimise } from "./minimise.ts";
import { BYTE_MUTATIONS, INPUT_MAX_BYTES } from "./mutations.ts";
import type { Finding, Target } from "./target.ts";
import { Broken, kindOf } from "./target.ts";

const CORPUS_MAX = 400;
/** A slow run is measured again so often: the machine may have been busy with something else. */
const SLOW_REPEATS = 3;
/** A target with so many kinds of findings has told enough. */
const KINDS_MAX = 5;

/** What a target has shown so far. */
export interface TargetFigures {
  readonly executions: number;
  readonly accepted: number;
  readonly corpus: number;
  readonly spentMs: number;
}

/** Feeds one target with inputs that are made of its seeds and of what behaved in a new way. */
export class Fuzzer {
  readonly target: Target;
  readonly #seed: string;
  readonly #dice: SeededRandom;
  readonly #corpus: Uint8Array[];
  readonly #behaviours = new Set<string>();
  readonly #kinds = new Set<string>();
  readonly #onInput: (target: string, input: Uint8Array) => void;
  #executions = 0;
  #accepted = 0;
  #spentMs = 0;

  /** `onInput` is told every input before it is tried. */
  constructor(
    target: Target,
    seed: string,
    onInput: (target: string, input: Uint8Array) => void = () => {},
  ) {
    this.target = target;
    this.#seed = seed;
    this.#dice = new SeededRandom(`fuzz ${seed} ${target.name}`);
    this.#corpus = [...target.seeds];
    this.#onInput = onInput;
  }

  get figures(): TargetFigures {
    return {
      executions: this.#executions,
      accepted: this.#accepted,
      corpus: this.#corpus.length,
      spentMs: this.#spentMs,
    };
  }

  get isExhausted(): boolean {
    return this.#kinds.size >= KINDS_MAX;
  }

  /** Tries inputs for about `sliceMs`; resolves to what broke, if that is of a new kind. */
  async run(sliceMs: number): Promise<Finding | null> {
    const startMs = performance.now();
    try {
      do {
        const finding = await this.#step();
        if (finding !== null) return finding;
      } while (performance.now() - startMs < sliceMs);
      return null;
    } finally {
      this.#spentMs += performance.now() - startMs;
    }
  }

  /** Tries one input, as it is; resolves to what broke. */
  async tryOne(input: Uint8Array): Promise<Finding | null> {
    this.#executions++;
    const fault = await this.#try(input, false);
    return fault === null ? null : { target: this.target.name, seed: this.#seed, ...fault, input };
  }

  async #step(): Promise<Finding | null> {
    const seed = this.target.seeds[this.#executions];
    const input = seed ?? this.#mutated();
    this.#executions++;
    const fault = await this.#try(input, seed !== undefined);
    if (fault === null) return null;
    const kind = kindOf(fault.what);
    if (this.#kinds.has(kind)) return null;
    this.#kinds.add(kind);
    const breaks = async (candidate: Uint8Array): Promise<boolean> => {
      const other = await this.#try(candidate, seed !== undefined);
      return other !== null && kindOf(other.what) === kind;
    };
    const smallest = await minimise(input, breaks, this.target.partsOf);
    return { target: this.target.name, seed: this.#seed, ...fault, input: smallest };
  }

  async #try(
    input: Uint8Array,
    isSeed: boolean,
  ): Promise<{ readonly what: string; readonly stack: string | null } | null> {
    this.#onInput(this.target.name, input);
    try {
      const beganMs = cpuMs();
      const behaviour = await this.target.check(input);
      if (cpuMs() - beganMs > this.target.limitMs) await this.#requireQuick(input);
      const isAccepted = behaviour.startsWith("ok");
      if (isAccepted) this.#accepted++;
      if (isSeed && !isAccepted) throw new Broken(`a sound input is ${behaviour}`);
      if (!this.#behaviours.has(behaviour)) this.#keep(behaviour, input);
      return null;
    } catch (error) {
      if (!(error instanceof Error)) return { what: `threw ${String(error)}`, stack: null };
      return { what: `${error.name}: ${error.message}`, stack: error.stack ?? null };
    }
  }

  /** The least of several times: a collection of garbage is not the input's fault. */
  async #requireQuick(input: Uint8Array): Promise<void> {
    let leastMs = Number.POSITIVE_INFINITY;
    for (let repeat = 0; repeat < SLOW_REPEATS; repeat++) {
      const beganMs = cpuMs();
      await this.target.check(input);
      leastMs = Math.min(leastMs, cpuMs() - beganMs);
    }
    if (leastMs > this.target.limitMs) {
      throw new Broken(`takes ${leastMs.toFixed(0)} ms of ${this.target.limitMs} ms`);
    }
  }

  #keep(behaviour: string, input: Uint8Array): void {
    this.#behaviours.add(behaviour);
    const seeds = this.target.seeds.length;
    if (this.#corpus.length < CORPUS_MAX) this.#corpus.push(input);
    else if (seeds < CORPUS_MAX) this.#corpus[this.#dice.between(seeds, CORPUS_MAX - 1)] = input;
  }

  #mutated(): Uint8Array {
    const dice = this.#dice;
    const { mutations } = this.target;
    let input = dice.pick(this.#corpus);
    for (let left = 1 + Math.min(6, dice.exponential(1)); left > 0; left--) {
      const isKnowing = mutations.length > 0 && dice.chance(0.6);
      const mutation = dice.pick(isKnowing ? mutations : BYTE_MUTATIONS);
      input = mutation(input, dice, dice.pick(this.#corpus)).subarray(0, INPUT_MAX_BYTES);
    }
    return input;
  }
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
