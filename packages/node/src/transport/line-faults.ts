import type { LinkFault, NodeId } from "@quorate/wire";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";

type Direction = LinkFault["direction"];

/** Parts of a whole that a rate is drawn in. */
const GRAIN = 1_000_000;

/** What is done to messages before they go out and after they came in, line by line. */
export class LineFaults {
  readonly #clock: Clock;
  readonly #random: Random;
  #rules: readonly LinkFault[] = [];
  readonly #byLine = new Map<string, LinkFault>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  get rules(): readonly LinkFault[] {
    return this.#rules;
  }

  /** Whether every message passes at once, as it always does outside of trials. */
  get areNone(): boolean {
    return this.#rules.length === 0;
  }

  /** These instead of all before them. */
  set(rules: readonly LinkFault[]): void {
    this.#rules = rules;
    this.#byLine.clear();
    for (const rule of rules) this.#byLine.set(keyOf(rule.peer, rule.direction), rule);
  }

  /** Whether nothing at all passes in that direction: not even signs of life. */
  isCut(peer: NodeId, direction: Direction): boolean {
    return this.#byLine.get(keyOf(peer, direction))?.dropRate === 1;
  }

  /** Calls `pass` now, later or never. Messages of one line keep their order. */
  apply(peer: NodeId, direction: Direction, pass: () => void): void {
    const rule = this.#byLine.get(keyOf(peer, direction));
    if (rule === undefined) {
      pass();
      return;
    }
    if (rule.dropRate > 0 && this.#random.below(GRAIN) < rule.dropRate * GRAIN) return;
    if (rule.delayMs === 0) pass();
    else this.#clock.after(rule.delayMs, pass);
  }
}

function keyOf(peer: NodeId, direction: Direction): string {
  return `${direction} ${peer}`;
}
