import { test } from "node:test";
import type { EntryKind, LogEntry } from "@quorate/wire";
import type { RaftView } from "../../../src/raft/index.ts";
import { FullDisk } from "../../../src/testing/checkers/full-disk.ts";
import { assertViolates } from "./violates.ts";
import { viewOf } from "./view-of.ts";

function coreWith(parts: Partial<RaftView>, ...kinds: readonly EntryKind[]) {
  const log = kinds.map((kind, offset): LogEntry => {
    return { index: offset + 1, term: 1, kind, data: new Uint8Array() };
  });
  return {
    view: () => viewOf({ role: "leader", currentTerm: 1, lastLogIndex: log.length, ...parts }),
    entryAt: (index: number) => log[index - 1] ?? null,
  };
}

test("Full disk: a leader that takes a command on a full disk is caught (rule 54)", () => {
  const disk = new FullDisk("n1");
  disk.turned(true, coreWith({}, "noop"));
  disk.turned(true, coreWith({}, "noop", "configuration"));
  assertViolates("Bounded Windows", () => {
    disk.turned(true, coreWith({}, "noop", "configuration", "command"));
  });
});

test("Full disk: with room, in another term, or from a leader, commands are taken (rule 54)", () => {
  const disk = new FullDisk("n1");
  disk.turned(false, coreWith({}, "noop"));
  disk.turned(true, coreWith({}, "noop", "command"));
  disk.turned(false, coreWith({}, "noop", "command", "command"));
  disk.turned(true, coreWith({ role: "follower" }, "noop"));
  disk.turned(true, coreWith({ role: "follower" }, "noop", "command"));
  disk.turned(true, coreWith({ currentTerm: 2 }, "noop", "command", "command"));
});
