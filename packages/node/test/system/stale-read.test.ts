import assert from "node:assert/strict";
import { test } from "node:test";
import { QuorateClient } from "@quorate/wire/client";
import { bytes, RawClient } from "../server/raw-client.ts";
import { Daemons, eventually } from "./daemons.ts";
import { scaled } from "./scale.ts";

const TRIES = scaled(10, 100);
/** Longer than any election, which is all that counts; the long form pauses as long as is told. */
const PAUSE_MS = scaled(1000, 5000);
const READS = 8;
const GET = { type: "Get", key: bytes("k"), consistency: "linearizable" } as const;

for (const [how, flags] of [
  ["by ReadIndex (Diss. §6.4)", []],
  ["by lease (Diss. §6.4.1)", ["--lease-reads"]],
] as const) {
  test(`stale reads: a leader that wakes from SIGSTOP answers no linearizable read from the past, ${TRIES} tries, ${how}`, async (t) => {
    const cluster = await Daemons.start(t, { size: 3, flags });
    const client = new QuorateClient({ endpoints: cluster.endpoints, timeoutMs: 20_000 });
    t.after(() => client.close());
    let answered = 0;
    let refused = 0;
    for (let number = 1; number <= TRIES; number += 1) {
      await client.put("k", `old ${number}`);
      const leader = await cluster.leader();
      // Not the client library: that gives a silent connection up, and would hear no answer.
      const paused = await RawClient.connect(cluster.endpointOf(leader));
      await paused.ask(GET);
      const began = performance.now();
      cluster.pause(leader);
      const others = cluster.ids.filter((id) => id !== leader);
      const rest = new QuorateClient({
        endpoints: others.map((id) => cluster.endpointOf(id)),
        timeoutMs: 20_000,
      });
      await rest.put("k", `new ${number}`);
      await rest.close();
      // Sent while it sleeps: they are the first thing that it finds when it wakes.
      const reads = Array.from({ length: READS }, () => paused.ask(GET, PAUSE_MS + 15_000));
      await eventually("the pause", () => (performance.now() - began >= PAUSE_MS ? true : null));
      cluster.resume(leader);
      for (const reply of await Promise.all(reads)) {
        if (reply.type !== "GetReply") {
          assert.ok(reply.type === "ErrorReply", reply.type);
          refused += 1;
          continue;
        }
        answered += 1;
        const value = Buffer.from(reply.found?.value ?? []).toString();
        assert.equal(value, `new ${number}`, `try ${number}: an answer from the past`);
      }
      paused.close();
      await cluster.converged();
    }
    assert.equal(answered + refused, TRIES * READS, "each read was heard of");
    assert.ok(answered > 0, "no read was answered: nothing was shown");
    t.diagnostic(
      `${TRIES} tries, ${TRIES * READS} reads, ${answered} answered, none from the past, ` +
        `${refused} refused`,
    );
  });
}
