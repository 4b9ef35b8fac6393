import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@quorate/wire";
import { encodeCommand } from "../../src/kv/command-codec.ts";
import type { KvCommand } from "../../src/kv/kv-command.ts";
import type { KvResult } from "../../src/kv/kv-result.ts";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import { Cluster } from "../raft/cluster.ts";
import { TICKS } from "../raft/server-under-test.ts";

const KEY = new TextEncoder().encode("k");
const VALUE = new TextEncoder().encode("v");

/** A cluster that n1 leads, a client with a session, and the one write that it asks for. */
class Written {
  readonly cluster: Cluster;
  readonly #sessionId: number;

  constructor(size: number) {
    const ids = Array.from({ length: size }, (_, offset) => `n${offset + 1}`);
    this.cluster = new Cluster({ logs: Object.fromEntries(ids.map((id) => [id, []])) });
    this.cluster.elect("n1");
    this.#sessionId = this.#propose("n1", { kind: "openSession", ttlMs: 60_000 });
    this.cluster.settle();
    this.cluster.tick(TICKS.heartbeatTicks);
  }

  /** Asks `id` for the write; each time it is the same one of the session. */
  ask(id: NodeId): number {
    return this.#propose(id, { kind: "put", key: KEY, value: VALUE });
  }

  /** The leader's write is durable, and what it sent has reached `ids` and their disks. */
  store(...ids: readonly NodeId[]): void {
    this.cluster.finishWrite("n1");
    const requests = this.cluster.network.filter(
      ({ to, message }) => ids.includes(to) && message.type === "AppendEntries",
    );
    for (const posted of requests) this.cluster.deliver(posted);
    for (const id of ids) this.cluster.finishWrite(id);
  }

  /** What the followers answered has reached the leader. */
  answer(): void {
    const answers = this.cluster.network.filter(({ to }) => to === "n1");
    for (const posted of answers) this.cluster.deliver(posted);
  }

  /** The leader's process ends; what it has sent and nobody has received is lost. */
  loseLeader(): void {
    this.cluster.crash("n1");
    this.cluster.network = [];
  }

  /** n1 comes back, and hears `leader` for a while. */
  bringBack(leader: NodeId): void {
    this.cluster.restart("n1");
    this.cluster.tick(3 * TICKS.heartbeatTicks, [leader]);
    this.cluster.checkLogMatching();
  }

  /** What each of the put commands that `id` has applied was answered, and how often it was done. */
  outcome(id: NodeId): { readonly answers: readonly KvResult[]; readonly version: number } {
    const machine = new KvStateMachine();
    const commands = this.cluster.applied(id).filter(({ kind }) => kind === "command");
    const [, ...answers] = commands.map((entry) => machine.apply(entry));
    return { answers, version: machine.get(KEY)?.version ?? 0 };
  }

  #propose(id: NodeId, command: KvCommand): number {
    const session =
      command.kind === "put" ? { sessionId: this.#sessionId, serial: 1, ackedBelow: 1 } : null;
    const data = encodeCommand(command, { clusterTimeMs: 0, session });
    const result = this.cluster.step(id, (core) => core.propose(data));
    assert(result.kind === "accepted", `${id} refused: ${result.kind}`);
    return result.index;
  }
}

/** The client asks the new leader again: both times the answer is the first one's. */
function assertOnceAfterRetry(written: Written, leader: NodeId): void {
  written.ask(leader);
  written.cluster.settle();
  const { answers, version } = written.outcome(leader);
  assert.equal(answers.length, 2, "the log has the write twice");
  assert.deepEqual(answers[0], answers[1]);
  assert.equal(version, 1, "it was done once");
}

test("Leader crash 1: before the write reached it: nothing happened (S8a)", () => {
  const written = new Written(3);
  written.loseLeader();
  written.cluster.elect("n2");
  written.cluster.settle();
  assert.deepEqual(written.outcome("n2"), { answers: [], version: 0 });
  written.ask("n2");
  written.cluster.settle();
  assert.equal(written.outcome("n2").version, 1);
});

test("Leader crash 2: with the entry in its own log only: the retry succeeds, the entry goes (S8b)", () => {
  const written = new Written(3);
  const index = written.ask("n1");
  written.store();
  assert.equal(written.outcome("n1").version, 0, "nobody was told that it is done");
  written.loseLeader();
  written.cluster.elect("n2");
  written.ask("n2");
  written.cluster.settle();
  assert.deepEqual(written.outcome("n2").answers.length, 1);
  written.bringBack("n2");
  assert.notEqual(written.cluster.core("n1").entryAt(index)?.term, 1);
  assert.deepEqual(written.cluster.logTerms("n1"), written.cluster.logTerms("n2"));
  assert.equal(written.outcome("n1").version, 1);
});

test("Leader crash 3: with the entry on every follower, uncommitted: committed, the retry is one (S8c)", () => {
  const written = new Written(3);
  const index = written.ask("n1");
  written.store("n2", "n3");
  assert.ok(written.cluster.view("n1").commitIndex < index);
  written.loseLeader();
  written.cluster.elect("n2");
  written.cluster.settle();
  assert.equal(written.outcome("n2").version, 1);
  assertOnceAfterRetry(written, "n2");
});

test("Leader crash 4: with the entry on some followers: only one that has it can win (S8d)", () => {
  const written = new Written(5);
  written.ask("n1");
  written.store("n2", "n3");
  written.loseLeader();
  written.cluster.tick(6 * TICKS.electionTicks, ["n4", "n5"]);
  for (const id of ["n4", "n5"]) assert.notEqual(written.cluster.view(id).role, "leader");
  written.cluster.elect("n3");
  written.cluster.settle();
  assertOnceAfterRetry(written, "n3");
});

test("Leader crash 5: with the entry committed at itself, not at the followers: it is kept (S8e)", () => {
  const written = new Written(3);
  const index = written.ask("n1");
  written.store("n2", "n3");
  written.answer();
  assert.equal(written.cluster.view("n1").commitIndex, index);
  assert.ok(written.cluster.view("n2").commitIndex < index);
  written.loseLeader();
  written.cluster.elect("n3");
  written.cluster.settle();
  assertOnceAfterRetry(written, "n3");
});

test("Leader crash 6: after commitment everywhere, before the answer: the retry is answered (S8f)", () => {
  const written = new Written(3);
  const index = written.ask("n1");
  written.cluster.settle();
  written.cluster.tick(TICKS.heartbeatTicks);
  for (const id of ["n1", "n2", "n3"]) {
    assert.equal(written.cluster.view(id).commitIndex, index, id);
  }
  written.loseLeader();
  written.cluster.elect("n2");
  assertOnceAfterRetry(written, "n2");
  written.bringBack("n2");
  assert.equal(written.outcome("n1").version, 1);
});

test("Split brain: the old leader commits nothing, and takes the new one's log on healing (S9)", () => {
  const { cluster } = new Written(5);
  cluster.isolate("n1", "n2");
  const index = cluster.propose("n1", "lost");
  cluster.settle();
  // n1's clock stands still: by it, it would step down for want of a majority.
  cluster.tick(TICKS.electionTicks, ["n4", "n5"]);
  cluster.tick(2 * TICKS.electionTicks, ["n3"]);
  const kept = cluster.propose("n3", "kept");
  cluster.settle();
  assert.equal(cluster.view("n1").role, "leader", "two lead, each in a term of its own");
  assert.ok(cluster.view("n1").currentTerm < cluster.view("n3").currentTerm);
  assert.ok(cluster.view("n1").commitIndex < index);
  assert.ok(cluster.view("n3").commitIndex >= kept);
  cluster.isolate();
  cluster.tick(3 * TICKS.heartbeatTicks, ["n3"]);
  assert.equal(cluster.view("n1").role, "follower");
  assert.deepEqual(cluster.logTerms("n1"), cluster.logTerms("n3"));
  assert.equal(cluster.view("n1").commitIndex, cluster.view("n3").commitIndex);
});

test("Outdated candidate: an old log loses, a majority's wins, a longer tail is overwritten (S14)", () => {
  const cluster = new Cluster({
    logs: { n1: [1, 1], n2: [1, 1, 1], n3: [1, 1, 1], n4: [1, 1, 1], n5: [1, 1, 1, 1, 1] },
  });
  // n5 led term 1: entry 3 is on a majority, 4 and 5 are on its own disk only.
  cluster.crash("n5");
  cluster.tick(2 * TICKS.electionTicks, ["n1"]);
  assert.notEqual(cluster.view("n1").role, "leader");
  cluster.elect("n3");
  cluster.settle();
  cluster.restart("n5");
  cluster.tick(3 * TICKS.heartbeatTicks, ["n3"]);
  for (const id of cluster.ids) assert.deepEqual(cluster.logTerms(id), cluster.logTerms("n3"), id);
  assert.deepEqual(cluster.logTerms("n5").slice(0, 3), [1, 1, 1]);
  assert.ok((cluster.logTerms("n5")[3] ?? 0) > 1, "its own entry 4 went");
});
