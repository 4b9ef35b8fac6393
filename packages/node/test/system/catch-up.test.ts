import assert from "node:assert/strict";
import { test } from "node:test";
import { QuorateClient } from "@quorate/wire/client";
import { Daemons, eventually } from "./daemons.ts";
import { Load } from "./load.ts";
import { percentile, scaled } from "./scale.ts";

const MISSED = scaled(30_000, 200_000);
const VALUE = Buffer.alloc(64, "v");
const CATCH_UP_TIMEOUT_MS = 120_000;

/** With a window as long as what is missed the log is sent; with a short one, a snapshot. */
for (const way of ["log", "snapshot"] as const) {
  test(`catch-up: a follower stopped for ${MISSED} writes gets level by ${way} while the leader serves`, async (t) => {
    const bytes = way === "log" ? 1024 * 1024 * 1024 : 1024 * 1024;
    const flags = ["--snapshot-log-bytes", String(bytes)];
    const window = way === "log" ? [] : ["--trailing-entries", "1000"];
    const cluster = await Daemons.start(t, { size: 3, flags: [...flags, ...window] });
    const client = new QuorateClient({ endpoints: cluster.endpoints, clientName: "load" });
    t.after(() => client.close());
    const leader = await cluster.leader();
    const stopped = cluster.ids.find((id) => id !== leader) ?? "";
    await cluster.end(stopped, "SIGTERM");

    const keyOf = (number: number): string => `key-${number % 5000}`;
    await new Load(client, { writers: 256, count: MISSED, keyOf, value: VALUE }).done();
    const light = { writers: 4, keyOf, value: VALUE };
    const calm = new Load(client, { ...light, count: 1500 });
    await calm.done();
    const target = (await cluster.status(leader)).lastLogIndex;
    const memoryBefore = (await cluster.status(leader)).residentBytes;
    const during = new Load(client, { ...light, count: Infinity });
    const beganMs = performance.now();
    cluster.launch(stopped);
    const ways = new Set<string>();
    await eventually(
      `${stopped} to catch up`,
      async () => {
        const peer = (await cluster.status(leader)).peers.find(({ id }) => id === stopped);
        if (peer?.replication !== undefined && peer.replication !== null)
          ways.add(peer.replication);
        return (peer?.matchIndex ?? 0) >= target ? true : null;
      },
      CATCH_UP_TIMEOUT_MS,
    );
    const tookMs = performance.now() - beganMs;
    await during.stop();
    await cluster.converged();
    const own = await cluster.status(stopped);
    assert.equal(own.snapshotIndex > 0, way === "snapshot", `snapshot at ${own.snapshotIndex}`);
    assert.equal(during.failed, 0, "writes failed while a follower caught up");
    assert.equal(await cluster.leader(), leader, "the leader was deposed");
    const grown = (await cluster.status(leader)).residentBytes - memoryBefore;
    t.diagnostic(
      `${MISSED} writes in ${(tookMs / 1000).toFixed(1)} s ` +
        `(${Math.round((MISSED / tookMs) * 1000)} a second, the process's start included); ` +
        `write p99 ${percentile(calm.latenciesMs, 0.99).toFixed(1)} ms before, ` +
        `${percentile(during.latenciesMs, 0.99).toFixed(1)} ms meanwhile, ` +
        `max ${percentile(during.latenciesMs, 1).toFixed(0)} ms, of ${during.latenciesMs.length}; ` +
        `the leader grew by ${Math.round(grown / 1024 / 1024)} MiB; seen: ${[...ways].join(", ")}`,
    );
  });
}
