import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { LocalQuorate } from "./local-quorate.ts";

interface Member {
  readonly id: string;
  readonly role: string;
}

interface MemberList {
  readonly configurationIndex: string;
  readonly members: readonly Member[];
}

test("members: a cluster grows to five, loses its leader for good, and replaces a wiped node", async (context) => {
  const quorate = await LocalQuorate.prepare(context, 8);
  const list = async (): Promise<MemberList> =>
    JSON.parse(await quorate.succeed("member", "list", "-o", "json")) as MemberList;
  const voters = async (): Promise<string[]> =>
    (await list()).members.filter(({ role }) => role === "voter").map(({ id }) => id);
  await quorate.up();
  await quorate.succeed("put", "k", "1");

  await context.test("add-node: the next names, each a voter when the command ends", async () => {
    const printed = await quorate.succeed("add-node");
    assert.match(printed, /✓ n4 answers on .*\n✓ n4 votes after .*4\/4 up; one more loss is safe/u);
    await quorate.succeed("add-node");
    assert.deepEqual(await voters(), ["n1", "n2", "n3", "n4", "n5"]);
    await quorate.succeed("status", "--wait", "healthy", "--timeout", "30s");
    assert.equal((await quorate.status()).up, 5);
    assert.match((await quorate.fail(9, "add-node", "n2")).stderr, /has a node "n2" already/u);
  });

  await context.test(
    "member --dry-run, --if-config: nothing is done, or not by mistake",
    async () => {
      const before = await list();
      const would = await quorate.succeed("member", "remove", "n5", "--dry-run");
      assert.match(would, /^would .*\n(?:.*\n)*Nothing was changed/u);
      const stale = String(Number(before.configurationIndex) - 1);
      await quorate.fail(7, "member", "remove", "n5", "--if-config", stale);
      assert.deepEqual(await list(), before);
      await quorate.fail(1, "member", "promote", "n9");
    },
  );

  await context.test(
    "remove-node leader: the others go on, its name is gone for good",
    async () => {
      const { leader } = await quorate.status();
      assert.ok(leader !== null);
      const printed = await quorate.succeed("remove-node", "leader");
      assert.match(printed, new RegExp(`✓ ${leader} is no member any more`, "u"));
      assert.match(printed, new RegExp(`Stopped ${leader} `, "u"));
      assert.equal(await quorate.succeed("get", "k", "--timeout", "10s"), "1\n");
      assert.equal((await voters()).includes(leader), false);
      assert.equal((await quorate.status()).members.length, 4);
      assert.ok(existsSync(join(quorate.nodeDirectory(leader), "data")));
      assert.match((await quorate.fail(9, "add-node", leader)).stderr, /used once/u);
    },
  );

  await context.test(
    "a wiped node: start refuses it and names the command that repairs",
    async () => {
      const status = await quorate.status();
      const wiped = status.members.find(({ id }) => id !== status.leader)?.id ?? "";
      await quorate.succeed("kill", wiped);
      rmSync(join(quorate.nodeDirectory(wiped), "data"), { recursive: true });
      const { stderr } = await quorate.fail(1, "start", wiped);
      const command = /try: {2}quorate (?<words>member replace n\d)/u.exec(stderr)?.groups?.[
        "words"
      ];
      assert.equal(command, `member replace ${wiped}`, stderr);
      assert.match(
        await quorate.succeed("ps"),
        new RegExp(`${wiped}\\tdown \\(its data is gone`, "u"),
      );
      const told = await quorate.succeed("status");
      assert.match(told, new RegExp(`${wiped}\\tlost data`, "u"));
      const replaced = await quorate.succeed(...command.split(" "));
      assert.match(replaced, /✓ n6 votes after/u);
      await quorate.succeed("status", "--wait", "healthy", "--timeout", "20s");
      assert.deepEqual((await voters()).includes(wiped), false);
      assert.equal((await voters()).length, 4);
    },
  );

  await context.test(
    "conditions and bounded staleness: exit code 7 where they do not hold",
    async () => {
      assert.equal(await quorate.succeed("put", "lock", "me", "--if-absent"), "OK\n");
      const { stderr } = await quorate.fail(7, "put", "lock", "you", "--if-absent");
      assert.match(stderr, /^error: /u);
      const read = await quorate.succeed("get", "lock", "-o", "json", "--max-staleness", "5s");
      const { value, modRevision, ageMs } = JSON.parse(read) as Record<string, string | number>;
      assert.equal(value, "me");
      assert.equal(typeof ageMs, "number");
      await quorate.fail(7, "del", "lock", "--if-rev", String(Number(modRevision) + 1));
      assert.equal(
        await quorate.succeed("del", "lock", "--if-rev", String(modRevision)),
        "deleted 1\n",
      );
    },
  );
});
