import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { ChaosCluster } from "../chaos-cluster.ts";
import { LoopbackNetwork } from "../loopback-network.ts";
import type { ChaosNetwork } from "../network.ts";
import { eventually } from "../patience.ts";
import { processesOf } from "./processes-of.ts";

const NO_TOOLS = { strace: "none", tmpfs: "none", faketime: "none", faketimePreload: "" };

function start(directory: string, network: ChaosNetwork): Promise<ChaosCluster> {
  return ChaosCluster.start({
    size: 3,
    directory,
    network,
    tools: NO_TOOLS,
    movesClocks: false,
    hasSmallDisks: false,
    onUnexpectedEnd: () => undefined,
  });
}

/** Removed after the test, when its clusters have ended. */
function makeFolder(t: TestContext, clusters: readonly ChaosCluster[]): string {
  const folder = mkdtempSync(join(tmpdir(), "quorate-chaos-cluster-"));
  t.after(async () => {
    for (const cluster of clusters) await cluster.end();
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

test(
  "chaos cluster: a start that fails ends the nodes that it had started",
  { skip: process.platform === "linux" ? false : "looks into /proc" },
  async (t) => {
    const folder = makeFolder(t, []);
    const network: ChaosNetwork = new LoopbackNetwork("a test");
    const plug = network.plug.bind(network);
    network.plug = async (id) => {
      const { address } = await plug(id);
      // No program can be called so: the third is not even tried.
      return { address, commandPrefix: id === "n3" ? ["\0"] : [] };
    };
    await assert.rejects(start(folder, network), { code: "ERR_INVALID_ARG_VALUE" });
    assert.deepEqual(processesOf(folder), []);
  },
);

test("chaos on loopback: of two faults at a time each is told again to a node that was restarted", async (t) => {
  const network = new LoopbackNetwork("a test");
  const clusters: ChaosCluster[] = [];
  const cluster = await start(makeFolder(t, clusters), network);
  clusters.push(cluster);
  const first = await network.impair([{ from: "n1", to: "n2" }], { kind: "delay", ms: 10 });
  const second = await network.impair([{ from: "n1", to: "n3" }], { kind: "delay", ms: 20 });
  const n3 = cluster.node("n3");
  await n3.end();
  n3.launch();
  const faults = await eventually("n3 to be told again", async () => {
    const status = await cluster.status(n3).catch(() => null);
    return status === null || status.faults.length === 0 ? null : status.faults;
  });
  assert.deepEqual(
    faults.map(({ peer, delayMs }) => ({ peer, delayMs })),
    [{ peer: "n1", delayMs: 20 }],
  );
  assert.equal(await second.heal(), "1 of 1 lines, as the nodes report");
  assert.equal(await first.heal(), "1 of 1 lines, as the nodes report");
});
