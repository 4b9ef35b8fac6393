import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeferredEnvelope } from "../../src/raft/index.ts";
import { Outbox } from "../../src/raft/outbox.ts";
import { appendReply } from "./server-under-test.ts";

function acknowledgement(
  parts: Partial<Parameters<typeof appendReply>[0]>,
  afterSequence = 1,
): DeferredEnvelope {
  return { to: "n2", message: appendReply({ term: 1, ...parts }), afterSequence };
}

/** What is left of two messages that wait, once their batches are handed out. */
function kept(...envelopes: readonly DeferredEnvelope[]): DeferredEnvelope[] {
  const outbox = new Outbox();
  for (const envelope of envelopes) outbox.defer(envelope);
  return outbox.takeDeferred(Number.MAX_SAFE_INTEGER);
}

test("Acknowledgements: a later one of the same write replaces the one it covers (Raft §5.3)", () => {
  const earlier = acknowledgement({ matchIndex: 4, round: 1 });
  const later = acknowledgement({ prevLogIndex: 4, matchIndex: 6, round: 1 });
  assert.deepEqual(kept(earlier, later), [later]);
});

test("Acknowledgements: one that says more in any way stays (Raft §5.3, Diss. §6.4)", () => {
  const later = acknowledgement({ matchIndex: 4, round: 3 });
  const rejection = { success: false, matchIndex: 0, prevLogIndex: 9, conflictIndex: 5 };
  for (const earlier of [
    acknowledgement({ matchIndex: 5, round: 3 }),
    acknowledgement({ matchIndex: 4, round: 4 }),
    acknowledgement(rejection),
    acknowledgement({ matchIndex: 4, round: 3, term: 2 }),
    acknowledgement({ matchIndex: 4, round: 3 }, 2),
    { ...acknowledgement({ matchIndex: 4, round: 3 }), to: "n3" },
  ]) {
    assert.deepEqual(kept(earlier, later), [earlier, later]);
  }
});

test("Waiting messages: leave with their batch, not before, each once", () => {
  const outbox = new Outbox();
  const [first, second] = [
    acknowledgement({ matchIndex: 1 }),
    acknowledgement({ matchIndex: 2 }, 2),
  ];
  outbox.defer(first);
  outbox.defer(second);
  assert.equal(outbox.isEmpty(0), true);
  assert.equal(outbox.isEmpty(1), false);
  assert.deepEqual(outbox.takeDeferred(1), [first]);
  assert.deepEqual(outbox.takeDeferred(1), []);
  assert.deepEqual(outbox.takeDeferred(2), [second]);
});
