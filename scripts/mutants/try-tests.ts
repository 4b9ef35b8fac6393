import { join, resolve } from "node:path";
import { run } from "node:test";
import type { TestEvent } from "node:test/reporters";
import { ROOT, TryEnvironment } from "./environment.ts";
import type { Mutant, TestRef, Tier } from "./mutant.ts";
import type { Attempt } from "./outcome.ts";
import { attemptFrom } from "./outcome.ts";
import { titlePattern } from "./rule-tests.ts";

/** A test that takes longer with a break in it has noticed it. */
const FILE_MAX_MS = 120_000;

/** A file that has a red test goes on for so long: mostly it ends, and tells its processor time. */
const AFTER_RED_MS = 3000;

interface Red {
  readonly title: string;
  readonly message: string;
}

interface TestRun {
  readonly red: Red | null;
  readonly passed: number;
}

/**
 * Runs tests with `mutant` in what they test, until one is red. One that is red without the mutant
 * as well proves nothing.
 */
export async function tryTests(
  mutant: Mutant,
  tests: readonly TestRef[],
  tierOf: (file: string) => Tier,
): Promise<Attempt> {
  const environment = await TryEnvironment.open(mutant);
  const startedMs = performance.now();
  let passed = 0;
  try {
    for (const [file, names] of byFile(tests)) {
      const result = await runFile(file, names, environment);
      passed += result.passed;
      if (result.red === null) continue;
      const wallMs = performance.now() - startedMs;
      const proof = await environment.proof();
      const { title, message } = result.red;
      const by = `${file} "${title}"`;
      // A file that failed as a whole has no such test: what ran in it runs again.
      const again = title === file ? names : [titlePattern(title)];
      if (!(await isGreenWithout(file, again))) {
        return { kind: "unfit", why: `${by} is red anyway` };
      }
      return attemptFrom(proof, { tier: tierOf(file), by, seed: null, message, wallMs });
    }
    const wallMs = performance.now() - startedMs;
    const message = passed === 0 ? "no test has such a title" : "";
    const said = { tier: mutant.tier, by: null, seed: null, message, wallMs };
    return attemptFrom(await environment.proof(), said);
  } finally {
    await environment.close();
  }
}

/** Files in their order, each with the titles that are asked for; none: all. */
function byFile(tests: readonly TestRef[]): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, string[]>();
  for (const { file, name } of tests) {
    const names = files.get(file) ?? [];
    if (name !== undefined) names.push(titlePattern(name));
    files.set(file, names);
  }
  return files;
}

async function isGreenWithout(file: string, names: readonly string[]): Promise<boolean> {
  const environment = await TryEnvironment.open(null);
  try {
    const { red, passed } = await runFile(file, names, environment);
    return red === null && passed > 0;
  } finally {
    await environment.close();
  }
}

async function runFile(
  file: string,
  names: readonly string[],
  environment: TryEnvironment,
): Promise<TestRun> {
  const stop = new AbortController();
  const env = Object.fromEntries(
    Object.entries(environment.variables).filter(([, value]) => value !== undefined),
  );
  const stream = run({
    files: [join(ROOT, file)],
    cwd: ROOT,
    env: env as NodeJS.ProcessEnv,
    timeout: FILE_MAX_MS,
    signal: stop.signal,
    ...(names.length === 0 ? {} : { testNamePatterns: names.map((name) => new RegExp(name, "u")) }),
  });
  let red: Red | null = null;
  let passed = 0;
  for await (const { type, data } of stream as AsyncIterable<TestEvent>) {
    if (type === "test:pass" && data.skip === undefined) passed += isFile(data.name, file) ? 0 : 1;
    if (type !== "test:fail" || red !== null) continue;
    const { cause } = data.details.error;
    const message = cause instanceof Error ? cause.message : String(cause);
    red = { title: isFile(data.name, file) ? file : data.name, message: firstLine(message) };
    // What failed may leave something open that keeps its file from ending, or wait for it anew.
    setTimeout(() => stop.abort(), AFTER_RED_MS).unref();
  }
  return { red, passed };
}

function isFile(name: string, file: string): boolean {
  return resolve(ROOT, name) === join(ROOT, file);
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
