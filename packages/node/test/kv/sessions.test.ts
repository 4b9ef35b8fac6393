import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntryId, SessionOperation } from "@quorate/wire";
import fc from "fast-check";
import type { KvResult } from "../../src/kv/kv-result.ts";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import { StoreUnderTest, bytes, readAll, restoreInto } from "./store-under-test.ts";

function open(store: StoreUnderTest, ttlMs = 60_000, atMs = 0): number {
  const result = store.apply({ kind: "openSession", ttlMs }, { atMs });
  assert.equal(result.kind, "sessionOpened");
  return store.index;
}

function putIn(store: StoreUnderTest, session: SessionOperation, value: string): KvResult {
  return store.apply({ kind: "put", key: bytes("k"), value: bytes(value) }, { session });
}

test("Sessions: each serial takes effect once under repeats and reordering (Diss. §6.3)", () => {
  const operation = fc.record({ serial: fc.integer({ min: 1, max: 12 }), acks: fc.nat(12) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80, size: "max" }), (operations) => {
      const store = new StoreUnderTest();
      const sessionId = open(store);
      const done = new Map<number, KvResult>();
      let ackedBelow = 0;
      for (const { serial, acks } of operations) {
        const acked = Math.min(acks, serial);
        ackedBelow = Math.max(ackedBelow, acked);
        const { revision } = store.machine;
        const result = putIn(store, { sessionId, serial, ackedBelow: acked }, `value ${serial}`);
        if (serial < ackedBelow) {
          assert.deepEqual(result, { kind: "serialDropped", revision, serial, ackedBelow });
        } else if (done.has(serial)) {
          assert.deepEqual(result, done.get(serial));
        } else {
          assert.deepEqual(result.kind, "put");
          done.set(serial, result);
        }
        assert.equal(store.machine.revision, done.size);
      }
    }),
  );
});

test("Sessions: a repeat is answered with the first response, also when that was a refusal", () => {
  const store = new StoreUnderTest();
  const sessionId = open(store);
  const session = { sessionId, serial: 1, ackedBelow: 1 };
  const change = { kind: "put", key: bytes("k"), value: bytes("v"), ifRevision: 9 } as const;
  const at = { index: 2, term: 1 };
  const refused = { kind: "conditionFailed", revision: 0, currentRevision: 0, at };
  assert.deepEqual(store.apply(change, { session }), refused);
  store.put("k", "other");
  assert.deepEqual(store.apply(change, { session }), refused);
  const gone = { kind: "delete", key: bytes("k") } as const;
  const second = { sessionId, serial: 2, ackedBelow: 1 };
  assert.deepEqual(store.apply(gone, { session: second }), {
    kind: "deleted",
    revision: 2,
    deleted: true,
    at: { index: 5, term: 1 },
  });
  assert.equal(putIn(store, second, "v").kind, "invalid");
  assert.equal(store.machine.get(bytes("k")), null);
});

test("Sessions: an unknown or closed session does nothing and says so", () => {
  const store = new StoreUnderTest();
  const session = { sessionId: 1, serial: 1, ackedBelow: 1 };
  const expired = { kind: "sessionExpired", revision: 0, sessionId: 1 };
  assert.deepEqual(putIn(store, session, "v"), expired);
  assert.deepEqual(store.apply({ kind: "keepSession", sessionId: 1 }), expired);
  const sessionId = open(store);
  const close = { kind: "closeSession", sessionId } as const;
  const closed = { kind: "sessionClosed", revision: 0, sessionId };
  assert.deepEqual(store.apply(close), { ...closed, existed: true });
  assert.deepEqual(store.apply(close), { ...closed, existed: false });
  assert.deepEqual(putIn(store, { ...session, sessionId }, "v"), { ...expired, sessionId });
  assert.equal(store.machine.keyCount, 0);
});

test("Sessions: expire by the log's clock once idle for longer than their time to live", () => {
  const store = new StoreUnderTest();
  const short = open(store, 1000, 500);
  const long = open(store, 3000, 500);
  store.apply({ kind: "keepSession", sessionId: short }, { atMs: 1500 });
  assert.equal(store.machine.sessionCount, 2);
  // A leader whose clock is behind does not turn it back.
  store.apply({ kind: "keepSession", sessionId: short }, { atMs: 700 });
  assert.equal(store.machine.clusterTimeMs, 1500);
  store.apply({ kind: "delete", key: bytes("k") }, { atMs: 2500 });
  assert.equal(store.machine.sessionCount, 2);
  store.apply({ kind: "delete", key: bytes("k") }, { atMs: 2501 });
  assert.equal(store.machine.sessionCount, 1);
  assert.equal(
    store.apply({ kind: "keepSession", sessionId: short }, { atMs: 2502 }).kind,
    "sessionExpired",
  );
  assert.equal(
    store.apply({ kind: "keepSession", sessionId: long }, { atMs: 3500 }).kind,
    "sessionKept",
  );
});

test("Sessions: keep 64 responses, refuse a further serial, and drop what is acknowledged", () => {
  const store = new StoreUnderTest();
  const sessionId = open(store);
  for (let serial = 1; serial <= 64; serial++) {
    assert.equal(putIn(store, { sessionId, serial, ackedBelow: 1 }, "v").kind, "put");
  }
  const { revision } = store.machine;
  const full = { kind: "sessionFull", revision, outstanding: 64 };
  assert.deepEqual(putIn(store, { sessionId, serial: 65, ackedBelow: 1 }, "v"), full);
  assert.equal(putIn(store, { sessionId, serial: 64, ackedBelow: 1 }, "v").kind, "put");
  assert.equal(store.machine.revision, revision);
  assert.equal(putIn(store, { sessionId, serial: 65, ackedBelow: 2 }, "v").kind, "put");
  assert.equal(store.machine.revision, revision + 1);
});

test("Sessions: the 10,001st ends the one that was idle for longest, also after a restore", () => {
  const store = new StoreUnderTest();
  for (let count = 0; count < 10_000; count++) open(store);
  store.apply({ kind: "keepSession", sessionId: 1 });
  const restored = new StoreUnderTest();
  restoreInto(restored.machine, readAll(store.machine.snapshot(), 50_000), 100_000);
  restored.index = store.index;
  for (const one of [store, restored]) {
    open(one);
    assert.equal(one.machine.sessionCount, 10_000);
    assert.equal(one.apply({ kind: "keepSession", sessionId: 1 }).kind, "sessionKept");
    assert.equal(one.apply({ kind: "keepSession", sessionId: 2 }).kind, "sessionExpired");
    assert.equal(one.apply({ kind: "keepSession", sessionId: 3 }).kind, "sessionKept");
  }
  assert.equal(restored.machine.stateHash(), store.machine.stateHash());
});

test("Sessions: the hash sees a session, its clock and its responses", () => {
  const hashOf = (...steps: readonly ((store: StoreUnderTest) => void)[]): string => {
    const store = new StoreUnderTest();
    for (const one of steps) one(store);
    return store.machine.stateHash();
  };
  const opened = (store: StoreUnderTest): void => void open(store);
  const put = (serial: number) => (store: StoreUnderTest) => {
    putIn(store, { sessionId: 1, serial, ackedBelow: 0 }, "v");
  };
  const tick = (store: StoreUnderTest): void => {
    store.apply({ kind: "delete", key: bytes("x") }, { atMs: 1 });
  };
  const hashes = [
    hashOf(),
    hashOf(opened),
    hashOf(opened, tick),
    hashOf(opened, put(1)),
    hashOf(opened, put(2)),
    hashOf(opened, put(1), put(1)),
  ];
  assert.equal(new Set(hashes).size, hashes.length);
  const close = (store: StoreUnderTest): void => {
    store.apply({ kind: "closeSession", sessionId: 1 });
  };
  assert.equal(hashOf(opened, close), new KvStateMachine().stateHash());
});

test("Conditions: a change happens only at the revision that it names, 0 being none", () => {
  const store = new StoreUnderTest();
  const put = (ifRevision: number): KvResult =>
    store.apply({ kind: "put", key: bytes("k"), value: bytes("v"), ifRevision });
  const del = (ifRevision: number): KvResult =>
    store.apply({ kind: "delete", key: bytes("k"), ifRevision });
  const here = (): { at: EntryId } => ({ at: { index: store.index, term: 1 } });
  const failed = (revision: number, currentRevision: number): KvResult => {
    return { kind: "conditionFailed", revision, currentRevision, ...here() };
  };
  assert.deepEqual(put(1), failed(0, 0));
  assert.deepEqual(del(1), failed(0, 0));
  assert.deepEqual(put(0), { kind: "put", revision: 1, created: true, ...here() });
  assert.deepEqual(put(0), failed(1, 1));
  assert.deepEqual(put(1), { kind: "put", revision: 2, created: false, ...here() });
  assert.deepEqual(del(1), failed(2, 2));
  assert.deepEqual(del(2), { kind: "deleted", revision: 3, deleted: true, ...here() });
  assert.deepEqual(del(0), { kind: "deleted", revision: 3, deleted: false, ...here() });
});
