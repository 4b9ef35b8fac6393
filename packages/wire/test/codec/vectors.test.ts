import assert from "node:assert/strict";
import test from "node:test";

import type { Configuration, LogEntry, WireMessage } from "../../src/index.ts";
import {
  configurationOf,
  decodeBody,
  decodeConfiguration,
  decodeEntries,
  encodeConfiguration,
  encodeEntries,
  encodeFrame,
  PROTOCOL_VERSION,
} from "../../src/index.ts";
import { messagesByType } from "../arbitraries.ts";
import { laterStatusNames, readVectors, vectorFiles, withLaterFields } from "../vectors.ts";

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A status from before it had all of today's names: today's encoder writes more. */
function lacksNames(message: WireMessage): boolean {
  const isStatus = message.type === "StatusReply" || message.type === "StreamState";
  return isStatus && laterStatusNames.some((name) => !(name in message.status));
}

for (const file of vectorFiles()) {
  const isCurrent = file.startsWith(`v${PROTOCOL_VERSION}/`);
  for (const { name, message, frame } of readVectors(file)) {
    test(`vector ${file}, ${name}: decodes${isCurrent ? " and encodes" : ""} as it always did`, () => {
      if (file.endsWith("/entries.json")) {
        assert.deepEqual(decodeEntries(frame), message);
        if (isCurrent) assert.equal(hex(encodeEntries(message as LogEntry[])), hex(frame));
      } else if (file.endsWith("/configurations.json")) {
        const whole = configurationOf(message as Configuration);
        assert.deepEqual(decodeConfiguration(frame), whole);
        // One from before it had addresses: today's encoder writes more.
        const isWhole = "addresses" in (message as Configuration);
        if (isCurrent && isWhole) assert.equal(hex(encodeConfiguration(whole)), hex(frame));
      } else {
        const whole = withLaterFields(message as WireMessage);
        assert.deepEqual(decodeBody(frame.subarray(4)), whole);
        if (isCurrent && !lacksNames(message as WireMessage)) {
          assert.equal(hex(encodeFrame(whole)), hex(frame));
        }
      }
    });
  }
}

test("vectors: every message type of this version has one", () => {
  const covered = new Set<string>();
  for (const file of vectorFiles().filter((name) => name.startsWith(`v${PROTOCOL_VERSION}/`))) {
    for (const { message } of readVectors(file)) covered.add((message as WireMessage).type);
  }
  assert.deepEqual(
    Object.keys(messagesByType).filter((type) => !covered.has(type)),
    [],
  );
});
