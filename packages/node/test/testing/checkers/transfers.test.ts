import { test } from "node:test";
import {
  checkNoLease,
  checkNoProposals,
  checkTarget,
} from "../../../src/testing/checkers/transfers.ts";
import { entryOf, viewOf } from "./view-of.ts";
import { assertViolates } from "./violates.ts";

test("transfers: a target that lacks entries on its disk is caught (Diss. §3.10)", () => {
  const view = viewOf({ transferTarget: "n2", lastLogIndex: 5 });
  checkTarget("n1", view, "n2", 5);
  checkTarget("n1", viewOf({ lastLogIndex: 5 }), "n2", 1);
  assertViolates("Leadership Transfer", () => {
    checkTarget("n1", view, "n2", 4);
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
