import assert from "node:assert/strict";
import { appendFileSync, closeSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import {
  failuresIn,
  nodeLogPath,
  openNodeLog,
  readLogFrom,
  readLogTail,
} from "../../src/local-cluster/node-log.ts";
import { temporaryFolder } from "../temporary-folder.ts";

test("node log: the tail has whole lines only, and reading goes on where it ended", (context) => {
  const path = join(temporaryFolder(context), "node.log");
  writeFileSync(path, "one\ntwo\nthree\nhalf");
  const tail = readLogTail(path, 2);
  assert.deepEqual(tail.lines, ["two", "three"]);
  assert.deepEqual(readLogFrom(path, tail.endOffset).lines, []);
  appendFileSync(path, " a line\nfive\n");
  assert.deepEqual(readLogFrom(path, tail.endOffset).lines, ["half a line", "five"]);
  truncateSync(path, 0);
  appendFileSync(path, "anew\n");
  assert.deepEqual(readLogFrom(path, tail.endOffset).lines, ["anew"]);
  assert.deepEqual(readLogTail(path, 0).lines, []);
  assert.deepEqual(readLogTail(`${path}.missing`, 5), { lines: [], endOffset: 0 });
});

test("node log: one that grew too long is put aside at the next start", (context) => {
  const folder = temporaryFolder(context);
  const path = nodeLogPath(folder);
  writeFileSync(path, Buffer.alloc(17 * 1024 * 1024, "x"));
  closeSync(openNodeLog(folder));
  assert.equal(readFileSync(path, "utf8"), "");
  assert.equal(readFileSync(`${path}.1`).byteLength, 17 * 1024 * 1024);
});

test("node log: failures are those of the newest start, each once", () => {
  const record = (level: string, msg: string): string => JSON.stringify({ level, msg });
  const lines = [
    record("info", "starting"),
    record("fatal", "an older failure"),
    record("info", "starting"),
    record("fatal", "the disk is gone"),
    "error: the disk is gone",
  ];
  assert.deepEqual(failuresIn(lines), ["the disk is gone"]);
  assert.deepEqual(failuresIn([record("info", "starting"), "TypeError: x", "  at y"]), [
    "TypeError: x",
    "  at y",
  ]);
});
