import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SLAB_BYTES, ValueSlabs } from "../../src/kv/value-slabs.ts";
import { StoreUnderTest, bytes, readAll, restoreInto } from "./store-under-test.ts";

/** Pairs by slot, with what each must be. */
class SlabsUnderTest {
  readonly locations = new Map<number, number>();
  readonly expected = new Map<number, Uint8Array>();
  readonly slabs: ValueSlabs = new ValueSlabs({
    locationOf: (slot) => this.locations.get(slot) ?? -1,
    moved: (slot, location) => {
      this.locations.set(slot, location);
      this.moves += 1;
    },
  });
  moves = 0;

  set(slot: number, value: Uint8Array): void {
    this.drop(slot);
    this.locations.set(slot, this.slabs.store(slot, bytes(`key ${slot}`), value));
    this.expected.set(slot, value);
  }

  drop(slot: number): void {
    const location = this.locations.get(slot);
    if (location !== undefined) this.slabs.free(location);
    this.locations.delete(slot);
    this.expected.delete(slot);
  }

  check(): void {
    for (const [slot, location] of this.locations) {
      assert.equal(Buffer.compare(this.slabs.viewAt(location), this.valueOf(slot)), 0);
      assert.ok(this.slabs.hasKey(location, bytes(`key ${slot}`)));
      assert.ok(!this.slabs.hasKey(location, bytes(`kex ${slot}`)));
    }
  }

  valueOf(slot: number): Uint8Array {
    return this.expected.get(slot) ?? new Uint8Array();
  }
}

test("ValueSlabs: every pair stays what it is while others come, go and move", () => {
  const size = fc.oneof(fc.nat(200), fc.integer({ min: 20_000, max: 100_000 }), fc.constant(0));
  const operation = fc.tuple(fc.nat(40), fc.option(size), fc.nat(255));
  fc.assert(
    fc.property(
      fc.array(operation, { minLength: 50, maxLength: 400, size: "max" }),
      (operations) => {
        const under = new SlabsUnderTest();
        for (const [slot, sizeBytes, fill] of operations) {
          if (sizeBytes === null) under.drop(slot);
          else under.set(slot, new Uint8Array(sizeBytes).fill(fill));
          under.slabs.compactStep();
        }
        under.check();
      },
    ),
    { numRuns: 20 },
  );
});

test("ValueSlabs: mostly dead slabs are emptied in steps and their memory is used again", () => {
  const under = new SlabsUnderTest();
  const value = new Uint8Array(1000).fill(7);
  for (let slot = 0; slot < 10_000; slot++) under.set(slot, value);
  const filledBytes = under.slabs.reservedBytes;
  assert.equal(filledBytes, 64 * 1024 + 10 * SLAB_BYTES, "the first is small");
  for (let slot = 0; slot < 10_000; slot++) if (slot % 10 !== 0) under.drop(slot);
  let stepMoves = 0;
  for (let step = 0; step < 2000; step++) {
    const before = under.moves;
    under.slabs.compactStep();
    stepMoves = Math.max(stepMoves, under.moves - before);
  }
  assert.ok(stepMoves > 0 && stepMoves <= 16, `${stepMoves} moves in one step`);
  assert.ok(under.slabs.reservedBytes <= 3 * SLAB_BYTES, `${under.slabs.reservedBytes} bytes`);
  under.check();
});

test("ValueSlabs: a large value has memory of its own, given back with it", () => {
  const under = new SlabsUnderTest();
  under.set(1, new Uint8Array(1024 * 1024).fill(1));
  under.set(2, new Uint8Array(100_000).fill(2));
  assert.ok(under.slabs.reservedBytes < 1024 * 1024 + 100_000 + 100);
  under.check();
  under.drop(1);
  under.drop(2);
  assert.equal(under.slabs.reservedBytes, 0);
});

test("KvStateMachine: overwriting and deleting does not make memory grow", () => {
  const store = new StoreUnderTest();
  const put = (round: number): void => {
    for (let key = 0; key < 500; key++) {
      store.put(`key ${key}`, new Uint8Array(2000 + ((key * 7 + round * 13) % 1000)).fill(round));
    }
  };
  put(0);
  const { reservedBytes } = store.machine;
  for (let round = 1; round < 20; round++) {
    put(round);
    for (let key = round; key < 500; key += 20) store.delete(`key ${key}`);
  }
  assert.ok(
    store.machine.reservedBytes <= 2.2 * reservedBytes,
    `${store.machine.reservedBytes} bytes where ${reservedBytes} were`,
  );
  const restored = new StoreUnderTest();
  restoreInto(restored.machine, readAll(store.machine.snapshot(), 10_000), 5000);
  assert.equal(restored.machine.stateHash(), store.machine.stateHash());
  assert.deepEqual(restored.machine.get(bytes("key 0")), store.machine.get(bytes("key 0")));
});
