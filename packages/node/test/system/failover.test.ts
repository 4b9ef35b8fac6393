import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { QuorateClient, RequestError } from "@quorate/wire/client";
import { Daemons, eventually } from "./daemons.ts";

const KILLS = 20;

/** Writes fresh keys one after the other, for ever, and keeps what was acknowledged and when. */
class Writer {
  readonly acknowledged: { readonly key: string; readonly atMs: number }[] = [];
  unknown = 0;
  readonly #client: QuorateClient;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(client: QuorateClient) {
    this.#client = client;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  /** The longest time between two acknowledgements, the second of which came after `sinceMs`. */
  longestGapSince(sinceMs: number): number {
    let gapMs = 0;
    for (let at = this.acknowledged.length - 1; at > 0; at -= 1) {
      const [before, after] = [this.acknowledged[at - 1], this.acknowledged[at]];
      if (before === undefined || after === undefined || after.atMs < sinceMs) break;
      gapMs = Math.max(gapMs, after.atMs - before.atMs);
    }
    return gapMs;
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#stopped; number += 1) {
      const key = `key-${number}`;
      try {
        await this.#client.put(key, `value of ${key}`);
        this.acknowledged.push({ key, atMs: performance.now() });
      } catch (error) {
        // A write whose leader died may have been committed: neither acknowledged nor lost.
        if (!(error instanceof RequestError)) throw error;
        this.unknown += 1;
      }
      await turn();
    }
  }
}

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
  const lost: string[] = [];
  for (const { key } of writer.acknowledged) {
    const { found } = await client.get(key);
    if (found === null || Buffer.from(found.value).toString() !== `value of ${key}`) lost.push(key);
  }
  assert.deepEqual(lost, [], "acknowledged writes are lost");
  assert.ok(writer.unknown <= KILLS, `one writer has at most one write in flight at each kill`);
});
