import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { PutReply } from "@quorate/wire";
import { QuorateClient } from "@quorate/wire/client";
import { Daemons, eventually } from "./daemons.ts";
import { scaled } from "./scale.ts";
import { DirectSender } from "./twice-sender.ts";

const INCREMENTS = scaled(1000, 10_000);
const KILLS = scaled(5, 50);
const KEY = Buffer.from("counter");
const TIMEOUT_MS = 30_000;

/** Sends one numbered write to random nodes until one of them answers that it took effect. */
async function put(
  sender: DirectSender,
  cluster: Daemons,
  write: { readonly sessionId: number; readonly serial: number },
): Promise<PutReply> {
  const { sessionId, serial } = write;
  const session = { sessionId, serial, ackedBelow: serial };
  const value = Buffer.from(String(serial));
  let hint: string | null = null;
  return eventually(
    `write ${serial} to be answered`,
    async () => {
      const all = cluster.endpoints;
      const address: string = hint ?? all[Math.floor(Math.random() * all.length)] ?? "";
      const request = { type: "Put", key: KEY, value, ifRevision: null, session } as const;
      const reply = await sender.ask(address, request);
      hint = reply?.type === "ErrorReply" ? reply.leaderAddress : null;
      if (reply?.type === "ErrorReply") assert.notEqual(reply.code, "sessionExpired");
      return reply?.type === "PutReply" ? reply : null;
    },
    TIMEOUT_MS,
  );
}

async function openSession(sender: DirectSender, cluster: Daemons): Promise<number> {
  return eventually("a session", async () => {
    const address = cluster.endpointOf(await cluster.leader());
    const reply = await sender.ask(address, { type: "OpenSession" });
    return reply?.type === "SessionReply" ? reply.sessionId : null;
  });
}

test(`exactly once: ${INCREMENTS} increments, each sent twice to random nodes through ${KILLS} leader kills, count exactly`, async (t) => {
  const flags = ["--snapshot-log-bytes", "65536", "--trailing-entries", "100"];
  const cluster = await Daemons.start(t, { size: 3, flags });
  const sender = new DirectSender();
  t.after(() => sender.close());
  const sessionId = await openSession(sender, cluster);
  let written = 0;
  let kills = 0;
  let differing = 0;

  const killing = (async (): Promise<void> => {
    for (; kills < KILLS; kills += 1) {
      const next = Math.floor(((kills + 1) * INCREMENTS) / (KILLS + 1));
      await eventually("more increments", () => (written >= next ? true : null), 120_000);
      const leader = await cluster.leader();
      await cluster.end(leader);
      cluster.launch(leader);
    }
  })();
  for (let serial = 1; serial <= INCREMENTS; serial += 1) {
    const write = { sessionId, serial };
    // Both at once: the second may arrive first, and at another leader.
    const [first, second] = await Promise.all([
      put(sender, cluster, write),
      put(sender, cluster, write),
    ]);
    const { requestId } = first;
    if (!isDeepStrictEqual(first, { ...second, requestId })) differing += 1;
    written = serial;
  }
  await killing;
  const client = new QuorateClient({ endpoints: cluster.endpoints });
  t.after(() => client.close());
  const { found } = await client.get(KEY);
  assert.equal(found?.version, INCREMENTS, "the key was not written exactly once a request");
  assert.equal(differing, 0, "a repeat was answered differently");
  const snapshots = (await cluster.converged()).map(({ snapshotIndex }) => snapshotIndex);
  t.diagnostic(
    `version ${found.version} after ${2 * INCREMENTS} requests or more and ${kills} kills; ` +
      `snapshots at ${snapshots.join(", ")}`,
  );
});
