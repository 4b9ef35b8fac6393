import assert from "node:assert/strict";
import { test } from "node:test";
import { cutOffCalls } from "./strace-log.ts";

test("strace log: names the calls that a kill cut off, and no others", () => {
  const log = [
    '11 pwrite64(7, "\\x00", 1, 0) = 1',
    '12 rename("\\x61", "\\x62" <unfinished ...>',
    "13 fsync(7 <unfinished ...>",
    "12 <... rename resumed>) = 0",
    "13 <... fsync resumed>) = ?",
    '12 unlink("\\x61") = ?',
    '14 pwrite64(7, "\\x3d\\x3f", 2, 0 <unfinished ...>',
    '15 rename("\\x61", "\\x62") = -1 ENOENT (No such file or directory)',
    "11 +++ killed by SIGKILL +++",
  ];
  assert.deepEqual(cutOffCalls(log.join("\n")), ["unlink", "fsync", "pwrite64"]);
});
