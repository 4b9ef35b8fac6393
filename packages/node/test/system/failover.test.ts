import assert from "node:assert/strict";
import { test } from "node:test";
import { QuorateClient } from "@quorate/wire/client";
import { Daemons, eventually } from "./daemons.ts";
import { Writer } from "./writer.ts";

const KILLS = 20;

test(`failover: ${KILLS} leaders die by SIGKILL under a writer, and no acknowledged write is lost`, async (t) => {
  const cluster = await Daemons.start(t, { size: 3 });
  const client = new QuorateClient({ endpoints: cluster.endpoints, clientName: "writer" });
  t.after(() => client.close());
  const writer = new Writer(client);
  t.after(() => writer.stop());

  const gapsMs: number[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    await cluster.allCaughtUp();
    const before = writer.acknowledged.length;
    await eventually("writes before the kill", () =>
      writer.acknowledged.length >= before + 50 ? true : null,
    );
    const leader = await cluster.leader();
    const killedAtMs = performance.now();
    await cluster.end(leader);
    const atKill = writer.acknowledged.length;
    await eventually("writes after the kill", () =>
      writer.acknowledged.length >= atKill + 20 ? true : null,
    );
    gapsMs.push(writer.longestGapSince(killedAtMs));
    cluster.launch(leader);
  }
  await writer.stop();
  await cluster.converged();

  const sorted = gapsMs.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  t.diagnostic(
    `gap in acknowledged writes over ${KILLS} kills: median ${median.toFixed(0)} ms, ` +
      `min ${sorted[0]?.toFixed(0)} ms, max ${sorted.at(-1)?.toFixed(0)} ms; ` +
      `${writer.acknowledged.length} acknowledged, ${writer.unknown} unknown`,
  );
  const lost = await writer.lost(client);
  assert.deepEqual(lost, [], "acknowledged writes are lost");
  assert.ok(writer.unknown <= KILLS, `one writer has at most one write in flight at each kill`);
});
