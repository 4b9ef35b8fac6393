/** Runs the tests: many at a time first, then the system tests one by one; one count at the end. */
import { glob, rm } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { run as runTests } from "node:test";
import { spec, type TestEvent } from "node:test/reporters";
import { parseArgs } from "node:util";
import { commitSeed } from "./commit-seed.ts";

const HELP = `Usage: npm test [-- [options] [part of a path ...]]

Runs the test files whose path contains one of the given parts; without parts, all of them.

  --unit          leave out the system tests (real processes, files and timing)
  --system        only the system tests
  --long          the long form of those that have one: minutes, for figures to quote
  --name <text>   only tests whose title matches this regular expression
  --update        scenarios: what they print becomes what is expected; read the diff
  --help          this text

  npm test -- raft              the tests below a folder named raft, or of a file named so
  npm test -- --unit --name "§5.4"
  npm test -- --update scenarios
`;

/** Real processes and timing: alone on the machine, or they measure each other. */
const SYSTEM = ["packages/*/test/system/**/*.test.ts", "scripts/**/system/**/*.test.ts"];
const EVERY = ["packages/*/test/**/*.test.ts", "scripts/**/*.test.ts"];
const UNIT_CONCURRENCY = 2;
/** Half a minute and more each: begun last, they would leave one core with nothing to do. */
const LONGEST = [
  "scripts/mutants/random",
  "packages/node/test/sim/",
  "scripts/fuzz/",
  "scripts/simulate/",
];
const TEST_TIMEOUT_MS = 1_800_000;
/** What each process would compile again for itself. Emptied by each run: old sources do not stay. */
const COMPILE_CACHE = join(import.meta.dirname, "..", ".quorate", "compiled");
/** The counts of one run, as its last diagnostics say them. */
const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/u;

interface Run {
  readonly concurrency: number;
  readonly name: string | undefined;
  readonly reporter: InstanceType<typeof spec>;
  readonly counts: Map<string, number>;
  readonly ends: TestEvent[];
}

async function filesOf(patterns: string[], parts: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob(patterns, { exclude: ["**/node_modules/**"] })) files.push(file);
  const wanted = files.filter((file) => parts.length === 0 || parts.some((p) => file.includes(p)));
  const rank = (file: string): number => {
    const at = LONGEST.findIndex((part) => file.includes(part));
    return at === -1 ? LONGEST.length : at;
  };
  return wanted.sort().sort((one, other) => rank(one) - rank(other));
}

/** Runs files and hands their events on, all but the counts: those are summed up. */
async function runFiles(files: string[], run: Run): Promise<void> {
  if (files.length === 0) return;
  const { name } = run;
  const stream = runTests({
    files,
    concurrency: run.concurrency,
    timeout: TEST_TIMEOUT_MS,
    execArgv: ["--conditions=@quorate/source"],
    ...(name === undefined ? {} : { testNamePatterns: new RegExp(name, "u") }),
  });
  for await (const event of stream as AsyncIterable<TestEvent>) {
    const count = countOf(event);
    if (count !== null) run.counts.set(count.key, (run.counts.get(count.key) ?? 0) + count.value);
    else if (isEndOfRun(event)) run.ends.push(event);
    else run.reporter.write(event);
  }
}

function countOf({ type, data }: TestEvent): { key: string; value: number } | null {
  const match = type === "test:diagnostic" && data.nesting === 0 ? COUNT.exec(data.message) : null;
  const [, key, value] = match ?? [];
  return key === undefined ? null : { key, value: Number(value) };
}

/** The reporter answers this event by telling the failures again. */
function isEndOfRun({ type, data }: TestEvent): boolean {
  return type === "test:summary" && data.file === undefined;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      unit: { type: "boolean", default: false },
      system: { type: "boolean", default: false },
      long: { type: "boolean", default: false },
      update: { type: "boolean", default: false },
      name: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  // Read by the tests, which are processes of their own.
  if (values.long) process.env["QUORATE_LONG_TESTS"] = "1";
  process.env["QUORATE_POWER_SEED"] ??= commitSeed();
  if (values.update) process.env["QUORATE_UPDATE_EXPECTED"] = "1";
  const system = await filesOf(SYSTEM, positionals);
  const unit = (await filesOf(EVERY, positionals)).filter((file) => !system.includes(file));
  const [unitFiles, systemFiles] = [values.system ? [] : unit, values.unit ? [] : system];
  if (unitFiles.length + systemFiles.length === 0) {
    const why = `no test file's path contains ${positionals.join(" or ")}`;
    process.stderr.write(`error: nothing to run\n  why:  ${why}\n  try:  npm test -- --help\n`);
    return 2;
  }
  const reporter = new spec();
  reporter.pipe(process.stdout, { end: false });
  const shown = finished(reporter);
  const counts = new Map<string, number>();
  const ends: TestEvent[] = [];
  const run = { reporter, counts, ends, name: values.name };
  await rm(COMPILE_CACHE, { recursive: true, force: true });
  process.env["NODE_COMPILE_CACHE"] = COMPILE_CACHE;
  await runFiles(unitFiles, { ...run, concurrency: UNIT_CONCURRENCY });
  // The daemons of system tests start as a user's do.
  delete process.env["NODE_COMPILE_CACHE"];
  await runFiles(systemFiles, { ...run, concurrency: 1 });
  const end = ends.at(-1);
  if (end !== undefined) reporter.write(end);
  for (const [key, value] of counts) {
    const message = `${key} ${Number(value.toFixed(0))}`;
    reporter.write({ type: "test:diagnostic", data: { nesting: 0, message, level: "info" } });
  }
  reporter.end();
  await shown;
  const failed = (counts.get("fail") ?? 0) + (counts.get("cancelled") ?? 0);
  return failed === 0 && (counts.get("tests") ?? 0) > 0 ? 0 : 1;
}

process.exitCode = await main();
