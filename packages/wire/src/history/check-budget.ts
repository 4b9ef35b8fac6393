import type { CheckOptions, UnknownWhy } from "./verdict.ts";

/** What a check may spend, and what it has spent. */
export class CheckBudget {
  steps = 0;
  readonly #options: CheckOptions;
  readonly #now: () => number;
  readonly #began: number;
  readonly #partitions: number;
  #decided = 0;

  constructor(options: CheckOptions, partitions: number) {
    this.#options = options;
    this.#partitions = partitions;
    this.#now = options.now ?? ((): number => performance.now());
    this.#began = options.budgetMs === undefined ? 0 : this.#now();
  }

  spend(steps: number): void {
    this.steps += steps;
  }

  /** At most so many steps, and no more than are left. */
  allow(steps: number): number {
    const { stepsMax = Infinity } = this.#options;
    return Math.max(1, Math.min(steps, stepsMax - this.steps));
  }

  /** What ran out; null: nothing did. */
  exhausted(): UnknownWhy | null {
    const { stepsMax = Infinity, budgetMs = Infinity } = this.#options;
    if (this.steps >= stepsMax) return "steps";
    if (budgetMs !== Infinity && this.#now() - this.#began >= budgetMs) return "time";
    return null;
  }

  decided(): void {
    this.#decided++;
    this.#options.onProgress?.({
      partitions: this.#partitions,
      decided: this.#decided,
      steps: this.steps,
    });
  }
}
