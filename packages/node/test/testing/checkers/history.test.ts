import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeCommand } from "../../../src/kv/command-codec.ts";
import type { Operation } from "../../../src/testing/checkers/history.ts";
import { History } from "../../../src/testing/checkers/history.ts";
import { assertViolates } from "./violates.ts";

const key = Buffer.from("key");

function put(value: string): Uint8Array {
  return encodeCommand({ kind: "put", key, value: Buffer.from(value) });
}

function operation(command: Uint8Array | null, floor = 0): Operation {
  return { client: "c1", key, command, floor };
}

/** Three entries: a no-op, then two values of one key. */
function historyOf(...values: readonly string[]): History {
  const history = new History();
  history.entryCommitted({ index: 1, term: 1, kind: "noop", data: new Uint8Array(0) });
  for (const [offset, value] of values.entries()) {
    history.entryCommitted({ index: offset + 2, term: 1, kind: "command", data: put(value) });
  }
  return history;
}

test("History: an acknowledged write that is not in the log is caught", () => {
  const history = historyOf("a");
  history.writeAcknowledged(operation(put("a")), 2);
  assert.equal(history.floor, 2);
  assertViolates("Acknowledged Writes Survive", () => {
    history.writeAcknowledged(operation(put("b")), 3);
  });
  assertViolates("Acknowledged Writes Survive", () => {
    history.writeAcknowledged(operation(put("a")), 3);
  });
});

test("History: a write that takes effect before it was sent is caught", () => {
  const history = historyOf("a", "b");
  assertViolates("Acknowledged Writes Survive", () => {
    history.writeAcknowledged(operation(put("a"), 3), 2);
  });
});

test("History: a read that misses what was acknowledged before it is caught (Diss. §6.4)", () => {
  const history = historyOf("a", "b");
  history.writeAcknowledged(operation(put("b")), 3);
  history.readAnswered(operation(null, history.floor), 3, Buffer.from("b"));
  assertViolates("Fresh Reads", () => {
    history.readAnswered(operation(null, history.floor), 2, Buffer.from("a"));
  });
});

test("History: a read that misses what another read saw before it is caught", () => {
  const history = historyOf("a", "b");
  history.readAnswered(operation(null), 3, Buffer.from("b"));
  assertViolates("Fresh Reads", () => {
    history.readAnswered(operation(null, history.floor), 2, Buffer.from("a"));
  });
});

test("History: a read of a value that the log does not give is caught", () => {
  const history = historyOf("a");
  history.readAnswered(operation(null), 1, null);
  for (const value of [null, Buffer.from("b")]) {
    assertViolates("Fresh Reads", () => {
      history.readAnswered(operation(null), 2, value);
    });
  }
});

test("History: after a delete a key is gone", () => {
  const history = historyOf("a");
  const data = encodeCommand({ kind: "delete", key });
  history.entryCommitted({ index: 3, term: 1, kind: "command", data });
  history.readAnswered(operation(null), 3, null);
  assertViolates("Fresh Reads", () => {
    history.readAnswered(operation(null), 3, Buffer.from("a"));
  });
});

test("History: a write that was called not applied must never appear", () => {
  const before = historyOf("a");
  assertViolates("Honest Outcomes", () => {
    before.writeRefused(operation(put("a")));
  });
  const after = historyOf();
  after.writeRefused(operation(put("a")));
  assertViolates("Honest Outcomes", () => {
    after.entryCommitted({ index: 2, term: 1, kind: "command", data: put("a") });
  });
});

test("History: a write that was sent once must not be committed twice", () => {
  const history = historyOf("a");
  assertViolates("Honest Outcomes", () => {
    history.entryCommitted({ index: 3, term: 1, kind: "command", data: put("a") });
  });
});

test("History: an entry that is no command must say so on every node, and nothing else", () => {
  const history = historyOf("a");
  const nonsense = { index: 3, term: 1, kind: "command", data: Buffer.from("?") } as const;
  history.entryCommitted(nonsense);
  history.applied("n1", nonsense, { kind: "invalid", revision: 1, reason: "no command" });
  const effect = { kind: "put", revision: 2, created: false, at: { index: 3, term: 1 } } as const;
  assertViolates("Determinism", () => {
    history.applied("n2", nonsense, effect);
  });
  assertViolates("Determinism", () => {
    const invalid = { kind: "invalid", revision: 1, reason: "no command" } as const;
    history.applied("n2", { ...nonsense, index: 2 }, invalid);
  });
});

test("History: a condition holds as the log says, whatever the client was told", () => {
  const history = historyOf("a", "b");
  const commit = (index: number, value: string, ifRevision: number): void => {
    const text = Buffer.from(value);
    const data = encodeCommand({ kind: "put", key, value: text, ifRevision });
    history.entryCommitted({ index, term: 1, kind: "command", data });
  };
  commit(4, "c", 1);
  commit(5, "d", 2);
  history.conditionUnmet(operation(put("c")));
  history.writeAcknowledged(operation(put("d")), 5);
  assertViolates("Honest Outcomes", () => {
    history.conditionUnmet(operation(put("d")));
  });
  assertViolates("Acknowledged Writes Survive", () => {
    history.writeAcknowledged(operation(put("c")), 4);
  });
});

test("History: who knows that its session is over makes no change in it (Diss. §6.3)", () => {
  const history = new History();
  const commit = (index: number, value: string, clusterTimeMs: number): void => {
    const command = { kind: "put", key, value: Buffer.from(value) } as const;
    const session = { sessionId: 1, serial: index, ackedBelow: 1 };
    const data = encodeCommand(command, { clusterTimeMs, session });
    history.entryCommitted({ index, term: 1, kind: "command", data });
  };
  const open = encodeCommand(
    { kind: "openSession", ttlMs: 1000 },
    { clusterTimeMs: 1, session: null },
  );
  history.entryCommitted({ index: 1, term: 1, kind: "command", data: open });
  for (const value of ["a", "b"]) history.changesOnce(operation(put(value)));
  commit(2, "a", 1);
  assertViolates("Honest Outcomes", () => {
    history.sessionExpired(operation(put("a")));
  });
  commit(3, "b", 2000);
  assert.equal(history.sessionOverFor(operation(put("a"))), 0);
  assert.equal(history.sessionExpired(operation(put("b"))), 1);
  history.writeRefused(operation(put("b")));
  history.changesOnce(operation(put("c")), 1);
  assertViolates("Exactly Once", () => {
    commit(4, "c", 2000);
  });
});
