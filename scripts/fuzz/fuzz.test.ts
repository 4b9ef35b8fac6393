import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { commitSeed } from "../commit-seed.ts";
import { parseArguments, UsageError } from "./arguments.ts";
import { describeFinding } from "./report.ts";
import { FuzzSession, tryInput } from "./session.ts";
import { FUZZ_VECTORS } from "./vectors.ts";

/** Half a minute with inputs that are always the same, and half a minute with new ones. */
const HALF_MS = 30_000;
const FIXED_SEED = "1";

for (const seed of [FIXED_SEED, commitSeed()]) {
  const title = seed === FIXED_SEED ? "the inputs of every run" : `new inputs, seed ${seed}`;
  test(`fuzz: nothing breaks, ${HALF_MS / 1000} s, ${title}`, async (t) => {
    const session = new FuzzSession({ seed, workers: 1, targets: null, onFinding: () => {} });
    await session.run(HALF_MS);
    const { findings } = session;
    assert.equal(findings.length, 0, findings.map((each) => describeFinding(each)).join("\n\n"));
    assert.deepEqual(session.idle(), [], "every target accepted something");
    const figures = session.figures();
    assert.ok(figures.size >= 15, `${figures.size} targets`);
    const counts = [...figures].map(([name, { executions }]) => `${name} ${executions}`);
    t.diagnostic(counts.join(", "));
  });
}

for (const { target, was, input } of FUZZ_VECTORS) {
  test(`fuzz: ${target} bears what it once did not: ${was}`, async () => {
    const finding = await tryInput(target, new Uint8Array(Buffer.from(input, "hex")));
    if (finding !== null) assert.fail(describeFinding(finding));
  });
}

const SCRIPT = join(import.meta.dirname, "..", "fuzz.ts");

async function run(...args: string[]) {
  const given = ["--conditions=@quorate/source", SCRIPT, ...args];
  const child = spawn(process.execPath, given, { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  return { stdout, stderr, code };
}

test("fuzz: one input is tried again by its command", async () => {
  const { stdout, code } = await run("--target", "hellos", "--input", "91");
  assert.equal(stdout, "hellos: nothing breaks\n");
  assert.equal(code, 0);
});

test("fuzz: a target that there is not is not understood", async () => {
  const args = ["--target", "everything", "--minutes", "0.05", "--json"];
  const { stdout, code } = await run(...args);
  assert.equal(code, 2, stdout);
});

for (const args of [
  ["--minutes", "0"],
  ["--minutes", "soon"],
  ["--input", "00"],
  ["--target", "frames", "--input", "0"],
  ["--target", "frames", "--input", "@/nowhere"],
  ["--fast"],
]) {
  test(`fuzz: ${args.join(" ")} is not understood`, () => {
    assert.throws(() => parseArguments(args), UsageError);
  });
}

test("fuzz: an input that never ends is named, and its thread is ended", async () => {
  const found: string[] = [];
  const session = new FuzzSession({
    seed: "hang",
    workers: 1,
    targets: null,
    targetsModule: new URL("./hanging-targets.ts", import.meta.url).href,
    hangMs: 2000,
    onFinding: ({ target, what, input }) => {
      found.push(`${target} ${what}: ${Buffer.from(input).toString("hex")}`);
    },
  });
  await session.run(120_000);
  assert.deepEqual(found, ["hanging does not end within 2 s: 0701"]);
});

test("fuzz: Ctrl-C prints what was tried so far and exits 130", async () => {
  const args = ["--conditions=@quorate/source", SCRIPT, "--workers", "1"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const stdout = text(child.stdout);
  await once(child.stderr, "data");
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 130);
  assert.match(await stdout, /interrupted\n(?:nothing broke|\d+ findings)\n$/u);
});
