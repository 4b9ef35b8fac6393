import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import type { KvCommand } from "../../src/kv/kv-command.ts";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import { KvSnapshotError } from "../../src/kv/snapshot-error.ts";
import type { StateSnapshot } from "../../src/ports/state-machine.ts";
import { InvariantError } from "../../src/raft/index.ts";
import { StoreUnderTest, bytes, readAll, restoreInto } from "./store-under-test.ts";

type Step =
  | { readonly kind: "apply"; readonly command: KvCommand; readonly serial: number | null }
  | { readonly kind: "begin" }
  | { readonly kind: "release" }
  | { readonly kind: "read"; readonly maxBytes: number };

const KEYS: readonly string[] = "abcdefghijkl".split("");
const keyText = fc.constantFrom(...KEYS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(keyText, fc.nat(40), fc.nat(255), fc.option(fc.integer({ min: 1, max: 5 })))
      .map(([key, length, fill, serial]): Step => {
        const value = new Uint8Array(length).fill(fill);
        return { kind: "apply", command: { kind: "put", key: bytes(key), value }, serial };
      }),
  },
  {
    weight: 6,
    arbitrary: keyText.map((key): Step => {
      return { kind: "apply", command: { kind: "delete", key: bytes(key) }, serial: null };
    }),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom("keepSession", "closeSession"), fc.integer({ min: 1, max: 30 }))
      .map(([kind, sessionId]): Step => {
        return { kind: "apply", command: { kind, sessionId }, serial: null };
      }),
  },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 1000, max: 1100 }).map((ttlMs): Step => {
      return { kind: "apply", command: { kind: "openSession", ttlMs }, serial: null };
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "begin" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "release" }) },
  {
    weight: 8,
    arbitrary: fc.integer({ min: 1, max: 150 }).map((maxBytes): Step => {
      return { kind: "read", maxBytes };
    }),
  },
);

/** What a state can be asked, of every key that the steps use. */
function contentsOf(machine: KvStateMachine): unknown {
  const { revision, keyCount, sessionCount, clusterTimeMs, payloadBytes } = machine;
  const records = KEYS.map((key) => machine.get(bytes(key)));
  const hash = machine.stateHash();
  return { revision, keyCount, sessionCount, clusterTimeMs, payloadBytes, hash, records };
}

interface OpenSnapshot {
  readonly snapshot: StateSnapshot;
  readonly contents: unknown;
  readonly pieces: Uint8Array[];
}

function checkRestored({ snapshot, contents, pieces }: OpenSnapshot): void {
  const stream = Buffer.concat([...pieces, readAll(snapshot)]);
  const restored = new KvStateMachine();
  restoreInto(restored, stream);
  assert.deepEqual(contentsOf(restored), contents);
}

test("KvSnapshot: is the state of its beginning, whatever is applied while it is read (§7)", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: "max" }), (steps) => {
      const store = new StoreUnderTest();
      let open: OpenSnapshot | null = null;
      let atMs = 0;
      for (const one of steps) {
        if (one.kind === "apply") {
          atMs += 40;
          const session =
            one.serial === null ? null : { sessionId: 1, serial: one.serial, ackedBelow: 1 };
          store.apply(one.command, { session, atMs });
        } else if (one.kind === "begin") {
          if (open !== null) checkRestored(open);
          const contents = contentsOf(store.machine);
          open = { snapshot: store.machine.snapshot(), contents, pieces: [] };
        } else if (one.kind === "release") {
          open?.snapshot.release();
          open = null;
        } else if (one.kind === "read") {
          const piece = open?.snapshot.read(one.maxBytes) ?? null;
          if (piece !== null) open?.pieces.push(piece.slice());
        }
      }
      const contents = contentsOf(store.machine);
      if (open !== null) checkRestored(open);
      assert.deepEqual(contentsOf(store.machine), contents);
    }),
    { numRuns: 200 },
  );
});

function smallStore(): StoreUnderTest {
  const store = new StoreUnderTest();
  store.put("a", "one");
  store.apply({ kind: "openSession", ttlMs: 5000 }, { atMs: 10 });
  const session = { sessionId: 2, serial: 1, ackedBelow: 1 };
  store.apply({ kind: "put", key: bytes("b"), value: bytes("two") }, { session, atMs: 20 });
  store.delete("a");
  store.put("c", "");
  return store;
}

test("KvSnapshot: a restored store goes on exactly as the one it was taken of", () => {
  const store = smallStore();
  const restored = new StoreUnderTest();
  restoreInto(restored.machine, readAll(store.machine.snapshot()));
  restored.index = store.index;
  assert.equal(restored.machine.stateHash(), store.machine.stateHash());
  for (const one of [store, restored]) {
    const session = { sessionId: 2, serial: 1, ackedBelow: 1 };
    const again = one.apply({ kind: "put", key: bytes("b"), value: bytes("two") }, { session });
    const at = { index: 3, term: 1 };
    assert.deepEqual(again, { kind: "put", revision: 2, created: true, at });
    one.apply({ kind: "keepSession", sessionId: 9 }, { atMs: 5021 });
    assert.equal(one.machine.sessionCount, 0);
    one.put("c", "three");
  }
  assert.equal(restored.machine.stateHash(), store.machine.stateHash());
});

test("KvRestorer: a stream that is changed at any byte is refused, and the state stays", () => {
  const stream = readAll(smallStore().machine.snapshot());
  const target = new StoreUnderTest();
  target.put("old", "state");
  const before = target.machine.stateHash();
  for (let at = 0; at < stream.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = Buffer.from(stream);
      damaged[at] = (damaged[at] ?? 0) ^ flip;
      assert.throws(() => {
        restoreInto(target.machine, damaged);
      }, KvSnapshotError);
    }
  }
  assert.equal(target.machine.stateHash(), before);
  assert.equal(target.machine.get(bytes("old"))?.version, 1);
});

test("KvRestorer: a state that is not the one that was written is refused, sound as its bytes are", () => {
  const stream = Buffer.from(readAll(smallStore().machine.snapshot(), 1));
  const [head, hash] = [stream.subarray(-41, -33), stream.subarray(-16)];
  assert.equal(head.readUInt32BE(0), 33, "the trailer is a block of its own");
  hash.write(hash.toString("latin1") === "0".repeat(16) ? "1".repeat(16) : "0".repeat(16));
  head.writeUInt32BE(crc32(stream.subarray(-33)), 4);
  assert.throws(() => {
    restoreInto(new KvStateMachine(), stream);
  }, /does not have its hash/u);
});

test("KvRestorer: a session that was active after the state's last command is refused", () => {
  const stream = Buffer.from(readAll(smallStore().machine.snapshot()));
  const [head, header] = [stream.subarray(8, 16), stream.subarray(16, 41)];
  assert.equal(head.readUInt32BE(0), 25, "the header is a block of its own");
  assert.equal(header.readBigUInt64BE(17), 5n);
  header.writeBigUInt64BE(2n, 17);
  head.writeUInt32BE(crc32(header), 4);
  assert.throws(() => {
    restoreInto(new KvStateMachine(), stream);
  }, /a session was active after its last command/u);
});

test("KvRestorer: a stream that ends early, or goes on after its end, is refused", () => {
  const stream = readAll(smallStore().machine.snapshot());
  const machine = new KvStateMachine();
  const refusedAs = (bad: Uint8Array): string => {
    try {
      restoreInto(machine, bad);
      return "not at all";
    } catch (error) {
      return error instanceof KvSnapshotError ? error.code : String(error);
    }
  };
  for (let end = 0; end < stream.length; end++) {
    assert.equal(refusedAs(stream.subarray(0, end)), "truncated", `${end} bytes`);
  }
  for (const tail of [Buffer.of(0), Buffer.alloc(8), stream]) {
    assert.notEqual(refusedAs(Buffer.concat([stream, tail])), "not at all");
  }
  assert.equal(refusedAs(Buffer.from("SQLite format 3\0")), "foreign");
  const newer = Buffer.from(stream);
  newer.writeUInt32BE(3, 4);
  assert.equal(refusedAs(newer), "unsupportedVersion");
  assert.equal(refusedAs(stream), "not at all");
  assert.equal(machine.keyCount, 2);
});

const GOLDEN: string =
  "514b5653000000020000001956f64d64010000000000000001000000000000000600000000000000" +
  "020000009527bc5c6f03000000000000000100000000000003e80000000000000002000000000000" +
  "00060000000000000000010000000000000001010000000000000001000000000000000100000000" +
  "00000002000000000000000102000100000001000000000000000100000000000000010000000000" +
  "0000016b76040000000000000001000000000000000166323832313732663337353331653135";

test("KvSnapshot: golden bytes of format 2, as they lie in snapshot files", () => {
  const store = new StoreUnderTest();
  store.apply({ kind: "openSession", ttlMs: 1000 }, { atMs: 5 });
  const session = { sessionId: 1, serial: 1, ackedBelow: 0 };
  store.apply({ kind: "put", key: bytes("k"), value: bytes("v") }, { session, atMs: 6 });
  const stream = readAll(store.machine.snapshot(), 10_000);
  assert.equal(stream.toString("hex"), GOLDEN);
  const restored = new KvStateMachine();
  restoreInto(restored, Buffer.from(GOLDEN, "hex"));
  assert.deepEqual(restored.get(bytes("k"))?.value, bytes("v"));
});

test("KvSnapshot: a piece is about as large as asked for, and no more garbage than one", () => {
  const store = new StoreUnderTest();
  for (let number = 0; number < 200; number++) store.put(`key ${number}`, "v".repeat(number));
  const snapshot = store.machine.snapshot();
  const memories = new Set<unknown>();
  let pieces = 0;
  for (let piece = snapshot.read(500); piece !== null; piece = snapshot.read(500)) {
    assert.ok(piece.length > 0 && piece.length < 500 + 300);
    store.put(`key ${piece.length % 200}`, "other");
    memories.add(piece.buffer);
    pieces += 1;
  }
  // The preamble's, the first one's, and what a last record made larger.
  assert.ok(pieces > 20 && memories.size <= 3, `${memories.size} buffers for ${pieces} pieces`);
});

test("KvSnapshot: one at a time, and after its release the next", () => {
  const { machine } = smallStore();
  const first = machine.snapshot();
  assert.throws(() => machine.snapshot(), InvariantError);
  first.release();
  first.release();
  assert.equal(first.read(10), null);
  machine.snapshot().release();
});
