// A campaign of the simulator that ends with the first fault: run by the runner, with a break in
// it, and for what it finds once more without. Prints a line of JSON for each seed that begins, and
// one for what came of it all.
import type { PlanOverrides } from "@quorate/node/testing";
import { blindSpots, Campaign, simulate } from "@quorate/node/testing";
import type { CampaignVerdict } from "./campaign-verdict.ts";
import { DIFFERENT, NOT_VACUOUS, TWICE } from "./campaign-verdict.ts";

function say(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Seeds from `from` to `to`; canaries and what needs many seeds only if it is from 1 on. */
async function firstFault(
  [from, to]: readonly [number, number],
  budgetSeconds: number,
  overrides: PlanOverrides,
): Promise<CampaignVerdict> {
  const campaign = new Campaign();
  const hashes = new Set<string>();
  const fault = (by: string, seed: number, message: string): CampaignVerdict => ({
    by,
    seed,
    message,
    seeds: campaign.seedCount,
  });
  const [blind] = from === 1 ? await blindSpots() : [];
  if (blind !== undefined) {
    // What is broken may be the nodes: then it breaks them without a canary as well.
    for (let seed = 1; seed <= TWICE; seed++) {
      const { failure } = await simulate(seed, { overrides });
      if (failure !== null) return fault(failure.invariant, seed, failure.message);
    }
    return fault("every canary is seen", 0, blind);
  }
  for (let seed = from; seed <= to && cpuSeconds() < budgetSeconds; seed++) {
    say({ seed });
    const { failure, traceHash } = await campaign.run(seed, overrides);
    if (failure !== null) return fault(failure.invariant, seed, failure.message);
    if (seed <= TWICE && (await simulate(seed, { overrides })).traceHash !== traceHash) {
      return fault("equal seeds, equal histories", seed, "it ran twice, and differently");
    }
    hashes.add(traceHash);
    if (campaign.seedCount === DIFFERENT && hashes.size === 1) {
      return fault("different seeds, different histories", seed, "all seeds gave the same");
    }
  }
  // What an aimed campaign leaves out makes nothing vacuous.
  const isWhole = Object.keys(overrides).length === 0;
  const marks = isWhole ? campaign.vacuousMarks().join(", ") : "";
  if (marks !== "") return fault(NOT_VACUOUS, campaign.seedCount, marks);
  return { by: null, seed: 0, message: "", seeds: campaign.seedCount };
}

const [, , from = "1", to = "400", budgetSeconds = "60", aim = "{}"] = process.argv;
const range = [Number(from), Number(to)] as const;
say(await firstFault(range, Number(budgetSeconds), JSON.parse(aim) as PlanOverrides));
