import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogIndex, NodeId, RequestId } from "@quorate/wire";
import fc from "fast-check";
import { allMembers } from "../../src/raft/index.ts";
import { Cluster } from "./cluster.ts";
import { command, TICKS } from "./server-under-test.ts";

type Kind =
  | "tick"
  | "election"
  | "deliver"
  | "settle"
  | "drop"
  | "cutOff"
  | "duplicate"
  | "write"
  | "propose"
  | "read"
  | "transfer"
  | "peerDown"
  | "change"
  | "compact"
  | "install"
  | "crash"
  | "crashAfterWrite"
  | "restart";

interface Action {
  readonly kind: Kind;
  /** Chooses a server. */
  readonly server: number;
  /** Chooses a message, or another server. */
  readonly other: number;
}

const weights: readonly (readonly [Kind, number])[] = [
  ["deliver", 60],
  ["settle", 8],
  ["write", 24],
  ["tick", 14],
  ["election", 2],
  ["propose", 10],
  ["read", 5],
  ["drop", 2],
  ["cutOff", 2],
  ["duplicate", 3],
  ["transfer", 1],
  ["peerDown", 1],
  ["change", 5],
  ["compact", 5],
  ["install", 8],
  ["crash", 1],
  ["crashAfterWrite", 1],
  ["restart", 3],
];

const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.oneof(...weights.map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) }))),
  server: fc.nat({ max: 59 }),
  other: fc.nat({ max: 999 }),
});

/** A cluster, and what its clients may rely on. */
class Soup {
  readonly cluster: Cluster;
  /** The highest index that was committed anywhere when the read began. */
  readonly #reads: Map<RequestId, { readonly id: NodeId; readonly atLeast: LogIndex }> = new Map();
  #committed: LogIndex = 0;
  /** Counts what really happened: a soup in which nothing does proves nothing. */
  leaders = 0;
  answered = 0;
  changes = 0;

  /** The first `size` of seven servers vote; the others wait to be added. */
  constructor(size: number, seed: number) {
    const ids = Array.from({ length: 7 }, (_, offset) => `n${offset + 1}`);
    let state = seed;
    const below = (exclusiveMax: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * exclusiveMax);
    };
    this.cluster = new Cluster({
      logs: Object.fromEntries(ids.map((id) => [id, []])),
      voters: ids.slice(0, size),
      config: { trailingEntries: 1 },
      below,
    });
  }

  get committed(): LogIndex {
    return this.#committed;
  }

  do({ kind, server, other }: Action): void {
    const { cluster } = this;
    // Who waits to be added has nothing to do by itself.
    const active = cluster.ids.filter((one) => cluster.view(one).configuration.voters.length > 0);
    const id = active[server % active.length] ?? "";
    const peer = cluster.ids[other % cluster.ids.length] ?? "";
    if (kind === "cutOff") cluster.network = cluster.network.filter(({ to }) => to !== id);
    else if (kind === "deliver" || kind === "drop" || kind === "duplicate")
      this.#network(kind, other);
    else if (kind === "settle") cluster.settle();
    else if (kind === "restart") {
      if (!cluster.isUp(id)) cluster.restart(id);
    } else if (kind === "change") this.#change(peer, server);
    else if (cluster.isUp(id)) this.#local(kind, id, peer);
    this.#observe();
  }

  #network(kind: "deliver" | "drop" | "duplicate", other: number): void {
    const { cluster } = this;
    // Mostly the oldest, at times any: pipelines have to get somewhere.
    const at = other < 600 ? 0 : other % Math.max(1, cluster.network.length);
    const posted = cluster.network[at];
    if (posted === undefined) return;
    if (kind === "drop") cluster.network.splice(at, 1);
    else if (kind === "duplicate") cluster.network.push({ ...posted });
    else cluster.deliver(posted);
  }

  #local(kind: Kind, id: NodeId, peer: NodeId): void {
    const { cluster } = this;
    if (kind === "tick") {
      cluster.step(id, (core) => core.tick());
      cluster.sendSnapshots(id);
    } else if (kind === "election") {
      for (let ticks = 0; ticks < TICKS.electionTicks; ticks += 1) {
        cluster.step(id, (core) => core.tick());
      }
    } else if (kind === "propose") cluster.step(id, (core) => core.propose(command(id)));
    else if (kind === "transfer") cluster.step(id, (core) => core.transferLeadership(peer));
    else if (kind === "peerDown") cluster.step(id, (core) => core.peerDown(peer));
    else if (kind === "read") this.#read(id);
    else if (kind === "compact") cluster.compact(id);
    else if (kind === "install") {
      if (cluster.isInstalling(id)) cluster.finishInstalling(id);
    } else {
      if (kind !== "crash" && cluster.hasWrite(id)) cluster.finishWrite(id);
      if (kind !== "write") cluster.crash(id);
    }
  }

  /** Asks everybody who believes to lead: adds, promotes, removes or replaces `subject`. */
  #change(subject: NodeId, dice: number): void {
    const { cluster } = this;
    for (const id of cluster.ids) {
      if (!cluster.isUp(id) || cluster.view(id).role !== "leader") continue;
      const { voters, learners, staging, retired } = cluster.view(id).configuration;
      if (retired.includes(subject)) continue;
      const without = (ids: readonly NodeId[]): NodeId[] => ids.filter((one) => one !== subject);
      const isMember = voters.includes(subject) || learners.includes(subject);
      const removed = { voters: without(voters), learners: without(learners) };
      const leaver = voters[dice % voters.length];
      const target = {
        voters: isMember && dice % 3 > 0 ? removed.voters : [...removed.voters, subject],
        learners: removed.learners,
        staging: without(staging),
        addresses: [],
      };
      if (!isMember && dice % 3 === 0) {
        target.voters = without(voters);
        target.learners = [...removed.learners, subject];
        target.staging = [...target.staging, subject];
      } else if (!isMember && dice % 3 === 1) {
        target.voters = target.voters.filter((one) => one !== leaver);
      }
      const options = { expectedIndex: null, force: dice % 5 > 0 };
      const result = cluster.step(id, (core) => core.changeMembers(target, options));
      if (result.kind === "accepted") this.changes += 1;
    }
  }

  #read(id: NodeId): void {
    const atLeast = this.#committed;
    // Ids are unique within a server's life and, by its dice, across its restarts.
    let requestId = 0;
    this.cluster.step(id, (core) => {
      requestId = core.readIndex();
      this.#reads.set(requestId, { id, atLeast });
    });
  }

  /** A read that began after a commit sees it (linearizability, Diss. §6.4). */
  #observe(): void {
    const { cluster } = this;
    for (const id of cluster.ids) {
      const { role, commitIndex } = cluster.view(id);
      if (role === "leader") this.leaders += 1;
      this.#committed = Math.max(this.#committed, commitIndex);
      for (const [requestId, readIndex] of cluster.answeredReads(id)) {
        const read = this.#reads.get(requestId);
        if (read?.id !== id) continue;
        assert.ok(readIndex >= read.atLeast, `${id} read at ${readIndex}, not ${read.atLeast}`);
        this.#reads.delete(requestId);
        this.answered += 1;
      }
    }
  }
}

/** With the faults over, the cluster elects a leader and all apply the same. */
function recover(soup: Soup): void {
  const { cluster } = soup;
  for (const id of cluster.ids) if (!cluster.isUp(id)) cluster.restart(id);
  cluster.settle();
  for (let round = 0; round < 40; round += 1) {
    cluster.tick(TICKS.electionTicks);
    const leader = cluster.ids.find((id) => cluster.view(id).role === "leader");
    if (leader === undefined) continue;
    cluster.step(leader, (core) => core.propose(command("after the storm")));
    cluster.tick(2 * TICKS.heartbeatTicks);
    const { lastLogIndex, configuration } = cluster.view(leader);
    const members = allMembers(configuration);
    if (members.every((id) => cluster.applied(id).length === lastLogIndex)) return;
  }
  throw new Error("the cluster does not recover");
}

for (const [size, numRuns] of [
  [3, 400],
  [5, 200],
] as const) {
  test(`Soup: ${size} servers, any order of messages, writes, crashes, changes of members, snapshots: Figure 3 holds at every step`, () => {
    let commits = 0;
    let leaders = 0;
    let answered = 0;
    let changes = 0;
    let installs = 0;
    fc.assert(
      fc.property(
        fc.array(action, { minLength: 500, maxLength: 1000, size: "max" }),
        fc.nat(),
        (actions, seed) => {
          const soup = new Soup(size, seed);
          for (const [at, one] of actions.entries()) {
            soup.do(one);
            if (at % 50 === 0) soup.cluster.checkLogMatching();
          }
          commits += soup.committed;
          leaders += soup.leaders;
          answered += soup.answered;
          changes += soup.changes;
          installs += soup.cluster.installs;
          recover(soup);
          soup.cluster.checkLogMatching();
        },
      ),
      { numRuns },
    );
    assert.ok(commits > numRuns, `only ${commits} commits`);
    assert.ok(leaders > numRuns, `only ${leaders} steps with a leader`);
    assert.ok(answered > 0, "no read was answered");
    assert.ok(changes > numRuns, `only ${changes} changes of members`);
    assert.ok(installs > numRuns / 4, `only ${installs} snapshots were installed`);
  });
}
