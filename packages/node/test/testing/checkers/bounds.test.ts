import { test } from "node:test";
import type { AppendEntries, LogEntry } from "@quorate/wire";
import type { RaftView } from "../../../src/raft/index.ts";
import {
  checkMessage,
  checkUncommitted,
  checkWindows,
} from "../../../src/testing/checkers/bounds.ts";
import { peerOf, viewOf } from "./view-of.ts";
import { assertViolates } from "./violates.ts";

const BOUNDS = {
  appendEntriesMaxBytes: 200,
  inFlightMaxMessages: 2,
  inFlightMaxBytes: 1000,
  uncommittedMaxBytes: 300,
};

function entry(index: number, bytes: number, parts: Partial<LogEntry> = {}): LogEntry {
  return { index, term: 3, kind: "command", data: new Uint8Array(bytes), ...parts };
}

function message(...entries: readonly LogEntry[]): AppendEntries {
  return {
    type: "AppendEntries",
    term: 3,
    leaderId: "n1",
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries,
    leaderCommit: 0,
    round: 0,
  };
}

test("bounds: a message above its limit is caught, unless it holds a single entry (Diss. §10.2.2)", () => {
  checkMessage("n1", message(), BOUNDS);
  checkMessage("n1", message(entry(1, 5000)), BOUNDS);
  checkMessage("n1", message(entry(1, 68), entry(2, 68)), BOUNDS);
  assertViolates("Bounded Windows", () => {
    checkMessage("n1", message(entry(1, 68), entry(2, 69)), BOUNDS);
  });
});

function withPeer(inFlightMessages: number, inFlightBytes: number): RaftView {
  const peer = peerOf({ state: "replicate", inFlightMessages, inFlightBytes });
  return viewOf({ peers: [peer] });
}

test("bounds: a window of too many messages or bytes is caught (Diss. §10.2.2)", () => {
  checkWindows("n1", withPeer(2, 1000), BOUNDS);
  assertViolates("Bounded Windows", () => {
    checkWindows("n1", withPeer(3, 1000), BOUNDS);
  });
  assertViolates("Bounded Windows", () => {
    checkWindows("n1", withPeer(1, 6000), BOUNDS);
  });
});

test("bounds: a leader that takes more than it may lose is caught", () => {
  const view = viewOf({ currentTerm: 3, commitIndex: 1, lastLogIndex: 4 });
  const check = (bytes: number, parts: Partial<LogEntry> = {}): void => {
    checkUncommitted("n1", view, BOUNDS, (index) => entry(index, bytes, parts));
  };
  check(1000);
  assertViolates("Bounded Windows", () => {
    check(2000);
  });
  // What it found in its log, it did not take.
  check(2000, { term: 2 });
  check(2000, { kind: "configuration" });
});
