import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteQueue } from "../../src/testing/byte-queue.ts";
import { SeededRandom } from "@quorate/node/testing";

test("ByteQueue: gives the bytes in their order, whatever the pieces", () => {
  const random = new SeededRandom("byte queue");
  const queue = new ByteQueue();
  let put = 0;
  const taken: number[] = [];
  for (let round = 0; round < 500; round++) {
    const size = random.below(20);
    queue.push(Uint8Array.from({ length: size }, (_, offset) => (put + offset) % 256));
    put += size;
    const most = random.below(30);
    const available = put - taken.length;
    const bytes = queue.take(most);
    assert.equal(bytes.length, Math.min(most, available));
    taken.push(...bytes);
    assert.equal(queue.length, put - taken.length);
  }
  taken.push(...queue.take(Infinity));
  assert.deepEqual(
    taken,
    Array.from({ length: put }, (_, position) => position % 256),
  );
});
