import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keyHash } from "../../src/kv/key-hash.ts";
import { KeyIndex } from "../../src/kv/key-index.ts";

test("KeyIndex: finds what is in it and nothing else, also where hashes collide", () => {
  // Few different hashes, all in one shard: long runs, wrapped around the end of the table.
  const hashes = fc.array(fc.constantFrom(0, 0x100, 0x3e00, 0x3f00, 0xffffff00), {
    minLength: 30,
    maxLength: 30,
  });
  fc.assert(
    fc.property(
      hashes,
      fc.array(fc.nat(29), { maxLength: 200, size: "max" }),
      (hashOf, toggles) => {
        const present = new Set<number>();
        const index = new KeyIndex((slot, key) => slot === key[0]);
        for (const slot of toggles) {
          const hash = hashOf[slot] ?? 0;
          if (present.delete(slot)) {
            index.remove(slot, hash);
          } else {
            present.add(slot);
            index.add(slot, hash);
          }
        }
        for (const [slot, hash] of hashOf.entries()) {
          assert.equal(index.find(Uint8Array.of(slot), hash), present.has(slot) ? slot : -1);
        }
      },
    ),
  );
});

test("KeyIndex: grows", () => {
  const index = new KeyIndex((slot, key) => slot === new DataView(key.buffer).getUint32(0));
  const keys = Array.from({ length: 50_000 }, (_, slot) => {
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, slot);
    return key;
  });
  for (const [slot, key] of keys.entries()) index.add(slot, keyHash([1, 2], key));
  for (const [slot, key] of keys.entries()) {
    assert.equal(index.find(key, keyHash([1, 2], key)), slot);
  }
  assert.ok(index.reservedBytes < 50_000 * 8 * 3);
});

test("keyHash: depends on every byte, the length and the seed, and spreads evenly", () => {
  const hashes = new Set<number>();
  for (let length = 0; length <= 40; length++) {
    hashes.add(keyHash([1, 2], new Uint8Array(length)));
    hashes.add(keyHash([3, 2], new Uint8Array(length)));
    for (let at = 0; at < length; at++) {
      const key = new Uint8Array(length);
      key[at] = 1;
      hashes.add(keyHash([1, 2], key));
    }
  }
  assert.equal(hashes.size, 2 * 41 + (40 * 41) / 2);
  const shards = new Uint32Array(256);
  for (let number = 0; number < 25_600; number++) {
    const shard = keyHash([5, 6], Buffer.from(`user/${number}`)) & 0xff;
    shards[shard] = (shards[shard] ?? 0) + 1;
  }
  assert.ok(Math.max(...shards) < 150 && Math.min(...shards) > 55);
});
