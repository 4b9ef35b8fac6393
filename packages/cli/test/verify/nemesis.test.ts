import assert from "node:assert/strict";
import { test } from "node:test";

import { QuorateClient } from "@quorate/wire/client";

import { ClusterWatch } from "../../src/cluster-watch.ts";
import { Availability } from "../../src/verify/availability.ts";
import { Dice } from "../../src/verify/dice.ts";
import type { FaultKind } from "../../src/verify/faults/fault-kind.ts";
import { Nemesis } from "../../src/verify/nemesis.ts";

test("nemesis: a write that was served before the fault had shown counts as the next one", async (context) => {
  const availability = new Availability(performance.now());
  const controller = new AbortController();
  const watch = new ClusterWatch({ endpoints: [], rule: "a test", cluster: null }, 1);
  const client = new QuorateClient({ endpoints: ["127.0.0.1:1"] });
  context.after(() => Promise.all([watch.close(), client.close()]));
  /** Served again while it still looks for its proof; the run ends with it. */
  const fault: FaultKind = {
    name: "quick",
    holdMs: { min: 1, max: 1 },
    isPossible: () => true,
    inject: () => {
      const callMs = performance.now();
      availability.acknowledged(callMs, callMs + 5);
      controller.abort();
      return Promise.resolve({ kind: "happened", shape: "any", nodes: [], text: "", proof: "" });
    },
    heal: () => Promise.resolve(),
  };
  const nemesis = new Nemesis({
    kinds: [fault],
    target: { nodes: [], cluster: null, allowsCuts: false, watch, client },
    dice: new Dice("1"),
    availability,
    onRecord: () => undefined,
  });
  await nemesis.run(10_000, controller.signal);
  const [record] = nemesis.records;
  assert.ok(record !== undefined && record.servedAfterMs !== null && record.servedAfterMs >= 5);
});
