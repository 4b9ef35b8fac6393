import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { commitSeed } from "../commit-seed.ts";
import { ROOT } from "./environment.ts";

const DRAWN = 10;

test(`mutants: ${DRAWN} drawn ones are caught`, async (t) => {
  const seed = process.env["QUORATE_MUTANTS_SEED"] ?? commitSeed();
  const choice = ["--quick", "--random", String(DRAWN), "--seed", seed];
  t.diagnostic(`again: npm run mutants -- ${choice.join(" ")}`);
  // A process of its own: a test cannot run tests.
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const { promise, resolve } = Promise.withResolvers<{ code: unknown; text: string }>();
  const command = ["--conditions=@quorate/source", "scripts/mutants.ts", ...choice];
  const child = execFile(process.execPath, command, { cwd: ROOT, env }, (error, stdout, stderr) => {
    resolve({ code: error === null ? 0 : error.code, text: `${stdout}${stderr}` });
  });
  t.after(() => child.kill());
  const { code, text } = await promise;
  for (const line of text.trim().split("\n")) t.diagnostic(line);
  assert.equal(code, 0, text);
  assert.match(text, new RegExp(`^mutants: ${DRAWN} of ${DRAWN} caught`, "mu"));
});
