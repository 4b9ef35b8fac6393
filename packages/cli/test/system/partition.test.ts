import assert from "node:assert/strict";
import { test } from "node:test";

import { LocalQuorate } from "./local-quorate.ts";

interface Cut {
  readonly sides: readonly (readonly string[])[];
}

test("partition: a leader alone is replaced and told as a minority; heal makes one cluster of it", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const { leader, term } = await quorate.status();
  assert.ok(leader !== null && term !== null);
  const cut = JSON.parse(await quorate.succeed("partition", "leader", "-o", "json")) as Cut;
  assert.deepEqual(cut.sides[0], [leader]);
  const next = await quorate.succeed(
    "status",
    "--wait",
    "leader",
    "--timeout",
    "10s",
    "-o",
    "json",
  );
  assert.match(next, /"cuts": \[\s*\{/u);
  await quorate.succeed("put", "a", "1", "--timeout", "10s");
  const after = await quorate.status();
  assert.equal(after.health, "degraded");
  assert.ok(after.leader !== leader && Number(after.term) > Number(term));
  const minority = after.members.find(({ id }) => id === leader);
  assert.equal(minority?.health, "minority");
  const unhealthy = await quorate.fail(8, "status", "--wait", "healthy", "--timeout", "300ms");
  assert.match(unhealthy.stderr, /Partitioned: \{/u);
  await quorate.succeed("heal");
  await quorate.succeed("status", "--wait", "healthy", "--timeout", "20s");
  assert.match(await quorate.succeed("heal"), /No line was cut/u);
});

test("partition: with a dead node no side has a majority: put exits 5 or 6, and it heals by itself", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  await quorate.succeed("kill", "n3", "--wait");
  await quorate.succeed("partition", "n1", "--for", "5s");
  const report = JSON.parse((await quorate.run(["status", "-o", "json"])).stdout) as {
    readonly health: string;
  };
  assert.equal(report.health, "noQuorum");
  const put = await quorate.run(["put", "a", "1", "--timeout", "1s"]);
  assert.ok(put.code === 5 || put.code === 6, `${put.code}\n${put.stderr}`);
  assert.match(put.stderr, /quorate heal/u);
  await quorate.succeed("put", "a", "2", "--timeout", "20s");
  assert.equal((await quorate.succeed("get", "a")).trim(), "2");
});

test("heal: fails where a silent node may still be cut off; partition: where no end of a line obeys", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  await quorate.succeed("partition", "n1");
  await quorate.succeed("pause", "n2");
  const part = await quorate.fail(1, "heal", "--timeout", "1s");
  assert.match(part.stderr, /n2: its lines may still be cut/u);
  assert.match(part.stderr, /n1, n3 obeyed/u);
  const none = await quorate.fail(5, "heal", "--timeout", "1s");
  assert.match(none.stderr, /quorate resume n2/u);
  await quorate.succeed("resume", "n2");
  assert.match(await quorate.succeed("heal"), /Healed the lines of n2/u);

  await quorate.succeed("partition", "n1");
  await quorate.succeed("kill", "n2", "n3");
  const whole = await quorate.fail(1, "partition", "n2", "n3", "--timeout", "1s");
  assert.match(whole.stderr, /not cut: n2-n3/u);
  assert.match(whole.stderr, /the earlier partition was undone/u);
  const sides = await quorate.succeed("partition", "n1", "--timeout", "1s");
  assert.match(sides, /n2, n3 did not answer: the other ends of the lines are cut/u);
  await quorate.succeed("heal", "--timeout", "1s");
  const unhealthy = await quorate.fail(1, "verify", "--duration", "1s", "--timeout", "1s");
  assert.match(unhealthy.stderr, /not healthy: nothing was done/u);
});

test("partition: what cannot be meant is refused before anything is cut", async (context) => {
  const quorate = await LocalQuorate.prepare(context, 1);
  await quorate.up("-n", "1");
  await quorate.fail(2, "partition");
  await quorate.fail(2, "partition", "n1");
  await quorate.fail(3, "partition", "n7");
  await quorate.fail(2, "partition", "n1", "n1");
  await quorate.fail(2, "partition", "n1", "--for", "0s");
});
