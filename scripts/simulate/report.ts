import type { FailureOrigin, SeedOutcome, Shrunk, SimulationFailure } from "@quorate/node/testing";
import {
  CANARIES,
  describeFailure,
  EFFECTIVE_SEEDS_MIN,
  replayCommand,
} from "@quorate/node/testing";
import type { CampaignRun } from "./campaign-run.ts";

/** What a report tells beside the figures. */
export interface ReportContext {
  readonly from: number;
  readonly workers: number;
  readonly isInterrupted: boolean;
  readonly origin: FailureOrigin;
  /** The first failure made small, if that was asked for. */
  readonly shrunk: Shrunk | null;
  /** Canaries that the checks did not see; null: none were tried. */
  readonly blind: readonly string[] | null;
}

export function progressLine(run: CampaignRun, seeds: number | null): string {
  const { campaign, elapsedMs, remainingMs } = run;
  const { seedCount, failures } = campaign;
  const parts = [
    `${seedCount}${seeds === null ? "" : `/${seeds}`} seeds`,
    `${((seedCount / elapsedMs) * 1000).toFixed(1)}/s`,
    `${hours(campaign.simulatedMs)} simulated h`,
    `${run.speed.toFixed(0)} h per core-hour`,
    `${failures.length + run.unequalSeeds.length} failures`,
    `${remainingMs === null ? "?" : clock(remainingMs)} left`,
  ];
  return parts.join(" · ");
}

export function campaignText(run: CampaignRun, context: ReportContext): string {
  const { campaign, unequalSeeds, pairs } = run;
  const { failures, seedCount } = campaign;
  const { from, workers, isInterrupted } = context;
  const lines = [
    `seeds ${from} to ${from + seedCount - 1}, ${workers} at a time`,
    `${seedCount} seeds, ${campaign.eventCount} events, ${hours(campaign.simulatedMs)} simulated ` +
      `hours in ${seconds(run.elapsedMs)} and ${seconds(run.cpuMs)} of CPU time: ` +
      `${run.speed.toFixed(0)} simulated hours per core-hour`,
    `${pairs} seeds were run twice: ${pairs - unequalSeeds.length} gave the same history again`,
  ];
  if (context.blind !== null) lines.push(...canaryLines(context.blind));
  for (const [mark, count] of Object.entries(campaign.coverage.toJSON())) {
    lines.push(`  ${mark.padEnd(26)} ${count}`);
  }
  if (seedCount < EFFECTIVE_SEEDS_MIN) {
    lines.push(`fewer than ${EFFECTIVE_SEEDS_MIN} seeds: nobody asks that all of it happened`);
  }
  for (const seed of unequalSeeds) {
    lines.push(`seed ${seed} gave two different histories: ${replayCommand(seed, context.origin)}`);
  }
  const vacuous = run.vacuous();
  if (vacuous.length > 0) lines.push(`proves too little: never happened: ${vacuous.join(", ")}`);
  const [first, ...others] = failures;
  for (const { seed, invariant } of others) lines.push(`seed ${seed} broke "${invariant}"`);
  if (first !== undefined) lines.push(describeFailure(first.seed, first, context.origin));
  if (context.shrunk !== null && first !== undefined) {
    lines.push(shrunkText(first.seed, context.shrunk, context.origin));
  }
  if (isInterrupted) lines.push("interrupted");
  lines.push(run.holds ? "every invariant held" : "FAILED");
  return lines.join("\n");
}

function canaryLines(blind: readonly string[]): string[] {
  if (blind.length > 0) return blind.map((what) => `blind: ${what}`);
  return [`${CANARIES.length} canaries, each with one broken part: each was seen for what it is`];
}

export function campaignJson(run: CampaignRun, context: ReportContext): string {
  const { campaign, unequalSeeds, pairs } = run;
  const { from, workers, isInterrupted, origin } = context;
  const failures = campaign.failures.map((failed) => ({
    ...failed,
    replay: replayCommand(failed.seed, origin),
  }));
  return JSON.stringify({
    ok: run.holds && !isInterrupted,
    interrupted: isInterrupted,
    commit: origin.commit ?? null,
    from,
    seeds: campaign.seedCount,
    workers,
    events: campaign.eventCount,
    simulatedMs: campaign.simulatedMs,
    elapsedMs: run.elapsedMs,
    cpuMs: run.cpuMs,
    simulatedHoursPerCoreHour: run.speed,
    pairs,
    unequalSeeds,
    coverage: campaign.coverage,
    vacuous: run.vacuous(),
    canaries: context.blind === null ? 0 : CANARIES.length,
    blind: context.blind ?? [],
    failures,
    shrunk: shrunkJson(campaign.failures[0]?.seed ?? 0, context),
  });
}

export function seedText(outcome: SeedOutcome, context: ReportContext): string {
  const { seed, traceHash, eventCount, simulatedMs, coverage, failure } = outcome;
  if (failure === null) {
    return (
      `seed ${seed}: every invariant held through ${eventCount} events in ` +
      `${(simulatedMs / 1000).toFixed(3)} simulated seconds; trace ${traceHash}\n` +
      JSON.stringify(coverage)
    );
  }
  const lines = [describeFailure(seed, failure, context.origin), `trace ${traceHash}`];
  if (context.shrunk !== null) lines.push(shrunkText(seed, context.shrunk, context.origin));
  return lines.join("\n");
}

export function seedJson(outcome: SeedOutcome, context: ReportContext): string {
  const { seed, failure } = outcome;
  const replay = replayCommand(seed, context.origin);
  const commit = context.origin.commit ?? null;
  const shrunk = shrunkJson(seed, context);
  return JSON.stringify({ ok: failure === null, commit, ...outcome, replay, shrunk });
}

function shrunkText(seed: number, shrunk: Shrunk, origin: FailureOrigin): string {
  const { runs, eventCount, simulatedMs, overrides, failure } = shrunk;
  return (
    `smaller, after ${runs} runs: ${eventCount} events in ${(simulatedMs / 1000).toFixed(3)} ` +
    `simulated seconds\n${describeFailure(seed, failure, { ...origin, overrides })}`
  );
}

function shrunkJson(
  seed: number,
  { shrunk, origin }: ReportContext,
): (Shrunk & { replay: string; failure: SimulationFailure }) | null {
  if (shrunk === null) return null;
  return { ...shrunk, replay: replayCommand(seed, { ...origin, overrides: shrunk.overrides }) };
}

function hours(ms: number): string {
  return (ms / 3_600_000).toFixed(2);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function clock(ms: number): string {
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
