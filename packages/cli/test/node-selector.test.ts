import assert from "node:assert/strict";
import { test } from "node:test";

import type { LocalNodeState } from "../src/local-cluster/local-cluster.ts";
import type { SelectableNode } from "../src/node-selector.ts";
import { needsRoles, selectNodes } from "../src/node-selector.ts";

const NODES: readonly SelectableNode[] = [
  { id: "n1", state: "running", role: "follower" },
  { id: "n2", state: "running", role: "leader" },
  { id: "n3", state: "running", role: "follower" },
  { id: "n4", state: "paused", role: null },
  { id: "n5", state: "down", role: null },
];

function select(selectors: readonly string[], states: readonly LocalNodeState[] = ["running"]) {
  return selectNodes({ selectors, nodes: NODES, states, pick: (count) => count - 1 });
}

test("selectors: a name means that node in any state", () => {
  assert.deepEqual(select(["n5", "n1"]), ["n5", "n1"]);
});

test("selectors: leader and follower mean the nodes that say so", () => {
  assert.deepEqual(select(["leader"]), ["n2"]);
  assert.deepEqual(select(["follower"]), ["n1"]);
});

test("selectors: a second follower is another node", () => {
  assert.deepEqual(select(["follower", "follower"]), ["n1", "n3"]);
  assert.deepEqual(select(["n1", "follower"]), ["n1", "n3"]);
  assert.throws(() => select(["follower", "follower", "follower"]), { code: "notFound" });
});

test("selectors: random is one node that the command can act on and that is not taken", () => {
  assert.deepEqual(select(["random"]), ["n3"]);
  assert.deepEqual(select(["n3", "random"]), ["n3", "n2"]);
  assert.deepEqual(select(["random"], ["paused"]), ["n4"]);
  assert.throws(() => select(["n5", "random"], ["down"]), { code: "notFound" });
});

test("selectors: all means those that the command can act on, each once", () => {
  assert.deepEqual(select(["all"]), ["n1", "n2", "n3"]);
  assert.deepEqual(select(["n3", "all"], ["running", "paused"]), ["n3", "n1", "n2", "n4"]);
  assert.deepEqual(select(["all"], ["down"]), ["n5"]);
});

test("selectors: an unknown name is not found, and the nodes are named", () => {
  assert.throws(
    () => select(["n9"]),
    (error: { code: string; why: string[] }) =>
      error.code === "notFound" && error.why.join().includes("n1, n2, n3, n4, n5"),
  );
});

test("selectors: only leader and follower need to know the roles", () => {
  assert.equal(needsRoles(["n1", "all", "random"]), false);
  assert.equal(needsRoles(["n1", "leader"]), true);
  assert.equal(needsRoles(["follower"]), true);
});
