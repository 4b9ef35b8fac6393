import type { LinkFault, NodeId } from "@quorate/wire";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";

type Direction = LinkFault["direction"];

/** Parts of a whole that a rate is drawn in. */
const GRAIN = 1_000_000;

/** What a slow line still holds, in the order in which it was sent. */
interface Queue {
  readonly waiting: { dueMs: number; readonly pass: () => void }[];
  timer: Timer | null;
  isPassing: boolean;
}

/** What is done to messages before they go out and after they came in, line by line. */
export class LineFaults {
  readonly #clock: Clock;
  readonly #random: Random;
  #rules: readonly LinkFault[] = [];
  readonly #byLine = new Map<string, LinkFault>();
  /** Of the lines on which something waits. */
  readonly #queues = new Map<string, Queue>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  get rules(): readonly LinkFault[] {
    return this.#rules;
  }

  /** Whether every message passes at once, as it always does outside of trials. */
  get areNone(): boolean {
    return this.#rules.length === 0 && this.#queues.size === 0;
  }

  /** These instead of all before them. What waited under those goes with {@link release}. */
  set(rules: readonly LinkFault[]): void {
    this.#rules = rules;
    this.#byLine.clear();
    for (const rule of rules) this.#byLine.set(keyOf(rule.peer, rule.direction), rule);
    const nowMs = this.#clock.nowMs();
    for (const { waiting } of this.#queues.values()) {
      for (const message of waiting) message.dueMs = nowMs;
    }
  }

  /** What waited when the rules changed passes, or is lost where the line is cut now. */
  release(): void {
    const nowMs = this.#clock.nowMs();
    for (const [line, queue] of this.#queues) this.#passUntil(line, queue, nowMs);
  }

  /** Forgets what waits. */
  stop(): void {
    for (const { timer } of this.#queues.values()) timer?.cancel();
    this.#queues.clear();
  }

  /** Whether nothing at all passes in that direction: not even signs of life. */
  isCut(peer: NodeId, direction: Direction): boolean {
    return this.#byLine.get(keyOf(peer, direction))?.dropRate === 1;
  }

  /** Calls `pass` now, later or never. Messages of one line keep their order. */
  apply(peer: NodeId, direction: Direction, pass: () => void): void {
    const line = keyOf(peer, direction);
    const { dropRate, delayMs } = this.#byLine.get(line) ?? { dropRate: 0, delayMs: 0 };
    if (dropRate > 0 && this.#random.below(GRAIN) < dropRate * GRAIN) return;
    const queue = this.#queues.get(line);
    if (queue === undefined && delayMs === 0) pass();
    else this.#enqueue(line, queue, { dueMs: this.#clock.nowMs() + delayMs, pass });
  }

  #enqueue(line: string, known: Queue | undefined, message: Queue["waiting"][number]): void {
    const queue = known ?? { waiting: [], timer: null, isPassing: false };
    this.#queues.set(line, queue);
    queue.waiting.push(message);
    if (queue.timer === null && !queue.isPassing) this.#schedule(line, queue);
  }

  #schedule(line: string, queue: Queue): void {
    const first = queue.waiting[0];
    if (first === undefined) {
      this.#queues.delete(line);
      return;
    }
    const { dueMs } = first;
    queue.timer = this.#clock.after(Math.max(0, dueMs - this.#clock.nowMs()), () => {
      queue.timer = null;
      this.#passUntil(line, queue, dueMs);
    });
  }

  /** The rule is asked once more: whatever passes may set others. */
  #passUntil(line: string, queue: Queue, untilMs: number): void {
    if (queue.isPassing) return;
    queue.timer?.cancel();
    queue.timer = null;
    queue.isPassing = true;
    for (let first = queue.waiting[0]; first !== undefined; first = queue.waiting[0]) {
      if (first.dueMs > untilMs) break;
      queue.waiting.shift();
      if (this.#byLine.get(line)?.dropRate !== 1) first.pass();
    }
    queue.isPassing = false;
    if (this.#queues.get(line) === queue) this.#schedule(line, queue);
  }
}

function keyOf(peer: NodeId, direction: Direction): string {
  return `${direction} ${peer}`;
}
