import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { checkFile } from "../../src/verify/history-check.ts";
import { temporaryFolder } from "../temporary-folder.ts";

/** Overlapping swaps that go round in seven values: far too many orders to try them all. */
function hardHistory(): string {
  const first = { client: "c", call: 0, return: 1, outcome: "ok", result: {} };
  const swaps = Array.from({ length: 200 }, (_unused, at) => ({
    client: `c${at}`,
    call: 2 + at,
    return: 1_000 + at,
    op: {
      kind: "cas",
      key: "k",
      expect: String(at % 7),
      value: String((at * 3 + 1 + Math.floor(at / 7)) % 7),
    },
    outcome: "ok",
    result: { applied: true },
  }));
  const operations = [{ ...first, op: { kind: "put", key: "k", value: "0" } }, ...swaps];
  return operations.map((operation) => JSON.stringify(operation)).join("\n");
}

test("check of a file: a signal ends a check that would go on for a minute", async (context) => {
  const path = join(temporaryFolder(context), "hard.ndjson");
  writeFileSync(path, hardHistory());
  const controller = new AbortController();
  const reason = new Error("interrupted");
  const check = checkFile(path, {
    budgetMs: 60_000,
    signal: controller.signal,
    onProgress: ({ kind }) => {
      if (kind === "read") controller.abort(reason);
    },
  });
  const beganMs = performance.now();
  await assert.rejects(check, reason);
  assert.ok(performance.now() - beganMs < 30_000);
  await assert.rejects(checkFile(path, { signal: controller.signal }), reason);
});
