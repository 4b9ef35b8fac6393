import assert from "node:assert/strict";
import { test } from "node:test";

import { RequestError } from "@quorate/wire/client";

import { describeExitCodes, EXIT_CODES, exitCodeOf } from "../src/exit-codes.ts";
import type { ExitReason } from "../src/exit-codes.ts";
import { ConnectionError } from "@quorate/wire/net";
import { exitReasonOf } from "../src/request-failure.ts";

const PROMISED: Readonly<Record<ExitReason, number>> = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  unreachable: 4,
  notApplied: 5,
  outcomeUnknown: 6,
  conditionFalse: 7,
  checkFailed: 8,
  localConflict: 9,
  interrupted: 130,
  terminated: 143,
};

test("exit codes: every reason has the promised number, and every number one reason", () => {
  for (const [reason, { code }] of Object.entries(EXIT_CODES)) {
    assert.equal(code, PROMISED[reason as ExitReason], reason);
    assert.equal(exitCodeOf(reason as ExitReason), code);
  }
  const codes = Object.values(EXIT_CODES).map(({ code }) => code);
  assert.equal(new Set(codes).size, Object.keys(PROMISED).length);
});

test("exit codes: the help lists each code with its meaning, in order", () => {
  const lines = describeExitCodes().trimEnd().split("\n").slice(1);
  assert.deepEqual(
    lines.map((line) => Number(/^ +(?<code>\d+) {2}/u.exec(line)?.groups?.["code"])),
    Object.values(PROMISED),
  );
  for (const { meaning } of Object.values(EXIT_CODES)) {
    assert.equal(lines.filter((line) => line.endsWith(`  ${meaning}`)).length, 1, meaning);
  }
});

test("exit codes: 5 only where a write was certainly not applied, 6 where it may be", () => {
  const failure = (code: RequestError["code"], outcome: "notApplied" | "unknown"): RequestError =>
    new RequestError(code, outcome, { message: code });
  assert.equal(exitReasonOf(failure("noLeader", "notApplied"), true), "notApplied");
  assert.equal(exitReasonOf(failure("timeout", "notApplied"), true), "notApplied");
  assert.equal(exitReasonOf(failure("timeout", "unknown"), true), "outcomeUnknown");
  assert.equal(exitReasonOf(failure("leadershipLost", "unknown"), true), "outcomeUnknown");
  assert.equal(exitReasonOf(failure("connectionLost", "unknown"), true), "outcomeUnknown");
  assert.equal(exitReasonOf(failure("unreachable", "notApplied"), true), "unreachable");
  assert.equal(exitReasonOf(failure("tooLarge", "notApplied"), true), "failed");
  const silent = new ConnectionError("timeout", "a:1", { message: "no hello", accepted: true });
  const attempts = [{ endpoint: "a:1", nodeId: null, error: silent, count: 1 }];
  const paused = new RequestError("unreachable", "notApplied", { message: "paused", attempts });
  assert.equal(exitReasonOf(paused, true), "notApplied", "a paused node is there");
  assert.equal(exitReasonOf(failure("timeout", "notApplied"), false), "notApplied");
});
