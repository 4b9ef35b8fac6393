import assert from "node:assert/strict";
import type { KvGroup } from "./kv-group.ts";

const PUTS = 1000;
/** Three operations in each of the course's heartbeat intervals of 100 ms. */
const PER_PUT_MS = 33;

/** The course's GenericTestSpeed: better than one operation in a heartbeat interval. */
export async function checkSpeed(group: KvGroup): Promise<void> {
  const clerk = group.clerk();
  await group.finish<string | null>((done) => {
    clerk.get("x", done);
  });
  const startMs = group.raft.nowMs;
  let revision = 0;
  await group.finish<number>((done) => {
    const next = (left: number): void => {
      if (left === 0) {
        done(PUTS);
        return;
      }
      clerk.put("k", String(left), revision, (answer) => {
        assert.ok(answer.isApplied);
        ({ revision } = answer);
        next(left - 1);
      });
    };
    next(PUTS);
  });
  assert.equal(revision, PUTS);
  const perPutMs = (group.raft.nowMs - startMs) / PUTS;
  assert.ok(perPutMs <= PER_PUT_MS, `${perPutMs} ms for each put`);
}
