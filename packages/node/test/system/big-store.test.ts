import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { QuorateClient } from "@quorate/wire/client";
import { Daemons, eventually } from "./daemons.ts";
import { Load } from "./load.ts";
import { scaled } from "./scale.ts";

const KEYS = scaled(100_000, 1_000_000);
const VALUE = Buffer.alloc(256, "v");
const MEBIBYTE = 1024 * 1024;
const PROBE = new URL("stall-probe.mjs", import.meta.url).href;
const INSTALL_TIMEOUT_MS = 300_000;
/** A second of that is the process's own start. */
const RESTART_MAX_MS = 3000;

test(`big store: ${KEYS} keys of 256 bytes: snapshot, a new member from it, a quick restart`, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-stalls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const stallFile = (id: string): string => join(folder, id);
  const cluster = await Daemons.start(t, {
    size: 3,
    flags: ["--snapshot-log-bytes", String(8 * MEBIBYTE), "--trailing-entries", "1000"],
    environment: (id) => ({
      NODE_OPTIONS: `--import=${PROBE}`,
      QUORATE_STALL_FILE: stallFile(id),
    }),
  });
  const client = new QuorateClient({ endpoints: cluster.endpoints, clientName: "load" });
  t.after(() => client.close());
  const keyOf = (number: number): string => `key-${number}`;
  const filling = performance.now();
  const load = new Load(client, { writers: 256, count: KEYS, keyOf, value: VALUE });
  await load.done();
  assert.equal(load.failed, 0);
  const fillMs = performance.now() - filling;
  const leader = await cluster.leader();
  const full = await eventually("a snapshot", async () => {
    const status = await cluster.status(leader);
    return status.snapshotIndex > 0 ? status : null;
  });

  const beganMs = performance.now();
  const { id, address } = await cluster.launchJoining();
  await client.changeMembers({ kind: "add", id, address, asLearner: false });
  const member = await eventually(
    `${id} to vote`,
    async () => {
      const { members } = await cluster.status(leader);
      return members.some((one) => one.id === id && one.role === "voter")
        ? await cluster.status(id)
        : null;
    },
    INSTALL_TIMEOUT_MS,
  );
  const installMs = performance.now() - beganMs;
  assert.ok(member.snapshotIndex > 0, "the new member was not sent a snapshot");
  await eventually("the new member's state", async () => {
    return (await cluster.status(id)).keyCount === KEYS ? true : null;
  });

  await cluster.end(id, "SIGTERM");
  const restarting = performance.now();
  cluster.launch(id);
  await eventually("the restarted member to serve", async () => {
    const status = await cluster.status(id).catch(() => null);
    return status?.keyCount === KEYS ? true : null;
  });
  const restartMs = performance.now() - restarting;
  const stalls = [...cluster.ids].map((one) => {
    const file = stallFile(one);
    return `${one} ${existsSync(file) ? readFileSync(file, "utf8") : "0"} ms`;
  });
  const memory = await Promise.all(
    cluster.ids.map(async (one) => {
      const { residentBytes } = await cluster.status(one);
      return `${one} ${Math.round(residentBytes / MEBIBYTE)} MiB`;
    }),
  );
  t.diagnostic(
    `filled in ${(fillMs / 1000).toFixed(1)} s; snapshot of ` +
      `${(full.snapshotBytes / MEBIBYTE).toFixed(0)} MiB at ${full.snapshotIndex}; new member votes ` +
      `after ${(installMs / 1000).toFixed(1)} s; restart to serving ${restartMs.toFixed(0)} ms`,
  );
  t.diagnostic(`longest stall of each loop: ${stalls.join(", ")}; resident: ${memory.join(", ")}`);
  assert.ok(restartMs < RESTART_MAX_MS, `restart took ${restartMs.toFixed(0)} ms`);
});
