import type { Mutant, Tier } from "./mutant.ts";
import { TIERS } from "./mutant.ts";
import type { Attempt, Caught } from "./outcome.ts";

/** A break, and what became of it. */
export interface Result {
  readonly mutant: Mutant;
  readonly attempt: Attempt;
}

const NAME_WIDTH = 44;

/** One line: what became of it, by whom and after how long. */
export function resultLine({ mutant, attempt }: Result): string {
  const name = mutant.name.padEnd(NAME_WIDTH);
  switch (attempt.kind) {
    case "caught": {
      const { tier, by, seed, cpuMs, wallMs } = attempt;
      const where = seed === null ? by : `${by}, seed ${seed}`;
      return `caught   ${name} ${tier.padEnd(9)} ${times(cpuMs, wallMs)}  ${where}`;
    }
    case "missed":
      return `SURVIVED ${name} ${mutant.tier.padEnd(9)} ${times(attempt.cpuMs, attempt.wallMs)}  ${mutant.claim}`;
    case "unfit":
      return `UNFIT    ${name} ${attempt.why}`;
  }
}

function times(cpuMs: number, wallMs: number): string {
  return `${seconds(cpuMs)} cpu ${seconds(wallMs)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(7);
}

/** The figures of all results, for machines. */
export interface Score {
  readonly tried: number;
  readonly caught: number;
  readonly byTier: Readonly<Record<Tier, number>>;
  /** Of all that were caught: by whom it takes half of them this long, in seconds. */
  readonly medianCpuSeconds: number;
  readonly medianWallSeconds: number;
  readonly survivors: readonly string[];
  readonly unfit: readonly string[];
}

export function scoreOf(results: readonly Result[]): Score {
  const caught = results.flatMap(({ attempt }) => (attempt.kind === "caught" ? [attempt] : []));
  const named = (kind: Attempt["kind"]): string[] =>
    results.filter(({ attempt }) => attempt.kind === kind).map(({ mutant }) => mutant.name);
  const count = (tier: Tier): number => caught.filter((one) => one.tier === tier).length;
  return {
    tried: results.length,
    caught: caught.length,
    byTier: {
      unit: count("unit"),
      scenario: count("scenario"),
      simulator: count("simulator"),
      system: count("system"),
    },
    medianCpuSeconds: median(caught.map(({ cpuMs }: Caught) => cpuMs / 1000)),
    medianWallSeconds: median(caught.map(({ wallMs }: Caught) => wallMs / 1000)),
    survivors: named("missed"),
    unfit: named("unfit"),
  };
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** The score for people. */
export function scoreLines(score: Score): string {
  const { tried, caught, byTier, survivors, unfit } = score;
  const share = caught === 0 ? 0 : (100 * byTier.simulator) / caught;
  const tiers = TIERS.map((tier) => `${tier} ${byTier[tier]}`).join(", ");
  return [
    `mutants: ${caught} of ${tried} caught: ${tiers} (${share.toFixed(0)} % by the simulator)`,
    `median: ${score.medianCpuSeconds.toFixed(1)} s of processor time, ` +
      `${score.medianWallSeconds.toFixed(1)} s on the clock`,
    ...(survivors.length === 0 ? [] : [`survivors: ${survivors.join(", ")}`]),
    ...(unfit.length === 0 ? [] : [`unfit: ${unfit.join(", ")}`]),
  ].join("\n");
}
