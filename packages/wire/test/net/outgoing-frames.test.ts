import assert from "node:assert/strict";
import { test } from "node:test";

import { OutgoingFrames } from "../../src/net/outgoing-frames.ts";

test("OutgoingFrames: joins neighbouring small frames, leaves large ones, keeps the order", () => {
  const outgoing = new OutgoingFrames();
  const large = new Uint8Array(2000).fill(7);
  for (const frame of [Uint8Array.of(1), Uint8Array.of(2), large, Uint8Array.of(3)]) {
    outgoing.add(frame);
  }
  assert.equal(outgoing.sizeBytes, 2003);

  const buffers = outgoing.take();

  assert.deepEqual(
    buffers.map((buffer) => [...buffer.subarray(0, 2)]),
    [[1, 2], [7, 7], [3]],
  );
  assert.equal(buffers[1], large, "a large frame is not copied");
  assert.equal(outgoing.sizeBytes, 0);
  assert.deepEqual(outgoing.take(), []);
});
