import assert from "node:assert/strict";
import { test } from "node:test";
import { appendEntries, outputOf, ServerUnderTest } from "./server-under-test.ts";

test("Forwarded read: an answer to the process before a restart answers no later read (Diss. §6.4)", () => {
  // Two processes of one server, one after the other: all that they differ in is their dice.
  const [before, after] = [
    [0, 17],
    [0, 42],
  ].map((dice) => {
    const server = new ServerUnderTest({ currentTerm: 1, dice });
    server.receive("n2", appendEntries({ term: 1 }));
    return { server, requestId: server.core.readIndex() };
  });
  assert.ok(before !== undefined && after !== undefined);
  after.server.step(() => undefined);
  const late = {
    type: "ReadIndexReply",
    term: 1,
    requestId: before.requestId,
    readIndex: 3,
  } as const;
  assert.deepEqual(after.server.receive("n2", late), outputOf({}));
  const own = { ...late, requestId: after.requestId, readIndex: 9 };
  assert.deepEqual(after.server.receive("n2", own).readStates, [
    { requestId: after.requestId, readIndex: 9 },
  ]);
});
