import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hello, HelloRefusalCode, NodeId } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { KnownMembers, PeerStart } from "../../src/transport/peer-admission.ts";
import { Admission } from "../../src/transport/peer-admission.ts";
import { clientHello } from "../server/raw-client.ts";

const MEMBERS: KnownMembers = {
  configuration: configurationOf({ voters: ["n1", "n2", "n3"], retired: ["n9"] }),
  configurationIndex: 7,
  isCommitted: true,
};

/** n1 of cluster "test", and what it remembers durably. */
class Memory {
  readonly starts = new Map<NodeId, PeerStart>();
  members: KnownMembers = MEMBERS;
  /** Ends the writes that wait; null: they end at once. */
  waiting: (() => void)[] | null = null;
  readonly admission: Admission;

  constructor() {
    this.admission = new Admission({
      clusterId: "test",
      nodeId: "n1",
      members: () => this.members,
      peerStart: (id) => this.starts.get(id) ?? null,
      rememberPeer: async (id, start) => {
        const { waiting } = this;
        if (waiting !== null) {
          await new Promise<void>((resolve) => {
            waiting.push(resolve);
          });
        }
        this.starts.set(id, start);
      },
    });
  }

  async codeOf(changes: Partial<Hello>): Promise<HelloRefusalCode | null> {
    return (await this.admission.check(helloOf(changes)))?.code ?? null;
  }
}

function helloOf(changes: Partial<Hello>): Hello {
  const start = { incarnation: "i2", bootNumber: 4, bootId: "b4", configurationIndex: 7 };
  return clientHello({
    clusterId: "test",
    from: "n2",
    to: "n1",
    role: "peer",
    ...start,
    ...changes,
  });
}

test("admission: each start of a directory is let in, and remembered (Diss. §3.8)", async () => {
  const memory = new Memory();
  assert.equal(await memory.codeOf({}), null);
  assert.equal(await memory.codeOf({}), null, "a second connection of the same start");
  assert.equal(await memory.codeOf({ bootNumber: 5, bootId: "b5" }), null);
  assert.deepEqual(memory.starts.get("n2"), { incarnation: "i2", bootNumber: 5, bootId: "b5" });
});

test("admission: another directory under an old name is refused, with what repairs it", async () => {
  const memory = new Memory();
  await memory.codeOf({});
  const hello = helloOf({ incarnation: "i7", bootNumber: 9 });
  const refusal = await memory.admission.check(hello);
  assert.equal(refusal?.code, "wrongIncarnation");
  assert.match(refusal.message, /n2 has lost its data/u);
  assert.match(
    refusal.remedy,
    /quorate member replace n2 .*quorate remove-node n2 && quorate add-node/u,
  );
});

test("admission: an older copy of a directory is refused, and so is a copy that runs beside it", async () => {
  const memory = new Memory();
  await memory.codeOf({});
  assert.equal(await memory.codeOf({ bootNumber: 3, bootId: "b9" }), "wrongIncarnation");
  assert.equal(await memory.codeOf({ bootId: "b9" }), "wrongIncarnation");
  assert.equal(memory.starts.get("n2")?.bootId, "b4");
});

test("admission: nobody is answered before what is known of it is durable", async () => {
  const memory = new Memory();
  memory.waiting = [];
  let isAnswered = false;
  const answer = memory.codeOf({}).then(() => {
    isAnswered = true;
  });
  await new Promise(setImmediate);
  assert.equal(isAnswered, false);
  assert.equal(await memory.codeOf({ bootId: "copy" }), "wrongIncarnation", "judged by it already");
  for (const finish of memory.waiting) finish();
  await answer;
});

test("admission: a peer of a release without boot numbers may come again", async () => {
  const memory = new Memory();
  assert.equal(await memory.codeOf({ bootNumber: null, bootId: "a" }), null);
  assert.equal(await memory.codeOf({ bootNumber: null, bootId: "b" }), null);
  assert.equal(await memory.codeOf({ bootNumber: 1, bootId: "c" }), null);
  assert.equal(await memory.codeOf({ bootNumber: null, bootId: "d" }), "wrongIncarnation");
});

test("admission: an unknown node is refused, unless it knows newer members than this one", async () => {
  const memory = new Memory();
  assert.equal(await memory.codeOf({ from: "n4" }), "notMember");
  assert.equal(await memory.codeOf({ from: "n4", configurationIndex: null }), "notMember");
  assert.equal(await memory.codeOf({ from: "n4", configurationIndex: 8 }), null);
});

test("admission: a removed node is refused for ever, once its removal is committed", async () => {
  const memory = new Memory();
  const refusal = await memory.admission.check(helloOf({ from: "n9", configurationIndex: 99 }));
  assert.equal(refusal?.code, "retired");
  assert.match(refusal.message, /n9 was removed from cluster test/u);
  memory.members = { ...MEMBERS, isCommitted: false };
  assert.equal(await memory.codeOf({ from: "n9" }), null);
});

test("admission: who waits to be added lets its cluster in, and no other", async () => {
  const memory = new Memory();
  memory.members = { ...MEMBERS, configuration: configurationOf({ voters: [] }) };
  assert.equal(await memory.codeOf({ from: "n4" }), null);
  assert.equal(await memory.codeOf({ from: "n4", clusterId: "other" }), "wrongCluster");
  assert.equal(await memory.codeOf({ from: "n4", to: "n3" }), "wrongNode");
});
