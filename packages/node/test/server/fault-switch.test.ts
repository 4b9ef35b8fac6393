import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkFault } from "@quorate/wire";
import { FaultSwitch } from "../../src/server/fault-switch.ts";
import { silentLogger } from "../../src/server/log.ts";
import { SimClock } from "./sim-clock.ts";

const RULE: LinkFault = { peer: "n2", direction: "to", dropRate: 1, delayMs: 0 };

test("FaultSwitch: refuses after stop, and leaves no timer behind", () => {
  const clock = new SimClock();
  const applied: (readonly LinkFault[])[] = [];
  const apply = (rules: readonly LinkFault[]): void => void applied.push(rules);
  const faults = new FaultSwitch({ nodeId: "n1", clock, log: silentLogger(), apply });
  assert.equal(faults.set([RULE], 100).kind, "set");
  faults.stop();
  assert.equal(faults.set([], 0).kind, "refused");
  assert.equal(faults.set([RULE], 100).kind, "refused");
  clock.pass(1000);
  assert.deepEqual(applied, [[RULE]]);
});
