import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { LogEntry } from "@quorate/wire";
import { decodeEntries } from "@quorate/wire";
import { QuorateClient } from "@quorate/wire/client";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import { findSnapshots, openSnapshot } from "../../src/storage/find-snapshots.ts";
import { StorageError } from "../../src/storage/index.ts";
import { LogDatabase } from "../../src/storage/log-database.ts";
import { DATABASE_FILE, SNAPSHOTS_FOLDER } from "../../src/storage/schema.ts";
import { HEADER_BYTES } from "../../src/storage/snapshot-file.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import type { Draw } from "./cut-disk.ts";
import { CutDisk } from "./cut-disk.ts";
import { Daemons, eventually } from "./daemons.ts";
import { scaled } from "./scale.ts";
import { CHANGING, isComplete, straceCommand } from "./strace-log.ts";
import type { ClientMessage } from "./traced-disk.ts";
import { TracedDisk } from "./traced-disk.ts";

const PUTS = scaled(20, 200);
const SEED = `${process.pid}`;
const WITHOUT_SYNCS = new URL("without-syncs.mjs", import.meta.url).href;
const skip = spawnSync("strace", ["-V"]).status === 0 ? false : "strace is not installed";
/** Images of the disk go to memory where there is some: there are hundreds, of 8 MiB. */
const IMAGES = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A life of a node's process: what it did to its disk, and what it told its clients. */
interface Life {
  readonly log: string;
}

/**
 * Runs one node, which decides alone, under strace: it is bootstrapped, takes writes, one at a time
 * and many at once, overwrites and deletes, makes snapshots, is stopped, started, killed and
 * started again.
 */
async function scriptedRun(
  t: TestContext,
  environment: Record<string, string>,
): Promise<{ directory: string; lives: Life[] }> {
  const folder = mkdtempSync(join(tmpdir(), "quorate-power-"));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const trace = join(folder, "trace");
  const flags = ["--snapshot-log-bytes", "8192", "--trailing-entries", "5"];
  const cluster = await Daemons.start(t, {
    size: 1,
    wrap: { n1: straceCommand(trace, CHANGING) },
    flags: [...flags, "--heartbeat-ms", "100", "--election-timeout-ms", "500"],
    environment: () => environment,
  });
  const client = new QuorateClient({ endpoints: cluster.endpoints, timeoutMs: 30_000 });
  t.after(() => client.close());
  const lives: Life[] = [];
  for (const [life, signal] of (["SIGTERM", "SIGKILL", "SIGTERM"] as const).entries()) {
    if (life > 0) cluster.launch("n1");
    await eventually("the node to lead", async () => {
      const status = await cluster.status("n1").catch(() => null);
      return status?.role === "leader" ? true : null;
    });
    for (let put = 0; put < PUTS; put += 1) {
      await client.put(`key-${put % 7}`, `life ${life} put ${put} ${"x".repeat(400)}`);
    }
    const keys = Array.from({ length: 10 }, (_, number) => `key-${life}-${number}`);
    await Promise.all(keys.map((key) => client.put(key, `all at once, ${key}`)));
    await client.delete("key-3");
    const pid = cluster.pidOf("n1");
    await cluster.end("n1", signal);
    lives.push({
      log: await eventually("the trace", () => {
        const text = readFileSync(trace, "utf8");
        return isComplete(text, pid) ? text : null;
      }),
    });
  }
  return { directory: cluster.directory, lives };
}

/** What clients asked, in its order, and what they were told. */
class Told {
  /** By key: every value that was asked for, and how many of them were acknowledged. */
  readonly #keys = new Map<string, { asked: (string | null)[]; acknowledged: number }>();
  readonly #open = new Map<string, { key: string; place: number }>();
  acknowledgedCount = 0;

  add(life: number, { socket, direction, message }: ClientMessage): void {
    if (!("requestId" in message)) return;
    const request = `${life} ${socket} ${message.requestId}`;
    if (direction === "received" && (message.type === "Put" || message.type === "Delete")) {
      const key = Buffer.from(message.key).toString();
      const known = this.#keys.get(key) ?? { asked: [], acknowledged: 0 };
      this.#keys.set(key, known);
      known.asked.push(message.type === "Put" ? Buffer.from(message.value).toString() : null);
      this.#open.set(request, { key, place: known.asked.length });
    } else if (message.type === "PutReply" || message.type === "DeleteReply") {
      const { key, place } = this.#open.get(request) ?? { key: "", place: 0 };
      const known = this.#keys.get(key);
      assert.ok(known !== undefined, `an answer to ${request}, which nobody asked`);
      known.acknowledged = Math.max(known.acknowledged, place);
      this.acknowledgedCount += 1;
    }
  }

  /** What `machine` lacks of what was acknowledged. */
  lostBy(machine: KvStateMachine): string[] {
    const lost: string[] = [];
    for (const [key, { asked, acknowledged }] of this.#keys) {
      if (acknowledged === 0) continue;
      const value = machine.get(Buffer.from(key))?.value ?? null;
      const text = value === null ? null : Buffer.from(value).toString();
      // A later one that was not acknowledged may have become durable all the same.
      if (!asked.slice(acknowledged - 1).includes(text))
        lost.push(`${key} is ${text?.slice(0, 20) ?? "gone"}`);
    }
    return lost;
  }
}

/** What a start finds in `directory`, by the storage's own code: the snapshot, then the log. */
async function recoveredState(directory: string): Promise<KvStateMachine> {
  const entries: LogEntry[] = [];
  const { database, contents } = LogDatabase.open(
    { databasePath: join(directory, DATABASE_FILE), expect: {}, sizeMaxBytes: null },
    {
      onSnapshot: () => {},
      onEntries: (records) => entries.push(...decodeEntries(records)),
      onAgain: () => {
        entries.length = 0;
      },
    },
  );
  database.close();
  const { snapshot } = contents;
  const snapshots = join(directory, SNAPSHOTS_FOLDER);
  const current = await openSnapshot(snapshots, snapshot);
  const { part } = await findSnapshots(snapshots, snapshot, current);
  const machine = new KvStateMachine();
  if (current !== null) {
    const restorer = machine.restore();
    restorer.write((await current.handle.readFile()).subarray(HEADER_BYTES));
    restorer.finish();
    await current.handle.close();
  }
  await part?.handle?.close();
  // Alone, a node decides by itself: whatever its log holds will be committed.
  for (const entry of entries) {
    if (entry.kind === "command" && entry.index > snapshot.lastIncludedIndex) machine.apply(entry);
  }
  return machine;
}

/** Starts on what a cut left behind; tells what is missing of what was acknowledged. */
async function lostIn(
  image: Map<string, Buffer | "folder">,
  base: string,
  told: Told,
): Promise<string[]> {
  const folder = mkdtempSync(join(IMAGES, "quorate-image-"));
  try {
    for (const [path, content] of image) {
      const target = join(folder, path.slice(base.length));
      mkdirSync(content === "folder" ? target : dirname(target), { recursive: true });
      if (content !== "folder") writeFileSync(target, content);
    }
    const directory = join(folder, "n1");
    if (!existsSync(join(directory, DATABASE_FILE))) {
      return told.acknowledgedCount === 0 ? [] : ["there is no database"];
    }
    return told.lostBy(await recoveredState(directory));
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return [`it does not start: ${error.message}`];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Finding {
  readonly cuts: number;
  readonly acknowledged: number;
  readonly lost: readonly string[];
}

/** Cuts the power after every change of a file or folder, and starts on what is left. */
async function cutEverywhere(
  directory: string,
  lives: readonly Life[],
  draws: readonly (Draw | null)[],
  lostMax: number,
): Promise<Finding> {
  const disk = new CutDisk(directory);
  const told = new Told();
  const lost: string[] = [];
  let cuts = 0;
  let firstPlace = 0;
  let judged = "";
  for (const [life, { log }] of lives.entries()) {
    const traced = new TracedDisk(disk, log, firstPlace);
    firstPlace += log.split("\n").length;
    let nextMessage = 0;
    for (const step of traced.steps) {
      step.apply();
      for (let next = traced.messages[nextMessage]; next !== undefined && next.at <= step.at;) {
        told.add(life, next);
        nextMessage += 1;
        next = traced.messages[nextMessage];
      }
      if (!step.isChange) continue;
      const state = `${disk.syncCount} ${told.acknowledgedCount}`;
      for (const draw of draws) {
        cuts += 1;
        // Without what was not synced the disk is the one of the cut before.
        if (draw === null && state === judged) continue;
        for (const what of await lostIn(disk.image(draw), directory, told)) {
          lost.push(`life ${life}, when it ${step.text} (line ${step.at}): ${what}`);
        }
        if (lost.length >= lostMax) return { cuts, acknowledged: told.acknowledgedCount, lost };
      }
      judged = state;
    }
  }
  return { cuts, acknowledged: told.acknowledgedCount, lost };
}

test(
  "power cut: after every write to the disk, nothing acknowledged is lost (Raft §5.1)",
  { skip },
  async (t) => {
    const { directory, lives } = await scriptedRun(t, {});
    const random = new SeededRandom(`power cut ${SEED}`);
    const some: Draw = () => random.below(1_000_000) / 1_000_000;
    const found = await cutEverywhere(directory, lives, [null, some], 5);
    t.diagnostic(`${found.cuts} cuts, ${found.acknowledged} acknowledged writes (seed ${SEED})`);
    assert.deepEqual(found.lost, []);
    assert.ok(found.acknowledged >= 3 * PUTS, `only ${found.acknowledged} were acknowledged`);
    assert.ok(found.cuts >= 2 * found.acknowledged, `only ${found.cuts} cuts`);
  },
);

test(
  "power cut: with synchronous=OFF and no sync of its own, the same run loses what it acknowledged",
  { skip },
  async (t) => {
    const { directory, lives } = await scriptedRun(t, {
      NODE_OPTIONS: `--import=${WITHOUT_SYNCS}`,
    });
    const found = await cutEverywhere(directory, lives, [null], 1);
    t.diagnostic(`after ${found.cuts} cuts: ${found.lost.join()}`);
    assert.equal(found.lost.length, 1);
  },
);
