import type { Mutant, TestRef, Tier } from "./mutant.ts";
import type { Attempt } from "./outcome.ts";
import type { Rule } from "./rule-tests.ts";
import { trySimulator } from "./try-simulator.ts";
import { tryTests } from "./try-tests.ts";

/** Where to look for a break. */
export interface Search {
  /** The simulator looks at all of them, also at those that it is not expected to notice. */
  readonly simulatesAll: boolean;
  /** Only the tests look, the simulator at none. */
  readonly testsOnly: boolean;
  readonly rules: ReadonlyMap<number, Rule>;
}

/** Looks for `mutant` where it is to be caught, then wherever else it may be. */
export async function tryMutant(mutant: Mutant, search: Search): Promise<Attempt> {
  const isSimulated = mutant.seeds !== 0 && (mutant.tier === "simulator" || search.simulatesAll);
  if (isSimulated && !search.testsOnly) {
    const attempt = await trySimulator(mutant);
    const goesOn = attempt.kind === "missed" || (attempt.kind === "unfit" && search.simulatesAll);
    if (!goesOn) return attempt;
    const found = await tryTests(mutant, testsFor(mutant, search), tierOfTest);
    if (found.kind === "unfit") return found;
    return { ...found, wallMs: found.wallMs + wallMsOf(attempt), cpuMs: found.cpuMs };
  }
  return tryTests(mutant, testsFor(mutant, search), tierOfTest);
}

function wallMsOf(attempt: Attempt): number {
  return attempt.kind === "unfit" ? 0 : attempt.wallMs;
}

/** Its own tests, or those of its rules: fast ones first, without the seeds of the simulator. */
function testsFor({ tests, rules: numbers }: Mutant, { rules }: Search): readonly TestRef[] {
  const given = tests ?? numbers.flatMap((number) => rules.get(number)?.tests ?? []);
  const isUseful = ({ file }: TestRef): boolean => file.endsWith(".test.ts");
  const order: readonly Tier[] = ["unit", "scenario", "simulator", "system"];
  return given
    .filter(isUseful)
    .toSorted((a, b) => order.indexOf(tierOfTest(a.file)) - order.indexOf(tierOfTest(b.file)));
}

/** What kind of test a file holds. */
function tierOfTest(file: string): Tier {
  if (file.includes("/test/sim/")) return "simulator";
  if (file.includes("/test/system/")) return "system";
  return /\/test\/(?:scenarios|mit)\//u.test(file) ? "scenario" : "unit";
}
