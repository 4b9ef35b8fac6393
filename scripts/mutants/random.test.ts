import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { MUTANTS } from "./catalogue/index.ts";
import { drawMutants, isQuick } from "./draw.ts";
import { resultLine, scoreLines, scoreOf } from "./report.ts";
import type { Result } from "./report.ts";
import { readRules } from "./rule-tests.ts";
import { tryMutant } from "./try-mutant.ts";

const DRAWN = 10;

test(`mutants: ${DRAWN} drawn ones are caught`, async (t) => {
  const seed = Number(process.env["QUORATE_MUTANTS_SEED"] ?? randomInt(2 ** 32));
  t.diagnostic(`again: npm run mutants -- --quick --random ${DRAWN} --seed ${seed}`);
  const drawn = drawMutants(MUTANTS.filter(isQuick), DRAWN, seed);
  const search = { simulatesAll: false, testsOnly: false, rules: readRules() };
  const results: Result[] = [];
  for (const mutant of drawn) {
    const result = { mutant, attempt: await tryMutant(mutant, search) };
    results.push(result);
    t.diagnostic(resultLine(result));
  }
  const score = scoreOf(results);
  t.diagnostic(scoreLines(score));
  assert.deepEqual([...score.survivors, ...score.unfit], []);
  assert.equal(score.caught, DRAWN);
});
