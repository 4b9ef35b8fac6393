import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MUTANTS } from "./catalogue/index.ts";
import { ROOT } from "./environment.ts";
import { readRules, titlePattern } from "./rule-tests.ts";

const RULES = readRules();

test("mutants: each has a name of its own, and text that stands in its file exactly once", () => {
  const names = MUTANTS.map(({ name }) => name);
  assert.deepEqual(names.toSorted(), [...new Set(names)].toSorted());
  const unfit = MUTANTS.flatMap(({ name, file, find, replace }) => {
    assert.match(name, /^[a-z\d]+(?:-[a-z\d]+)*$/u);
    assert.notEqual(find, replace, name);
    const count = readFileSync(join(ROOT, file), "utf8").split(find).length - 1;
    return count === 1 ? [] : [`${name}: ${count} times in ${file}`];
  });
  assert.deepEqual(unfit, []);
});

test("mutants: every rule of docs/raft-rules.md that applies is broken by one at least", () => {
  const broken = new Set(MUTANTS.flatMap(({ rules }) => rules));
  const applicable = [...RULES.values()].filter(({ doesNotApply }) => !doesNotApply);
  assert.equal(applicable.length, 62);
  const unbroken = applicable.filter(({ number }) => !broken.has(number));
  assert.deepEqual(
    unbroken.map(({ number }) => number),
    [],
  );
  assert.deepEqual(
    [...broken].filter((number) => !RULES.has(number)),
    [],
  );
});

test("mutants: each can be caught: by the simulator, or by tests that exist", () => {
  for (const { name, tier, seeds, tests, rules } of MUTANTS) {
    const isSimulated = tier === "simulator" && seeds !== 0;
    const given = tests ?? rules.flatMap((rule) => RULES.get(rule)?.tests ?? []);
    assert.ok(isSimulated || given.length > 0, name);
    for (const { file, name: title } of tests ?? []) {
      assert.ok(existsSync(join(ROOT, file)), `${name}: ${file}`);
      if (title === undefined) continue;
      assert.ok(readFileSync(join(ROOT, file), "utf8").includes(title), `${name}: ${title}`);
    }
  }
});

test("mutants: a title stands for what its source makes of it", () => {
  const pattern = new RegExp(titlePattern("Vote: a log of [${a.join(`, `)}] is (${b}) read"), "u");
  assert.match("Vote: a log of [1, 2] is (never) read", pattern);
  assert.doesNotMatch("Vote: a log of [1, 2] is never read", pattern);
});
