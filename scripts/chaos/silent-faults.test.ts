import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS } from "./fault-kinds.ts";
import { silentFaults } from "./silent-faults.ts";

const PAUSES = FAULTS.filter(({ kind }) => kind === "pause");
const [one, leader] = PAUSES;
assert.ok(one !== undefined && leader !== undefined);

const fired = { kind: "fired", effect: "" } as const;
const idle = { kind: "idle", why: "" } as const;

test("chaos: a kind is silent until one of its shapes has taken effect", () => {
  assert.deepEqual(silentFaults(PAUSES, []).ofSilentKinds, PAUSES);
  const records = [{ fault: leader, outcome: idle }];
  assert.deepEqual(silentFaults(PAUSES, records).ofSilentKinds, PAUSES);
  const seen = silentFaults(PAUSES, [...records, { fault: one, outcome: fired }]);
  assert.deepEqual(seen, { ofSilentKinds: [], shapes: [] });
});

test("chaos: a shape that is done three times without effect is silent, whatever others do", () => {
  const miss = { fault: leader, outcome: idle };
  const hit = { fault: one, outcome: fired };
  assert.deepEqual(silentFaults(PAUSES, [hit, miss, miss]).shapes, []);
  assert.deepEqual(silentFaults(PAUSES, [miss, hit, miss, miss]).shapes, [leader]);
  const late = { fault: leader, outcome: fired };
  assert.deepEqual(silentFaults(PAUSES, [hit, miss, miss, miss, late]).shapes, []);
});
