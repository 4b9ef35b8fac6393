import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS } from "./fault-kinds.ts";
import { FAULT_KINDS } from "./faults/fault.ts";
import { readOptions, UsageError } from "./options.ts";

test("chaos options: without any, five minutes of everything on five nodes", () => {
  const options = readOptions([]);
  assert.equal(options?.durationMs, 300_000);
  assert.equal(options.nodes, 5);
  assert.deepEqual(options.faults, [...FAULT_KINDS]);
  assert.equal(options.keep, null);
});

test("chaos options: what is no number in range, and what is no kind, is refused by name", () => {
  for (const [args, message] of [
    [["--minutes", "soon"], /--minutes is soon/u],
    [["--minutes", "0"], /--minutes is 0/u],
    [["--nodes", "2"], /--nodes is 2, not a whole number from 3 to 9/u],
    [["--clients", "0"], /--clients is 0/u],
    [["--faults", "kill,flood"], /"flood" is none of kill, pause/u],
  ] as const) {
    assert.throws(
      () => readOptions(args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  }
});

test("chaos: every kind that can be asked for has a fault, and no two faults have one name", () => {
  assert.deepEqual([...new Set(FAULTS.map(({ kind }) => kind))].toSorted(), FAULT_KINDS.toSorted());
  const names = FAULTS.map(({ kind, shape }) => `${kind} ${shape}`);
  assert.equal(new Set(names).size, names.length);
});
