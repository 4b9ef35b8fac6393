process.env["TZ"] = "UTC";
// Continuous integration sets it, and Ink then draws nothing unless told otherwise.
process.env["CI"] = "true";

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type DashOptions,
  type LocalActionResult,
  type LocalActions,
  type LocalNode,
  runDash,
} from "../../src/dash/index.ts";
import { ScriptedNode } from "./scripted-node.ts";
import { eventOf } from "./synthetic.ts";
import { MemoryTerminal } from "./terminal.ts";

const THREE = ["n1", "n2", "n3"];

/** Processes that are scripted nodes of this test: signals close and open their sockets. */
class ScriptedProcesses implements LocalActions {
  readonly calls: string[] = [];
  readonly #nodes: readonly ScriptedNode[];
  readonly #stopped: Set<string> = new Set();

  constructor(nodes: readonly ScriptedNode[]) {
    this.#nodes = nodes;
  }

  list(): Promise<readonly LocalNode[]> {
    const nodes = this.#nodes.map(({ id, address }): LocalNode => {
      const isStopped = this.#stopped.has(id);
      return { id, address, state: isStopped ? "stopped" : "running", pid: isStopped ? null : 7 };
    });
    return Promise.resolve(nodes);
  }

  async kill(id: string): Promise<LocalActionResult> {
    this.calls.push(`kill ${id}`);
    this.#stopped.add(id);
    await this.#node(id).close();
    return { kind: "done", pid: 7 };
  }

  async start(id: string): Promise<LocalActionResult> {
    this.calls.push(`start ${id}`);
    this.#stopped.delete(id);
    await this.#node(id).open();
    return { kind: "done", pid: 8 };
  }

  restart(id: string): Promise<LocalActionResult> {
    this.calls.push(`restart ${id}`);
    return Promise.resolve({ kind: "done", pid: 9 });
  }

  pause(id: string): Promise<LocalActionResult> {
    this.calls.push(`pause ${id}`);
    return Promise.resolve({ kind: "refused", why: "not on this system", remedy: null });
  }

  resume(id: string): Promise<LocalActionResult> {
    this.calls.push(`resume ${id}`);
    return Promise.resolve({ kind: "done", pid: 7 });
  }

  #node(id: string): ScriptedNode {
    const node = this.#nodes.find((candidate) => candidate.id === id);
    assert.ok(node !== undefined);
    return node;
  }
}

interface Started {
  readonly terminal: MemoryTerminal;
  readonly nodes: readonly ScriptedNode[];
  readonly processes: ScriptedProcesses;
  readonly ended: Promise<number>;
}

interface Setting {
  readonly size?: readonly [number, number];
  readonly isTTY?: boolean;
  readonly options?: Partial<DashOptions>;
  readonly prepare?: (nodes: readonly ScriptedNode[]) => Promise<void> | void;
}

async function start(test: TestContext, setting: Setting = {}): Promise<Started> {
  const nodes = await ScriptedNode.cluster(test, THREE);
  await setting.prepare?.(nodes);
  const [columns, rows] = setting.size ?? [80, 24];
  const terminal = new MemoryTerminal(columns, rows, setting.isTTY ?? true);
  const processes = new ScriptedProcesses(nodes);
  const ended = runDash({
    endpoints: [nodes[0]?.address ?? ""],
    clusterName: "demo",
    localActions: processes,
    stopCommand: "quorate down",
    once: false,
    plain: false,
    ascii: false,
    noColor: true,
    fps: 30,
    readOnly: false,
    stdin: terminal.stdin,
    stdout: terminal.stdout,
    stderr: terminal.stderr,
    env: { TERM: "xterm-256color" },
    ...setting.options,
  });
  test.after(async () => {
    terminal.press("\u0003");
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 500).unref())]);
  });
  return { terminal, nodes, processes, ended };
}

describe("dash: on a terminal", () => {
  it("finds every member from one address, and shows the leader", async (t) => {
    const { terminal } = await start(t);
    await terminal.shows(/✓ HEALTHY {2}3\/3 up/u);
    await terminal.shows(/n2 +★ LEADER/u);
    assert.ok(terminal.isAlternate);
    assert.equal(terminal.lines().length, 24);
  });

  it("q restores the screen and the cursor, says how to stop the nodes, and exits 0", async (t) => {
    const { terminal, ended } = await start(t);
    await terminal.shows(/LEADER/u);
    assert.equal(terminal.isCursorShown, false);
    terminal.press("q");
    assert.equal(await ended, 0);
    await terminal.shows(/The nodes keep running\. Stop them with: quorate down/u);
    assert.equal(terminal.isAlternate, false);
    assert.equal(terminal.isCursorShown, true);
  });

  it("Ctrl-C leaves too", async (t) => {
    const { terminal, ended } = await start(t);
    await terminal.shows(/LEADER/u);
    terminal.press("\u0003");
    assert.equal(await ended, 0);
  });

  it("what is thrown while drawing restores the screen, is told, and exits 1", async (t) => {
    const onFrame = (frame: number) => {
      if (frame > 3) {
        throw new Error("a fault of this test");
      }
    };
    const { terminal, ended } = await start(t, { options: { onFrame } });
    assert.equal(await ended, 1);
    await terminal.settled();
    assert.equal(terminal.isAlternate, false);
    assert.equal(terminal.isCursorShown, true);
    assert.match(terminal.errors, /the dashboard failed; the nodes keep running/u);
    assert.match(terminal.errors, /a fault of this test/u);
  });

  it("SIGTERM restores the screen and is exit code 143", async (t) => {
    const { terminal, ended } = await start(t);
    await terminal.shows(/LEADER/u);
    process.kill(process.pid, "SIGTERM");
    assert.equal(await ended, 143);
    await terminal.settled();
    assert.equal(terminal.isAlternate, false);
    assert.equal(terminal.isCursorShown, true);
  });

  it("deltas, events and gaps appear as they come", async (t) => {
    const { terminal, nodes } = await start(t);
    await terminal.shows(/LEADER/u);
    nodes[0]?.change({ commitIndex: 77_777 });
    await terminal.shows(/n1 .* 77777/u);
    nodes[0]?.tell({ type: "StreamEvents", events: [eventOf(2, "voted for n2 in term 7")] });
    await terminal.shows(/· n1 {2}voted for n2 in term 7/u);
    nodes[0]?.tell({ type: "StreamGap", lost: 3 });
    await terminal.shows(/! n1 {2}3 events were not delivered/u);
  });

  it("a node that is gone is down, and comes back resumed after its last event", async (t) => {
    const { terminal, nodes } = await start(t);
    await terminal.shows(/3\/3 up/u);
    const node = nodes[2];
    assert.ok(node !== undefined);
    node.tell({ type: "StreamEvents", events: [eventOf(41, "saw term 7")] });
    await terminal.shows(/saw term 7/u);
    await node.close();
    await terminal.shows(/n3 +✗ down/u);
    await terminal.shows(/✗ n3 {2}process gone \(connection refused\)/u);
    await node.open();
    await terminal.shows(/✓ n3 {2}back after/u);
    const { bootId } = node.status;
    assert.deepEqual(node.subscriptions.at(-1)?.resume, { bootId, sequence: 41 });
  });

  it("a node that stops ticking is silent, not down", async (t) => {
    const { terminal, nodes } = await start(t);
    await terminal.shows(/3\/3 up/u);
    const [, , node] = nodes;
    assert.ok(node !== undefined);
    node.isMute = true;
    await terminal.shows(/n3 +‖ silent/u);
    await terminal.shows(/n1 +● follower/u);
  });

  it("redraws at every size", async (t) => {
    const { terminal } = await start(t);
    await terminal.shows(/LEADER/u);
    terminal.resize(40, 8);
    await terminal.shows(/^leader n2, term 7, 3\/3 up/u);
    terminal.resize(120, 40);
    await terminal.shows(/Replicated log/u);
    terminal.resize(60, 16);
    await terminal.shows(/^ ✓ HEALTHY {2}3\/3 up {2}1 loss safe {2}leader n2/u);
    assert.equal(terminal.lines().length, 16);
  });
});

describe("dash: keys", () => {
  it("x asks, tells the effect, and kills only after y", async (t) => {
    const { terminal, processes } = await start(t);
    await terminal.shows(/3\/3 up/u);
    terminal.press("jj");
    await terminal.shows(/▸ n3/u);
    terminal.press("x");
    await terminal.shows(/kill n3 with SIGKILL\? leaves 2\/3 up: no more loss is safe/u);
    terminal.press("a");
    await terminal.shows(/nothing was done/u);
    assert.deepEqual(processes.calls, []);
    terminal.press("xy");
    await terminal.shows(/✓ killed n3 \(pid 7, SIGKILL\); r on n3 starts it again/u);
    await terminal.shows(/n3 +✗ down/u);
    terminal.press("r");
    await terminal.shows(/✓ started n3 \(pid 8\)/u);
    await terminal.shows(/3\/3 up/u);
    assert.deepEqual(processes.calls, ["kill n3", "start n3"]);
  });

  it("X takes the leader, whatever is selected", async (t) => {
    const { terminal, processes } = await start(t);
    await terminal.shows(/3\/3 up/u);
    terminal.press("X");
    await terminal.shows(/kill n2 with SIGKILL, the leader\?/u);
    terminal.press("y");
    await terminal.shows(/killed n2/u);
    assert.deepEqual(processes.calls, ["kill n2"]);
  });

  it("a refusal of the local cluster is told, not thrown", async (t) => {
    const { terminal, processes } = await start(t);
    await terminal.shows(/3\/3 up/u);
    terminal.press("p");
    await terminal.shows(/✗ could not pause n1: not on this system/u);
    assert.deepEqual(processes.calls, ["pause n1"]);
  });

  it("w writes a key and tells its revision", async (t) => {
    const { terminal, nodes } = await start(t);
    await terminal.shows(/3\/3 up/u);
    terminal.press("w");
    await terminal.shows(/write key=value:/u);
    terminal.press("greeting=hello wörld=!\r");
    await terminal.shows(/✓ wrote greeting \(revision 1041, entry 1048 of term 7/u);
    const puts = nodes.flatMap((node) => node.puts);
    assert.deepEqual(puts, [{ key: "greeting", value: "hello wörld=!" }]);
  });

  it("space freezes the picture and switches off what changes things", async (t) => {
    const { terminal, nodes, processes } = await start(t);
    await terminal.shows(/3\/3 up/u);
    terminal.press(" ");
    await terminal.shows(/■ FROZEN/u);
    nodes[0]?.change({ commitIndex: 88_888 });
    terminal.press("xy");
    await terminal.shows(/the screen is frozen at an earlier moment; space goes on live/u);
    assert.doesNotMatch(terminal.text(), /88888/u);
    terminal.press(" ");
    await terminal.shows(/88888/u);
    assert.deepEqual(processes.calls, []);
  });

  it("read-only: every key that changes something is off", async (t) => {
    const { terminal, nodes, processes } = await start(t, { options: { readOnly: true } });
    await terminal.shows(/\(x kill\)[^]*\(w write\)/u);
    terminal.press("xyw");
    await terminal.shows(/this dashboard is read-only/u);
    assert.deepEqual(processes.calls, []);
    assert.deepEqual(
      nodes.flatMap((node) => node.puts),
      [],
    );
  });

  it("nodes that were not started here cannot be killed, and why is told", async (t) => {
    const { terminal } = await start(t, { options: { localActions: null } });
    await terminal.shows(/3\/3 up[^]*\(x kill\)/u);
    terminal.press("x");
    await terminal.shows(/n1 was not started on this machine by quorate up/u);
  });

  it("? explains the keys, from the table that dispatches them", async (t) => {
    const { terminal } = await start(t);
    await terminal.shows(/3\/3 up/u);
    terminal.press("?");
    await terminal.shows(/X +kill the leader with SIGKILL \(asks first\)/u);
    terminal.press("\u001B");
    await terminal.shows(/─ Nodes/u);
  });
});

describe("dash: without a terminal", () => {
  it("prints lines and one note, ends at SIGTERM", async (t) => {
    const { terminal, nodes, ended } = await start(t, { isTTY: false, size: [120, 24] });
    await terminal.shows(/all leader n2, term 7, 3\/3 up/u);
    await nodes[2]?.close();
    await terminal.shows(/ ✗ n3 process gone \(connection refused\)/u);
    await terminal.shows(/all leader n2, term 7, 2\/3 up.*n3 down/u);
    process.kill(process.pid, "SIGTERM");
    assert.equal(await ended, 143);
    assert.equal(terminal.errors, "note: the output is not a terminal: printing events as lines\n");
  });

  it("a terminal that cannot move its cursor gets lines", async (t) => {
    const { terminal, ended } = await start(t, { options: { env: { TERM: "dumb" } } });
    await terminal.shows(/all leader n2, term 7, 3\/3 up/u);
    assert.equal(terminal.isAlternate, false);
    process.kill(process.pid, "SIGINT");
    assert.equal(await ended, 0);
  });

  it("--once prints one frame at COLUMNS and exits 0", async (t) => {
    const options = { once: true, env: { COLUMNS: "100" } };
    const { terminal, ended } = await start(t, { isTTY: false, size: [100, 40], options });
    assert.equal(await ended, 0);
    await terminal.shows(/✓ HEALTHY {2}3\/3 up {2}one more loss is safe {2}leader n2/u);
    assert.equal(terminal.lines().filter((line) => line.includes("─ Nodes")).length, 1);
    assert.doesNotMatch(terminal.text(), /q quit/u);
  });

  it("--once shows what happened before, in its order", async (t) => {
    const startedMs = Date.now() - 60_000;
    const { terminal, ended } = await start(t, {
      isTTY: false,
      size: [80, 40],
      options: { once: true },
      prepare: (nodes) => {
        nodes.forEach((node, offset) => {
          const wallMs = startedMs - offset * 1_000;
          node.past = [eventOf(1, "started", { wallMs }), eventOf(2, "saw term 7", { wallMs })];
        });
      },
    });
    assert.equal(await ended, 0);
    await terminal.shows(/n3 {2}started[^]*n2 {2}started[^]*n1 {2}started/u);
  });

  it("--once exits 0 with nodes down, and shows them", async (t) => {
    const { terminal, ended } = await start(t, {
      isTTY: false,
      size: [80, 40],
      options: { once: true },
      prepare: (nodes) => nodes[2]?.close(),
    });
    assert.equal(await ended, 0);
    await terminal.shows(/✗ down/u);
    await terminal.shows(/! DEGRADED {2}2\/3 up/u);
  });

  it("--once exits 4 when no node answers, and shows what was tried", async (t) => {
    const { terminal, ended } = await start(t, {
      isTTY: false,
      size: [80, 40],
      options: { once: true, localActions: null },
      prepare: async (nodes) => {
        await Promise.all(nodes.map((node) => node.close()));
      },
    });
    assert.equal(await ended, 4);
    await terminal.shows(/✗ 127\.0\.0\.1:\d+ {2}connection refused/u);
  });
});
