import { test } from "node:test";
import type { LogEntry } from "@quorate/wire";
import {
  checkNoLease,
  checkNoProposals,
  checkTarget,
} from "../../../src/testing/checkers/transfers.ts";
import { entryOf, viewOf } from "./view-of.ts";
import { assertViolates } from "./violates.ts";

test("transfers: a target that lacks entries on its disk is caught (Diss. §3.10)", () => {
  const view = viewOf({ transferTarget: "n2", lastLogIndex: 5 });
  const entryAt = (index: number): LogEntry => entryOf(index, 1);
  checkTarget("n1", view, { to: "n2", lastIndex: 5 }, entryAt);
  checkTarget("n1", viewOf({ lastLogIndex: 5 }), { to: "n2", lastIndex: 1 }, entryAt);
  assertViolates("Leadership Transfer", () => {
    checkTarget("n1", view, { to: "n2", lastIndex: 4 }, entryAt);
  });
});

test("transfers: a joint change may end in the step in which the target is asked (Raft §6)", () => {
  const view = viewOf({ transferTarget: "n2", lastLogIndex: 5 });
  const entryAt = (index: number): LogEntry => ({ ...entryOf(index, 1), kind: "configuration" });
  checkTarget("n1", view, { to: "n2", lastIndex: 4 }, entryAt);
  assertViolates("Leadership Transfer", () => {
    checkTarget("n1", view, { to: "n2", lastIndex: 3 }, entryAt);
  });
});

test("transfers: a command that is taken meanwhile is caught, members are not (Diss. §3.10)", () => {
  const before = viewOf({ transferTarget: "n2", lastLogIndex: 5 });
  const after = viewOf({ transferTarget: "n2", lastLogIndex: 6 });
  checkNoProposals("n1", before, after, (index) => ({
    ...entryOf(index, 1),
    kind: "configuration",
  }));
  checkNoProposals("n1", before, viewOf({ lastLogIndex: 6 }), (index) => entryOf(index, 1));
  checkNoProposals("n1", viewOf({ lastLogIndex: 5 }), after, (index) => entryOf(index, 1));
  assertViolates("Leadership Transfer", () => {
    checkNoProposals("n1", before, after, (index) => entryOf(index, 1));
  });
});

test("transfers: a lease that goes on after another was asked to lead is caught (Diss. §6.4.1)", () => {
  checkNoLease("n1", null);
  assertViolates("Leadership Transfer", () => {
    checkNoLease("n1", 7);
  });
});
