import assert from "node:assert/strict";
import test from "node:test";

import fc from "fast-check";

import type { WireMessage } from "../../src/index.ts";
import { decodeBody, encodeFrame, FRAME_PREFIX_BYTES } from "../../src/index.ts";
import { messagesByType } from "../arbitraries.ts";

for (const [type, arbitrary] of Object.entries<fc.Arbitrary<WireMessage>>(messagesByType)) {
  test(`${type}: decodes to what was encoded, whatever the fields`, () => {
    fc.assert(
      fc.property(arbitrary, (message) => {
        const frame = encodeFrame(message);
        assert.equal(new DataView(frame.buffer, frame.byteOffset).getUint32(0), frame.length - 4);
        assert.deepEqual(decodeBody(frame.subarray(FRAME_PREFIX_BYTES)), message);
      }),
      { numRuns: 150 },
    );
  });
}
