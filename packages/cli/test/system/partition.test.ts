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

test("partition: what cannot be meant is refused before anything is cut", async (context) => {
  const quorate = await LocalQuorate.prepare(context, 1);
  await quorate.up("-n", "1");
  await quorate.fail(2, "partition");
  await quorate.fail(2, "partition", "n1");
  await quorate.fail(3, "partition", "n7");
  await quorate.fail(2, "partition", "n1", "n1");
});
