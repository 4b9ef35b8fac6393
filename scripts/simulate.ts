/** Runs the deterministic simulator: many seeds, or one again. */
import { parseArgs } from "node:util";
import { Campaign, describeFailure, simulate } from "@quorate/node/testing";

const HELP = `Usage: npm run simulate -- [options]

Runs whole clusters in simulated time, with faults, and checks every invariant after every event.

  --seeds <n>     run this many seeds (default: 1000)
  --minutes <n>   run seeds for this long instead
  --from <n>      the first seed (default: 1; with --minutes, taken from the clock)
  --seed <n>      run one seed
  --verbose       with --seed: print every event
  --json          print the result as one JSON object
  --help          this text

Exits 0 when everything holds, 1 when an invariant broke, when a seed that was run twice gave two
histories, or when a kind of fault never happened; 2 when it does not understand its arguments.
`;

/** Every this many seeds, one is run twice: equal seeds must give equal histories. */
const TWICE_EVERY = 100;
const PROGRESS_INTERVAL_MS = 250;

interface Figures {
  readonly campaign: Campaign;
  readonly unequalSeeds: readonly number[];
  readonly elapsedMs: number;
}

class UsageError extends Error {}

function wholeNumber(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new UsageError(`--${name} is ${text}, not a whole number`);
  }
  return value;
}

async function runSeeds(from: number, goesOn: (count: number) => boolean): Promise<Figures> {
  const campaign = new Campaign();
  const unequalSeeds: number[] = [];
  const startMs = performance.now();
  let shownMs = 0;
  for (let seed = from; goesOn(campaign.seedCount) && campaign.firstFailure === null; seed++) {
    const { traceHash } = await campaign.run(seed);
    const isTwice = (campaign.seedCount - 1) % TWICE_EVERY === 0;
    if (isTwice && (await simulate(seed)).traceHash !== traceHash) unequalSeeds.push(seed);
    const nowMs = performance.now();
    if (process.stderr.isTTY && nowMs - shownMs >= PROGRESS_INTERVAL_MS) {
      shownMs = nowMs;
      process.stderr.write(`\r${rates({ campaign, unequalSeeds, elapsedMs: nowMs - startMs })}   `);
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  return { campaign, unequalSeeds, elapsedMs: performance.now() - startMs };
}

function rates({ campaign, elapsedMs }: Figures): string {
  const hoursPerHour = campaign.simulatedMs / elapsedMs;
  const eventsPerSecond = (campaign.eventCount / elapsedMs) * 1000;
  return (
    `${campaign.seedCount} seeds, ${campaign.eventCount} events, ` +
    `${(campaign.simulatedMs / 60_000).toFixed(1)} simulated minutes in ` +
    `${(elapsedMs / 1000).toFixed(1)} s: ${hoursPerHour.toFixed(0)} simulated hours per ` +
    `core-hour, ${eventsPerSecond.toFixed(0)} events a second`
  );
}

function report(from: number, figures: Figures): string {
  const { campaign, unequalSeeds } = figures;
  const last = from + campaign.seedCount - 1;
  const lines = [`seeds ${from} to ${last}`, rates(figures)];
  for (const [mark, count] of Object.entries(campaign.coverage.toJSON())) {
    lines.push(`  ${mark.padEnd(24)} ${count}`);
  }
  for (const seed of unequalSeeds) lines.push(`seed ${seed} gave two different histories`);
  const vacuous = campaign.vacuousMarks();
  if (vacuous.length > 0) lines.push(`proves too little: never happened: ${vacuous.join(", ")}`);
  const { firstFailure } = campaign;
  if (firstFailure !== null) lines.push(describeFailure(firstFailure.seed, firstFailure));
  lines.push(holds(figures) ? "every invariant held" : "FAILED");
  return lines.join("\n");
}

function reportJson(from: number, figures: Figures): string {
  const { campaign, unequalSeeds, elapsedMs } = figures;
  const { firstFailure } = campaign;
  return JSON.stringify({
    ok: holds(figures),
    from,
    seeds: campaign.seedCount,
    events: campaign.eventCount,
    simulatedMs: campaign.simulatedMs,
    elapsedMs,
    simulatedHoursPerCoreHour: campaign.simulatedMs / elapsedMs,
    coverage: campaign.coverage,
    vacuous: campaign.vacuousMarks(),
    unequalSeeds,
    failure: firstFailure === null ? null : { ...firstFailure, cause: undefined },
  });
}

function holds({ campaign, unequalSeeds }: Figures): boolean {
  const isEffective = campaign.vacuousMarks().length === 0;
  return campaign.firstFailure === null && isEffective && unequalSeeds.length === 0;
}

async function replay(
  seed: number,
  { verbose, json }: { verbose: boolean; json: boolean },
): Promise<number> {
  const onEvent = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const result = await simulate(seed, verbose ? { onEvent } : {});
  const { traceHash, eventCount, simulatedMs, coverage, failure } = result;
  if (json) {
    const shown = failure === null ? null : { ...failure, cause: undefined };
    process.stdout.write(`${JSON.stringify({ ...result, failure: shown })}\n`);
  } else if (failure !== null) {
    process.stdout.write(`${describeFailure(seed, failure)}\n`);
  } else {
    process.stdout.write(
      `seed ${seed}: every invariant held through ${eventCount} events in ` +
        `${(simulatedMs / 1000).toFixed(3)} simulated seconds; trace ${traceHash}\n` +
        `${JSON.stringify(coverage)}\n`,
    );
  }
  return failure === null ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      minutes: { type: "string" },
      from: { type: "string" },
      seed: { type: "string" },
      verbose: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seed = wholeNumber("seed", values.seed);
  if (seed !== null) return replay(seed, values);
  if (values.verbose) throw new UsageError("--verbose goes with --seed");
  const minutes = wholeNumber("minutes", values.minutes);
  const seeds = wholeNumber("seeds", values.seeds) ?? 1000;
  const from = wholeNumber("from", values.from) ?? (minutes === null ? 1 : Date.now());
  const endMs = performance.now() + (minutes ?? 0) * 60_000;
  const figures = await runSeeds(from, (count) =>
    minutes === null ? count < seeds : performance.now() < endMs,
  );
  process.stdout.write(`${values.json ? reportJson(from, figures) : report(from, figures)}\n`);
  return holds(figures) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  if (!isUsage) throw error;
  process.stderr.write(`error: ${error.message}\n  try:  npm run simulate -- --help\n`);
  process.exitCode = 2;
}
