import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { QuorateClient, RequestError } from "@quorate/wire/client";
import { Daemons } from "./daemons.ts";

const REPOSITORY = fileURLToPath(new URL("../../../..", import.meta.url));
const PAIRS_MAX = 4000;
const WRITERS = 16;

interface Pair {
  readonly path: string;
  /** SHA-256 of the file, 32 bytes. */
  readonly hash: Buffer;
}

/** Every file of the checkout, what it has installed included, up to {@link PAIRS_MAX}. */
function repositoryFiles(): Pair[] {
  const pairs: Pair[] = [];
  const folders = [REPOSITORY];
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.name === ".git" || pairs.length >= PAIRS_MAX) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      if (!entry.isFile()) continue;
      const hash = createHash("sha256").update(readFileSync(path)).digest();
      pairs.push({ path: relative(REPOSITORY, path), hash });
    }
  }
  return pairs;
}

test("real data: every file's path and hash, imported through a leader's kill, is on every node", async (t) => {
  const pairs = repositoryFiles();
  assert.ok(pairs.length >= 1000, `only ${pairs.length} files to import`);
  const cluster = await Daemons.start(t, { size: 3 });
  const client = new QuorateClient({ endpoints: cluster.endpoints, clientName: "import" });
  t.after(() => client.close());

  const acknowledged: Pair[] = [];
  let unknown = 0;
  const queue = [...pairs];
  async function importPairs(): Promise<void> {
    for (let pair = queue.shift(); pair !== undefined; pair = queue.shift()) {
      try {
        await client.put(pair.path, pair.hash);
        acknowledged.push(pair);
      } catch (error) {
        // What the dead leader left open may be there or not: it was never acknowledged.
        if (!(error instanceof RequestError)) throw error;
        unknown += 1;
      }
      if (acknowledged.length === Math.floor(pairs.length / 2)) await killLeader();
    }
  }
  let killed: string | null = null;
  async function killLeader(): Promise<void> {
    if (killed !== null) return;
    killed = "under way";
    killed = await cluster.leader();
    await cluster.end(killed);
  }
  await Promise.all(Array.from({ length: WRITERS }, importPairs));
  assert.ok(killed !== null, "no leader was killed");
  cluster.launch(killed);
  await cluster.converged();

  for (const id of cluster.ids) {
    const reader = new QuorateClient({ endpoints: [cluster.endpointOf(id)], clientName: "check" });
    t.after(() => reader.close());
    for (const { path, hash } of acknowledged) {
      const { found } = await reader.get(path, { consistency: "stale" });
      assert.ok(found !== null, `${id} lost ${path}`);
      assert.deepEqual(Buffer.from(found.value), hash, `${id} has another value of ${path}`);
    }
  }
  assert.ok(unknown <= WRITERS, `${unknown} unknown outcomes of ${WRITERS} writers`);
  t.diagnostic(
    `${pairs.length} pairs: ${acknowledged.length} acknowledged and on all nodes, ${unknown} unknown`,
  );
});
