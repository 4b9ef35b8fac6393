import assert from "node:assert/strict";
import type { Invariant } from "@quorate/node/testing";
import { InvariantViolation } from "@quorate/node/testing";

/** `act` breaks this invariant, and no other. */
export function assertViolates(invariant: Invariant, act: () => void): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof InvariantViolation, String(error));
    assert.equal(error.invariant, invariant);
    return true;
  });
}
