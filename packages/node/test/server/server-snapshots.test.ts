import assert from "node:assert/strict";
import { test } from "node:test";
import { QuorateClient } from "@quorate/wire/client";
import type { NodeConfig } from "../../src/config/node-config.ts";
import { FORMAT_VERSION, MAGIC, PREAMBLE_BYTES } from "../../src/kv/snapshot-format.ts";
import type { PersistBatch } from "../../src/raft/index.ts";
import { openDirectory } from "../../src/server/open-directory.ts";
import type { QuorateServer } from "../../src/server/server.ts";
import { startServer } from "../../src/server/server.ts";
import { StorageError } from "../../src/storage/index.ts";
import { writeSnapshot } from "../../src/testing/snapshot-suite.ts";
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

/** Gives a new directory a whole snapshot, at 5 of term 2, of bytes that are not this version's. */
async function withForeignSnapshot(config: NodeConfig, content: Uint8Array): Promise<void> {
  const storage = await openDirectory(config, () => {
    assert.fail("the disk failed");
  });
  await writeSnapshot(storage.snapshots, 5, 2, [content]);
  const point = { ...storage.recovered.snapshot, lastIncludedIndex: 5, lastIncludedTerm: 2 };
  const batch: PersistBatch = {
    sequence: 1,
    hardState: { currentTerm: 2, votedFor: null, commitIndex: 5 },
    entries: [],
    snapshot: { point, beforeFirst: { index: 5, term: 2 }, keepsLog: false },
  };
  await new Promise<void>((done) => {
    storage.persist(batch, done);
  });
  await storage.close();
}

test("server: a snapshot of another version, or of another store, is refused with what helps", async (t) => {
  const preamble = (magic: number, version: number): Buffer => {
    const bytes = Buffer.alloc(PREAMBLE_BYTES);
    bytes.writeUInt32BE(magic, 0);
    bytes.writeUInt32BE(version, 4);
    return bytes;
  };
  const cases = [
    [preamble(MAGIC, FORMAT_VERSION - 1), "otherFormat", /another version.*Start the node with/u],
    [preamble(MAGIC, FORMAT_VERSION + 1), "otherFormat", /another version.*Start the node with/u],
    [preamble(1, FORMAT_VERSION), "damaged", /no snapshot of a key-value store.*new node/u],
  ] as const;
  for (const [content, code, says] of cases) {
    const [config] = await localConfigs(t, 1);
    assert.ok(config !== undefined);
    await withForeignSnapshot(config, content);
    for (let tries = 0; tries < 2; tries++) {
      const start = startServer({ ...config, bootstrap: false });
      await assert.rejects(start, (error) => {
        assert.ok(error instanceof StorageError);
        assert.equal(error.code, code);
        assert.match(error.message, says);
        return true;
      });
    }
  }
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
