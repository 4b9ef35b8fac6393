/** Breaks the sources in one place at a time, and says which check notices it. */
import { randomInt } from "node:crypto";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { MUTANTS } from "./mutants/catalogue/index.ts";
import { drawMutants, isQuick } from "./mutants/draw.ts";
import type { Mutant, Tier } from "./mutants/mutant.ts";
import { TIERS } from "./mutants/mutant.ts";
import type { Result } from "./mutants/report.ts";
import { resultLine, scoreLines, scoreOf } from "./mutants/report.ts";
import { readRules } from "./mutants/rule-tests.ts";
import type { Search } from "./mutants/try-mutant.ts";
import { tryMutant } from "./mutants/try-mutant.ts";

const HELP = `Usage: npm run mutants [-- options]

Breaks a rule of Raft, or a check of the tests, in one place of the sources (in memory, nothing on
the disk changes), and runs the simulator, or the tests that are to notice it. Each break must be
caught: exit 1 where one survives, or where its text is not in the source any more.

  --list         one line for each break; runs nothing
  --name <n>     only the break of this name, or those whose names contain it; several times
  --rule <n>     only those of one rule of docs/raft-rules.md
  --tier <t>     only those to be caught by: ${TIERS.join(", ")}
  --quick        leaves out those that take minutes, as \`npm test\` does
  --random <n>   so many of them, drawn
  --seed <n>     the dice of --random; default: any, printed
  --tests        the tests of the broken rules look for it, not the simulator
  --simulate     the simulator looks for all of them first
  --workers <n>  so many at a time; default: ${Math.min(2, availableParallelism())}
  --json         one line of JSON a break, and one for the score
  --help         this text

  npm run mutants -- --name second-vote
  npm run mutants -- --rule 17 --tests
`;

class UsageError extends Error {}

function wholeNumber(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,15}$/u.test(text))
    throw new UsageError(`--${name} takes a whole number, not ${text}`);
  return Number(text);
}

interface Selection {
  readonly names: readonly string[];
  readonly rule: number | null;
  readonly tier: Tier | null;
  readonly isQuick: boolean;
  readonly random: number | null;
  readonly seed: number | null;
}

/** A whole name means that one alone, a part of it all that have it. */
function isMeant(name: string, mutant: Mutant): boolean {
  if (MUTANTS.some((one) => one.name === name)) return mutant.name === name;
  return mutant.name.includes(name);
}

function select(selection: Selection): readonly Mutant[] {
  const { names, rule, tier, random, seed } = selection;
  const chosen = MUTANTS.filter(
    (mutant) =>
      (!selection.isQuick || isQuick(mutant)) &&
      (names.length === 0 || names.some((name) => isMeant(name, mutant))) &&
      (rule === null || mutant.rules.includes(rule)) &&
      (tier === null || mutant.tier === tier),
  );
  if (chosen.length === 0) throw new UsageError("no break fits: see --list");
  if (random === null) return chosen;
  const drawnBy = seed ?? randomInt(2 ** 32);
  process.stderr.write(`drawn with --seed ${drawnBy}\n`);
  return drawMutants(chosen, random, drawnBy);
}

function listLine({ name, tier, rules, claim }: Mutant): string {
  const kept = rules.length === 0 ? "" : `rule ${rules.join(", ")}`;
  return `${name.padEnd(44)} ${tier.padEnd(9)} ${kept.padEnd(12)} ${claim}`;
}

async function tryAll(
  mutants: readonly Mutant[],
  search: Search,
  workers: number,
  onResult: (result: Result) => void,
): Promise<Result[]> {
  const waiting = [...mutants];
  const results: Result[] = [];
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const result = { mutant, attempt: await tryMutant(mutant, search) };
      results.push(result);
      onResult(result);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return results;
}

function resultJson({ mutant, attempt }: Result): string {
  const { name, rules, file, tier } = mutant;
  return JSON.stringify({ name, rules, file, expected: tier, ...attempt });
}

function tierNamed(text: string | undefined): Tier | null {
  const tier = TIERS.find((one) => one === text) ?? null;
  if (text !== undefined && tier === null) throw new UsageError(`there is no tier "${text}"`);
  return tier;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      list: { type: "boolean", default: false },
      name: { type: "string", multiple: true, default: [] },
      rule: { type: "string" },
      tier: { type: "string" },
      quick: { type: "boolean", default: false },
      random: { type: "string" },
      seed: { type: "string" },
      tests: { type: "boolean", default: false },
      simulate: { type: "boolean", default: false },
      workers: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const mutants = select({
    names: values.name,
    rule: wholeNumber("rule", values.rule),
    tier: tierNamed(values.tier),
    isQuick: values.quick,
    random: wholeNumber("random", values.random),
    seed: wholeNumber("seed", values.seed),
  });
  if (values.list) {
    for (const mutant of mutants) process.stdout.write(`${listLine(mutant)}\n`);
    return 0;
  }
  // Nothing that was started goes on without this process.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => process.exit(130));
  const workers = wholeNumber("workers", values.workers) ?? Math.min(2, availableParallelism());
  const search = {
    simulatesAll: values.simulate,
    testsOnly: values.tests,
    rules: readRules(),
  };
  const line = values.json ? resultJson : resultLine;
  const results = await tryAll(mutants, search, Math.max(1, workers), (result) => {
    process.stdout.write(`${line(result)}\n`);
  });
  const score = scoreOf(results);
  process.stdout.write(`${values.json ? JSON.stringify(score) : scoreLines(score)}\n`);
  return score.caught === score.tried ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  if (!isUsage) throw error;
  process.stderr.write(`error: ${error.message}\n  try:  npm run mutants -- --help\n`);
  process.exitCode = 2;
}
