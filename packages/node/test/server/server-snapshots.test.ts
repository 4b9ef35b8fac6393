import assert from "node:assert/strict";
import { test } from "node:test";
import { QuorateClient } from "@quorate/wire/client";
import type { NodeConfig } from "../../src/config/node-config.ts";
import type { QuorateServer } from "../../src/server/server.ts";
import { eventually, leaderOf, localConfigs, startOne } from "./local-servers.ts";

const VALUE = Buffer.alloc(8 * 1024, "v");

/** Puts `count` values of 8 KiB; the store grows by them. */
async function write(server: QuorateServer, prefix: string, count: number): Promise<void> {
  const client = new QuorateClient({ endpoints: [server.listenAddress] });
  const keys = Array.from({ length: count }, (_, number) => `${prefix}-${number}`);
  await Promise.all(keys.map((key) => client.put(key, VALUE)));
  await client.close();
}

function compacting(config: NodeConfig | undefined): NodeConfig {
  assert.ok(config !== undefined);
  return { ...config, snapshotLogBytes: 512 * 1024, trailingEntries: 10 };
}

test("server: compacts its log, and starts again from snapshot and rest (§7)", async (t) => {
  const configs = await localConfigs(t, 1);
  const config = compacting(configs[0]);
  const first = await startOne(t, config);
  await leaderOf([first]);
  for (let round = 0; round < 5; round++) await write(first, `round-${round}`, 40);
  const { snapshotIndex, snapshotBytes, firstLogIndex } = await eventually(() => {
    const status = first.status();
    return status.snapshotIndex > 60 ? status : undefined;
  });
  assert.ok(firstLogIndex > snapshotIndex - 20);
  assert.ok(snapshotBytes > 60 * VALUE.length);
  const { stateHash } = first;
  await first.stop();
  const second = await startOne(t, { ...config, bootstrap: false });
  await leaderOf([second]);
  await eventually(() => (second.stateHash === stateHash ? true : undefined));
  assert.equal(second.status().keyCount, 200);
  await second.stop();
});

test("server: a node that was away too long is sent a snapshot, and then the log (§7)", async (t) => {
  const configs = (await localConfigs(t, 3)).map(compacting);
  const servers = await Promise.all(configs.map((config) => startOne(t, config)));
  const leader = await leaderOf(servers);
  const away = servers.find((one) => one !== leader);
  const config = configs[servers.indexOf(away ?? leader)];
  assert.ok(away !== undefined && config !== undefined);
  await write(leader, "before", 5);
  await away.stop();
  for (let round = 0; round < 5; round++) await write(leader, `round-${round}`, 40);
  await eventually(() => (leader.status().snapshotIndex > 60 ? true : undefined));
  const back = await startOne(t, { ...config, bootstrap: false });
  await eventually(() =>
    back.status().lastApplied >= leader.status().lastApplied ? 1 : undefined,
  );
  assert.equal(back.stateHash, leader.stateHash);
  assert.ok(back.status().snapshotIndex > 0);
  await write(leader, "after", 5);
  await eventually(() => (back.stateHash === leader.stateHash ? true : undefined));
  await Promise.all([back, ...servers].map((one) => one.stop()));
});
