import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  Campaign,
  CANARIES,
  makeSimulationFolder,
  removeOwnSimulationFolders,
  simulate,
} from "@quorate/node/testing";
import { parseArguments, UsageError } from "./arguments.ts";

const SCRIPT = join(import.meta.dirname, "..", "simulate.ts");

function start(...args: string[]) {
  const given = ["--conditions=@quorate/source", SCRIPT, ...args];
  return spawn(process.execPath, given, { stdio: ["ignore", "pipe", "pipe"] });
}

async function run(...args: string[]) {
  const child = start(...args);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  return { stdout, stderr, code };
}

interface Failed {
  readonly seed: number;
  readonly invariant: string;
  readonly lastEvents: readonly string[];
  readonly replay: string;
}

test("simulate: many seeds on several threads, two of them twice, are one JSON object", async () => {
  const { stdout, stderr, code } = await run("--seeds", "12", "--workers", "2", "--json");
  assert.equal(stderr, "", "no progress off a terminal");
  assert.equal(code, 0, stdout);
  const result = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(result["ok"], true);
  assert.equal(result["seeds"], 12);
  assert.equal(result["pairs"], 2);
  assert.deepEqual(result["unequalSeeds"], []);
  assert.deepEqual(result["failures"], []);
  assert.equal(result["canaries"], CANARIES.length);
  assert.deepEqual(result["blind"], []);
  assert.ok(Number(result["simulatedHoursPerCoreHour"]) > 0);
  const campaign = new Campaign();
  for (let seed = 1; seed <= 12; seed++) await campaign.run(seed);
  assert.equal(result["events"], campaign.eventCount, "threads change nothing about a seed");
});

test("simulate: a planted bug fails the run, and the smaller run that is found fails alike", async () => {
  const { stdout, stderr, code } = await run("--canary", "--seeds", "8", "--shrink", "--json");
  assert.equal(code, 1);
  assert.match(stderr, /seed \d+ broke "/u);
  const result = JSON.parse(stdout) as {
    readonly ok: boolean;
    readonly commit: string;
    readonly failures: readonly Failed[];
    readonly shrunk: { readonly eventCount: number; readonly replay: string };
  };
  assert.equal(result.ok, false);
  assert.notEqual(result.commit, "");
  const [first] = result.failures;
  assert.ok(first !== undefined && first.lastEvents.length > 0);
  const { failure, eventCount, traceHash } = await replay(first.replay);
  assert.equal(failure.invariant, first.invariant);
  const smaller = await replay(result.shrunk.replay);
  assert.equal(smaller.failure.invariant, first.invariant);
  assert.equal(smaller.eventCount, result.shrunk.eventCount);
  assert.ok(smaller.eventCount < eventCount, `${smaller.eventCount} of ${eventCount} events`);
  assert.notEqual(smaller.traceHash, traceHash);
});

async function replay(command: string) {
  const [prefix, args] = command.split(" -- ");
  assert.equal(prefix, "npm run simulate");
  assert.ok(args !== undefined);
  const { stdout, code } = await run(...args.split(" "), "--json");
  assert.equal(code, 1, stdout);
  return JSON.parse(stdout) as {
    readonly failure: Failed;
    readonly eventCount: number;
    readonly traceHash: string;
  };
}

test("simulate: a smaller run of a seed is the same every time", async () => {
  const args = ["--seed", "42", "--without", "drop,crash,changes", "--safety-ms", "1200"];
  const { stdout, code } = await run(...args, "--nodes", "3", "--json");
  assert.equal(code, 0, stdout);
  const { traceHash } = JSON.parse(stdout) as { readonly traceHash: string };
  const overrides = {
    without: ["drop", "crash", "changes"],
    sizes: { "safety-ms": 1200, nodes: 3 },
  } as const;
  const { coverage, traceHash: expected } = await simulate(42, { overrides });
  assert.equal(traceHash, expected);
  assert.equal(coverage.count("drops"), 0);
  assert.equal(coverage.count("configurationsEntered"), 0);
  assert.notEqual(traceHash, (await simulate(42)).traceHash);
});

test("simulate: Ctrl-C prints what was found so far and exits 130", async () => {
  const child = start("--canary", "--seeds", "100000", "--workers", "1");
  const [stdout] = [text(child.stdout)];
  await once(child.stderr, "data");
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 130);
  assert.match(await stdout, /interrupted\nFAILED/u);
});

test("simulate: Ctrl-C leaves no folder of a run that it ended", async () => {
  const parent = dirname(makeSimulationFolder());
  removeOwnSimulationFolders();
  const child = start("--storage", "sqlite", "--seeds", "100000", "--workers", "1");
  const folders = (): string[] =>
    readdirSync(parent).filter((name) => name.startsWith(`quorate-simulation-${child.pid ?? 0}-`));
  while (folders().length === 0 && child.exitCode === null) await setTimeout(20);
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 130);
  assert.deepEqual(folders(), []);
});

for (const args of [
  ["--seeds", "0"],
  ["--seeds", "many"],
  ["--minutes", "-1"],
  ["--seed", "1.5"],
  ["--seed", "1", "--seeds", "2"],
  ["--without", "gravity"],
  ["--clients", "0"],
  ["--fabric", "wool"],
  ["--storage", "paper"],
  ["--workers", ""],
  ["--fast"],
  ["stray"],
]) {
  test(`simulate: ${args.join(" ")} is not understood`, () => {
    assert.throws(() => parseArguments(args), UsageError);
  });
}

test("simulate: what is not understood ends with exit code 2", async () => {
  const { stdout, stderr, code } = await run("--minutes", "-1");
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /^error: .+\n {2}try: {2}npm run simulate -- --help\n$/u);
});
