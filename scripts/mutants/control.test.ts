import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, test } from "node:test";
import { controlSeeds, NOT_VACUOUS } from "./campaign-verdict.ts";
import { MUTANT_VARIABLE, ROOT } from "./environment.ts";
import type { Mutant } from "./mutant.ts";
import { trySimulator } from "./try-simulator.ts";
import { tryTests } from "./try-tests.ts";

// The tests of a try run in processes of their own: they are not part of this one.
delete process.env["NODE_TEST_CONTEXT"];

const folder = mkdtempSync(join(tmpdir(), "quorate-control-"));
after(() => {
  rmSync(folder, { recursive: true });
});

/** Puts a file there that loads what is broken, and then does as `text` says. */
function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, `import "./subject.ts";\nimport { test } from "node:test";\n${text}\n`);
  return path;
}

writeFileSync(join(folder, "subject.ts"), "export const answer = 42;\n");

const MUTANT: Mutant = {
  name: "another-answer",
  claim: "the answer is another",
  rules: [],
  file: relative(ROOT, join(folder, "subject.ts")),
  find: "42",
  replace: "43",
  tier: "simulator",
};

const IS_BROKEN = `process.env["${MUTANT_VARIABLE}"] !== undefined`;

/** A campaign that says that seed 7 breaks something, if `condition` holds. */
function campaign(name: string, condition: string): string {
  const fault = '{ by: "Fresh Reads", seed: 7, message: "an old value", seeds: 7 }';
  const none = '{ by: null, seed: 0, message: "", seeds: 7 }';
  return file(
    name,
    `const [from, to] = process.argv.slice(2).map(Number);
    console.log(JSON.stringify({ seed: to }));
    console.log(JSON.stringify(from <= 7 && (${condition}) ? ${fault} : ${none}));`,
  );
}

test("mutants: a seed that fails with the break alone has caught it", async () => {
  const attempt = await trySimulator(MUTANT, campaign("caught.ts", IS_BROKEN));
  assert.ok(attempt.kind === "caught", JSON.stringify(attempt));
  assert.equal(attempt.by, "Fresh Reads");
  assert.equal(attempt.seed, 7);
});

test("mutants: a seed that fails without the break as well proves nothing", async () => {
  const attempt = await trySimulator(MUTANT, campaign("anyway.ts", "true"));
  assert.deepEqual(attempt, {
    kind: "unfit",
    why: "Fresh Reads: seed 7 fails anyway: Fresh Reads an old value",
  });
});

test("mutants: a run without the break that falls over proves nothing", async () => {
  const falls = `if (!(${IS_BROKEN})) throw new Error("no such thing")`;
  const attempt = await trySimulator(
    MUTANT,
    campaign("falls.ts", `(() => { ${falls}; return true; })()`),
  );
  assert.ok(attempt.kind === "unfit", JSON.stringify(attempt));
  assert.match(attempt.why, /seed 7 fails anyway: .*no such thing/su);
});

test("mutants: the control is the seed that failed, or all if all of them have shown it", () => {
  assert.deepEqual(controlSeeds("Fresh Reads", 90), [90, 90]);
  assert.deepEqual(controlSeeds("every canary is seen", 0), [1, 0]);
  assert.deepEqual(controlSeeds("different seeds, different histories", 3), [1, 3]);
  assert.deepEqual(controlSeeds(NOT_VACUOUS, 400), [1, 400]);
});

/** Its test is green; what the test leaves behind makes the file fail, if `condition` holds. */
function leavesExitCode(name: string, condition: string) {
  const text = `test("it passes", () => { if (${condition}) process.exitCode = 3; });`;
  return [{ file: relative(ROOT, file(name, text)), name: "it passes" }];
}

test("mutants: a file that fails as a whole is run again with the tests that it ran", async () => {
  const anyway = await tryTests(MUTANT, leavesExitCode("anyway.test.ts", "true"), () => "unit");
  assert.ok(anyway.kind === "unfit", JSON.stringify(anyway));
  assert.match(anyway.why, /anyway\.test\.ts" is red anyway$/u);
  const broken = await tryTests(MUTANT, leavesExitCode("broken.test.ts", IS_BROKEN), () => "unit");
  assert.ok(broken.kind === "caught", JSON.stringify(broken));
  assert.match(broken.by, /broken\.test\.ts"$/u);
});
