import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LogEntry, Term } from "@quorate/wire";
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

/** When a server first had each entry of its log, as the requests of its leaders tell. */
class Receptions {
  readonly #lineOf = new Map<string, number>();
  readonly #terms: Term[] = [];

  /** An entry that is sent again is the one that was written; another in its place cuts the log. */
  received({ index, term }: LogEntry, line: number): void {
    if (this.#terms[index] === term) return;
    for (const [offset, cut] of this.#terms.slice(index).entries()) {
      this.#lineOf.delete(`${index + offset}@${cut}`);
    }
    this.#terms.length = Math.min(this.#terms.length, index);
    this.#terms[index] = term;
    this.#lineOf.set(`${index}@${term}`, line);
  }

  lineOf(entry: string): number | undefined {
    return this.#lineOf.get(entry);
  }
}

/**
 * Looks for a sync that began after the request came and ended before the promise left. A leader
 * may send an entry twice, the second time while the first copy is being synced: when an answer to
 * a heartbeat, which waits for no disk, overtakes that to the entry.
 */
function checkPromises(events: readonly TracedEvent[]): Promises {
  const promises: Promises = { appends: 0, votes: 0, broken: [] };
  const syncs = events.filter((event) => event.kind === "synced");
  const receptions = new Receptions();
  const askedAt = new Map<Term, number>();
  const promised = new Set<string>();
  const isSyncedBetween = (from: number, to: number): boolean =>
    syncs.some(({ startLine, line }) => startLine > from && line < to);
  for (const event of events) {
    if (event.kind === "synced") continue;
    const { message, line } = event;
    if (event.kind === "received" && message.type === "AppendEntries") {
      for (const entry of message.entries) receptions.received(entry, line);
    } else if (event.kind === "received" && message.type === "RequestVote") {
      askedAt.set(message.term, line);
    } else if (event.kind === "sent" && message.type === "AppendEntriesReply") {
      if (!message.success) continue;
      const entry = `${message.matchIndex}@${message.term}`;
      const from = receptions.lineOf(entry);
      if (from === undefined || promised.has(entry)) continue;
      promised.add(entry);
      promises.appends += 1;
      if (!isSyncedBetween(from, line)) promises.broken.push(`entry ${entry}, line ${line}`);
    } else if (event.kind === "sent" && message.type === "RequestVoteReply") {
      if (!message.voteGranted) continue;
      promises.votes += 1;
      const from = askedAt.get(message.term) ?? 0;
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
