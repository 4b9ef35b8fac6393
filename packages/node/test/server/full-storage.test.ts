import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientReply, ClientRequest, Role, StorageState } from "@quorate/wire";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import type { AnsweredRequest } from "../../src/server/request-router.ts";
import { RequestRouter } from "../../src/server/request-router.ts";
import { viewOf } from "../testing/checkers/view-of.ts";
import { SimClock } from "./sim-clock.ts";

const KEY = new Uint8Array(1);

const PUT: Extract<ClientRequest, { type: "Put" }> = {
  type: "Put",
  requestId: 1,
  key: KEY,
  value: KEY,
  ifRevision: null,
  session: null,
};

/** What a node of `role` answers while its storage is in `state`; its proposals lead nowhere. */
function answersOf(role: Role, state: StorageState): (request: AnsweredRequest) => ClientReply[] {
  const unused = (): never => assert.fail("it is not asked for");
  const router = new RequestRouter({
    driver: {
      propose: (_data, done) => {
        done({ kind: "notApplied", code: "notLeader", leaderId: "n2" });
      },
      readIndex: (done) => {
        done({ kind: "ready", readIndex: 0, appliedIndex: 0 });
      },
      leaseRead: () => null,
      transferLeadership: unused,
      view: () => viewOf({ role, currentTerm: 3 }),
      lastApplied: 0,
    },
    store: new KvStateMachine(),
    telemetry: { noteFailure: () => {}, noteRead: () => {}, noteCommit: () => {} },
    clock: new SimClock(),
    status: unused,
    membership: { change: unused },
    ageMs: () => 0,
    setFaults: null,
    storageState: () => state,
    isRetired: () => false,
    addressOf: (id) => `${id}:1`,
  });
  return (request) => {
    const replies: ClientReply[] = [];
    router.handle(request, (reply) => replies.push(reply));
    return replies;
  };
}

test("RequestRouter: a leader with a full disk refuses writes and answers reads (rule 54)", () => {
  const ask = answersOf("leader", "full");
  const [refused] = ask(PUT);
  assert.ok(refused?.type === "ErrorReply");
  assert.deepEqual([refused.code, refused.outcome], ["storageFull", "notApplied"]);
  const [read] = ask({
    type: "Get",
    requestId: 2,
    key: KEY,
    consistency: "stale",
    maxStalenessMs: null,
    minRevision: 0,
  });
  assert.equal(read?.type, "GetReply");
});

test("RequestRouter: a leader whose disk stalls says that it is overloaded, a follower who leads", () => {
  const [stalled] = answersOf("leader", "stalled")(PUT);
  assert.ok(stalled?.type === "ErrorReply");
  assert.deepEqual([stalled.code, stalled.outcome], ["overloaded", "notApplied"]);
  const [follower] = answersOf("follower", "full")(PUT);
  assert.ok(follower?.type === "ErrorReply");
  assert.deepEqual([follower.code, follower.leaderAddress], ["notLeader", "n2:1"]);
});
