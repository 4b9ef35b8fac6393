import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  effectOfLosing,
  faultRefused,
  parseAssignment,
  planFault,
} from "../../src/dash/actions.ts";
import { bindingOf, KEYMAP, type Mode } from "../../src/dash/keymap.ts";
import { helpLines } from "../../src/dash/screens/help.ts";
import { selectView } from "../../src/dash/select.ts";
import { createPaint } from "../../src/dash/widgets/paint.ts";
import { SyntheticCluster } from "./synthetic.ts";

const FREE = { readOnly: false, hasLocalActions: true, isFrozen: false };

function viewOf(ids: readonly string[], stopped: readonly string[] = []) {
  const cluster = new SyntheticCluster(ids);
  cluster.report();
  for (const id of stopped) {
    cluster.refuse(id);
  }
  const nodes = ids.map((id) => {
    const isStopped = stopped.includes(id);
    const state = isStopped ? ("stopped" as const) : ("running" as const);
    return { id, address: `127.0.0.1:700${id.slice(1)}`, state, pid: isStopped ? null : 1 };
  });
  cluster.input({ kind: "local", nodes });
  return selectView(cluster.state, cluster.atMs);
}

describe("keymap", () => {
  it("gives no key two meanings in one mode", () => {
    for (const bindings of Object.values(KEYMAP)) {
      const keys = bindings.flatMap((binding) => binding.keys);
      assert.equal(new Set(keys).size, keys.length);
    }
  });

  it("lets Ctrl-C end or cancel in every mode: nobody is ever trapped", () => {
    for (const mode of Object.keys(KEYMAP) as Mode[]) {
      assert.ok(["quit", "cancel"].includes(bindingOf(mode, "ctrl+c")?.action ?? ""), mode);
    }
  });

  it("explains every key of the overview on the help page", () => {
    const text = helpLines({ columns: 100, rows: 40 }, createPaint("none")).join("\n");
    for (const { help } of KEYMAP.browse) {
      assert.ok(text.includes(help), help);
    }
  });

  it("says yes only with y", () => {
    const yes = KEYMAP.confirm.filter(({ action }) => action === "confirm");
    assert.deepEqual(
      yes.flatMap(({ keys }) => keys),
      ["y"],
    );
  });
});

describe("actions: what a key will do", () => {
  it("tells what is left when a node is gone", () => {
    const effects = (ids: readonly string[], stopped: readonly string[]) => {
      const view = viewOf(ids, stopped);
      const row = view.rows[0];
      assert.ok(row !== undefined);
      return effectOfLosing(row, view);
    };
    const five = ["n1", "n2", "n3", "n4", "n5"];
    assert.equal(effects(five, []), "leaves 4/5 up: 1 more loss is safe");
    assert.equal(effects(five, ["n5"]), "leaves 3/5 up: no more loss is safe");
    assert.equal(effects(five, ["n5", "n4"]), "leaves 2/5 up: no quorum, writes stop");
    assert.equal(effects(five, ["n1"]), "leaves 4/5 up: 1 more loss is safe");
  });

  it("starts a stopped node at once, and asks before it restarts a running one", () => {
    const view = viewOf(["n1", "n2", "n3"], ["n3"]);
    const plan = (at: number) => planFault("startOrRestart", view.rows[at] ?? null, view, FREE);
    assert.deepEqual(plan(2), { kind: "run", fault: { kind: "start", nodeId: "n3" } });
    assert.equal(plan(0).kind, "ask");
  });

  it("kills nothing that is stopped, frozen, read-only or elsewhere, and says why", () => {
    const view = viewOf(["n1", "n2", "n3"], ["n3"]);
    const [running = null, , stopped = null] = view.rows;
    const why = (changes: Partial<typeof FREE>) =>
      faultRefused("kill", running, { ...FREE, ...changes });
    assert.equal(faultRefused("kill", stopped, FREE), "n3 is not running; r starts it");
    assert.equal(faultRefused("killLeader", null, FREE), "there is no leader");
    assert.match(why({ readOnly: true }) ?? "", /read-only/u);
    assert.match(why({ isFrozen: true }) ?? "", /frozen/u);
    assert.match(why({ hasLocalActions: false }) ?? "", /not started on this machine/u);
    assert.equal(why({}), null);
  });

  it("a write ends its key at the first =", () => {
    assert.deepEqual(parseAssignment("a=b=c"), { key: "a", value: "b=c" });
    assert.deepEqual(parseAssignment(" a = b"), { key: "a", value: " b" });
    assert.deepEqual(parseAssignment("a="), { key: "a", value: "" });
    assert.equal(parseAssignment("=b"), null);
    assert.equal(parseAssignment("ab"), null);
  });
});
