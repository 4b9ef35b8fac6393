import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientReply } from "@quorate/wire";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import type { ProposalOutcome } from "../../src/server/driver-outcomes.ts";
import { RequestRouter } from "../../src/server/request-router.ts";
import type { RaftView } from "../../src/raft/index.ts";
import { viewOf } from "../testing/checkers/view-of.ts";
import { SimClock } from "./sim-clock.ts";

const leaderView = (): RaftView => viewOf({ role: "leader", currentTerm: 3 });

/** Every put ends for the driver with `outcome`; nothing else may be asked of it. */
function routerOf(outcome: ProposalOutcome<KvResult>): RequestRouter {
  const unused = (): never => assert.fail("nobody asked for that");
  return new RequestRouter({
    driver: {
      propose: (_data, done) => {
        done(outcome);
      },
      readIndex: unused,
      leaseRead: unused,
      transferLeadership: unused,
      view: leaderView,
      lastApplied: 0,
    },
    store: new KvStateMachine(),
    telemetry: { noteFailure: () => {}, noteRead: () => {}, noteCommit: () => {} },
    clock: new SimClock(),
    status: unused,
    membership: { change: unused },
    ageMs: unused,
    setFaults: null,
    storageState: () => "ok",
    isRetired: () => false,
    addressOf: (id) => `${id}:1`,
  });
}

/** What a client is told of a put that ended for the driver with `outcome`. */
function replyTo(outcome: ProposalOutcome<KvResult>): ClientReply | undefined {
  const router = routerOf(outcome);
  const replies: ClientReply[] = [];
  const write = { key: new Uint8Array(1), value: new Uint8Array(1) };
  const put = { ...write, ifRevision: null, session: null };
  router.handle({ type: "Put", requestId: 7, ...put }, (reply) => {
    replies.push(reply);
  });
  assert.equal(replies.length, 1);
  return replies[0];
}

test("RequestRouter: a write that may yet be applied is told as unknown, never as notApplied", () => {
  for (const code of ["leadershipLost", "stopping"] as const) {
    const reply = replyTo({ kind: "unknown", code, leaderId: null });
    assert.ok(reply?.type === "ErrorReply");
    assert.deepEqual([reply.requestId, reply.code, reply.outcome], [7, code, "unknown"]);
  }
});

test("RequestRouter: a write that is in no log is told as notApplied, with the leader's address", () => {
  const reply = replyTo({ kind: "notApplied", code: "proposalDropped", leaderId: "n2" });
  assert.ok(reply?.type === "ErrorReply");
  assert.deepEqual([reply.code, reply.outcome], ["proposalDropped", "notApplied"]);
  assert.deepEqual([reply.leaderId, reply.leaderAddress], ["n2", "n2:1"]);
});

test("RequestRouter: a server that stops begins neither writes nor transfers", () => {
  const router = routerOf({ kind: "unknown", code: "leadershipLost", leaderId: null });
  router.beginStop();
  const session = { ifRevision: null, session: null };
  const put = { key: new Uint8Array(1), value: new Uint8Array(1), ...session };
  const replies: ClientReply[] = [];
  for (const request of [
    { type: "Put", requestId: 1, ...put },
    { type: "MoveLeader", requestId: 2, target: null },
    { type: "MoveLeader", requestId: 3, target: "n2" },
  ] as const) {
    router.handle(request, (reply) => replies.push(reply));
  }
  assert.deepEqual(
    replies.map((reply) => reply.type === "ErrorReply" && [reply.code, reply.outcome]),
    Array.from({ length: 3 }, () => ["stopping", "notApplied"]),
  );
});
