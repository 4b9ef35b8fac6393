import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { QuorateClient } from "@quorate/wire/client";
import { Daemons, eventually } from "./daemons.ts";
import type { TracedEvent } from "./strace-log.ts";
import { isComplete, straceCommand, tracedEvents } from "./strace-log.ts";

const WRITES = 100;
const hasStrace = spawnSync("strace", ["-V"]).status === 0;

/** Promises of one process, each with the sync that must lie between its request and it. */
interface Promises {
  appends: number;
  votes: number;
  readonly broken: string[];
}

/** Looks for a sync that began after `requestLine` and ended before `promiseLine`. */
function checkPromises(events: readonly TracedEvent[]): Promises {
  const promises: Promises = { appends: 0, votes: 0, broken: [] };
  const syncs = events.filter((event) => event.kind === "synced");
  const receivedAt = new Map<string, number>();
  const promised = new Set<string>();
  const isSyncedBetween = (from: number, to: number): boolean =>
    syncs.some(({ startLine, line }) => startLine > from && line < to);
  for (const event of events) {
    if (event.kind === "synced") continue;
    const { message, line } = event;
    if (event.kind === "received" && message.type === "AppendEntries") {
      for (const { index, term } of message.entries) receivedAt.set(`${index}@${term}`, line);
    } else if (event.kind === "received" && message.type === "RequestVote") {
      receivedAt.set(`vote@${message.term}`, line);
    } else if (event.kind === "sent" && message.type === "AppendEntriesReply") {
      if (!message.success) continue;
      const entry = `${message.matchIndex}@${message.term}`;
      const from = receivedAt.get(entry);
      if (from === undefined || promised.has(entry)) continue;
      promised.add(entry);
      promises.appends += 1;
      if (!isSyncedBetween(from, line)) promises.broken.push(`entry ${entry}, line ${line}`);
    } else if (event.kind === "sent" && message.type === "RequestVoteReply") {
      if (!message.voteGranted) continue;
      promises.votes += 1;
      const from = receivedAt.get(`vote@${message.term}`) ?? 0;
      if (!isSyncedBetween(from, line)) promises.broken.push(`vote of term ${message.term}`);
    }
  }
  return promises;
}

test(
  "durability: each append and each vote is synced between its request and its promise (§5.1)",
  { skip: hasStrace ? false : "strace is not installed" },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "quorate-strace-"));
    t.after(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const ids = ["n1", "n2", "n3"];
    const cluster = await Daemons.start(t, {
      size: 3,
      wrap: Object.fromEntries(ids.map((id) => [id, straceCommand(join(folder, id))])),
      // A traced process is slow: patience keeps the election from being repeated.
      flags: ["--heartbeat-ms", "200", "--election-timeout-ms", "2000"],
    });
    const client = new QuorateClient({ endpoints: cluster.endpoints, timeoutMs: 20_000 });
    t.after(() => client.close());
    const writes = Array.from({ length: WRITES }, (_, number) => client.put(`k${number}`, "v"));
    await Promise.all(writes.slice(0, WRITES / 2));
    for (const write of writes.slice(WRITES / 2)) await write;
    for (let number = 0; number < 20; number += 1) await client.put(`alone${number}`, "v");
    await cluster.converged();

    const total: Promises = { appends: 0, votes: 0, broken: [] };
    for (const id of ids) {
      const pid = cluster.pidOf(id);
      await cluster.end(id, "SIGTERM");
      const log = await eventually(`the trace of ${id}`, () => {
        const text = readFileSync(join(folder, id), "utf8");
        return isComplete(text, pid) ? text : null;
      });
      const found = checkPromises(tracedEvents(log));
      total.appends += found.appends;
      total.votes += found.votes;
      total.broken.push(...found.broken.map((promise) => `${id}: ${promise}`));
    }
    t.diagnostic(`${total.appends} acknowledged appends and ${total.votes} votes, each synced`);
    assert.deepEqual(total.broken, []);
    assert.ok(total.appends >= 20, `only ${total.appends} acknowledged appends were seen`);
    assert.ok(total.votes >= 1, "no vote was seen");
  },
);
