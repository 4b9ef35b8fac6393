import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import type { TestContext } from "node:test";
import type { MembersChange, NodeStatus } from "@quorate/wire";
import { QuorateClient, RequestError } from "@quorate/wire/client";
import { Daemons, eventually } from "./daemons.ts";
import { Writer } from "./writer.ts";

function clientOf(t: TestContext, cluster: Daemons, timeoutMs = 5000): QuorateClient {
  const endpoints = cluster.endpoints;
  const client = new QuorateClient({ endpoints, clientName: "members", timeoutMs });
  t.after(() => client.close());
  return client;
}

const votersOf = ({ members }: NodeStatus): string[] =>
  members
    .filter(({ role }) => role === "voter")
    .map(({ id }) => id)
    .toSorted();

/** Whether a configuration is in force and committed, and no change of it goes on. */
function isSettled({ members, configurationIndex, commitIndex }: NodeStatus): boolean {
  const isMoving = members.some(({ role }) => role === "staging" || role === "leaving");
  return !isMoving && configurationIndex <= commitIndex;
}

/** Asks for a change, again while another one goes on. */
async function change(client: QuorateClient, wanted: MembersChange): Promise<void> {
  await eventually(`to ${wanted.kind} ${wanted.id}`, async () => {
    try {
      await client.changeMembers(wanted);
      return true;
    } catch (error) {
      const isOverSoon =
        error instanceof RequestError &&
        (error.code === "changeInProgress" || error.code === "notReady");
      if (isOverSoon) return null;
      throw error;
    }
  });
}

/** Starts one more node, adds it, and waits until it votes. */
async function grow(cluster: Daemons, client: QuorateClient): Promise<string> {
  const { id, address } = await cluster.launchJoining();
  await change(client, { kind: "add", id, address, asLearner: false });
  await settledWith(cluster, (voters) => voters.includes(id));
  return id;
}

/**
 * Waits until the leader of the newest term and everybody that is a member by its word say the
 * same, settled, members, of which `isRight` holds. Who is out may not have heard of it.
 */
function settledWith(
  cluster: Daemons,
  isRight: (voters: readonly string[]) => boolean,
): Promise<NodeStatus[]> {
  return eventually("the members to settle", async () => {
    const all = await cluster.statuses();
    const leaders = all.filter(({ role }) => role === "leader");
    const leader = leaders.toSorted((one, other) => other.currentTerm - one.currentTerm)[0];
    if (leader === undefined || !isRight(votersOf(leader))) return null;
    const ids = leader.members.map(({ id }) => id);
    const members = all.filter(({ nodeId }) => ids.includes(nodeId));
    const agree = members.every(
      (status) => isSettled(status) && status.configurationIndex === leader.configurationIndex,
    );
    return agree && members.length === ids.length ? members : null;
  });
}

test("membership: 3 nodes grow to 5 and shrink to 3, the leader among the removed, under a writer", async (t) => {
  const cluster = await Daemons.start(t, { size: 3 });
  const client = clientOf(t, cluster);
  const writer = new Writer(clientOf(t, cluster));
  t.after(() => writer.stop());
  const written = (count: number): Promise<boolean> => {
    const until = writer.acknowledged.length + count;
    return eventually("more writes", () => (writer.acknowledged.length >= until ? true : null));
  };
  await written(100);
  const startedMs = performance.now();
  for (const id of ["n4", "n5"]) {
    assert.equal(await grow(cluster, client), id);
    await written(100);
  }
  const leader = await cluster.leader();
  await change(client, { kind: "remove", id: leader });
  await settledWith(cluster, (voters) => !voters.includes(leader));
  const left = await eventually("the removed leader to retire", async () => {
    const status = await cluster.status(leader);
    return status.retired ? status : null;
  });
  assert.notEqual(left.role, "leader");
  await cluster.retire(leader);
  await written(100);
  const last = cluster.ids.find((id) => id !== leader) ?? "";
  await change(client, { kind: "remove", id: last });
  await settledWith(cluster, (voters) => !voters.includes(last));
  await cluster.retire(last);
  await written(100);
  await writer.stop();

  const statuses = await settledWith(cluster, (voters) => voters.length === 3);
  assert.deepEqual(votersOf(statuses[0] as NodeStatus), cluster.ids.toSorted());
  await cluster.converged();
  assert.deepEqual(await writer.lost(client), [], "acknowledged writes are lost");
  t.diagnostic(
    `longest gap in acknowledged writes: ${writer.longestGapSince(startedMs).toFixed(0)} ms; ` +
      `${writer.acknowledged.length} acknowledged, ${writer.unknown} unknown; ` +
      `${leader}, which led, and ${last} were removed`,
  );
});

/** How far a change is in the leader's own log, from 0: only asked for. */
const PHASES = [
  "asked",
  "joint entry in the leader's log",
  "joint entry committed",
  "new configuration in the leader's log",
  "new configuration committed",
] as const;

function phaseOf(now: NodeStatus, newcomer: string): number {
  const isJoint = now.members.some(({ role }) => role === "leaving");
  const isCommitted = now.commitIndex >= now.configurationIndex;
  if (isJoint) return isCommitted ? 2 : 1;
  if (!votersOf(now).includes(newcomer)) return 0;
  return isCommitted ? 4 : 3;
}

for (const [phase, point] of PHASES.entries()) {
  const row = `S23${"abcde"[phase] ?? ""}`;
  test(`membership: ${row}, a leader dies with a change at "${point}": it is finished or undone`, async (t) => {
    const cluster = await Daemons.start(t, { size: 3 });
    const client = clientOf(t, cluster, 2000);
    await client.put("before", "1");
    const leader = await cluster.leader();
    const victim = cluster.ids.find((id) => id !== leader) ?? "";
    const place = await cluster.launchJoining();
    // Two voters change at once: a new one comes in the place of a follower (joint consensus).
    const wanted = {
      kind: "replace",
      id: victim,
      withId: place.id,
      address: place.address,
    } as const;
    const asked = client.changeMembers({ ...wanted, address: place.address }).then(
      () => "done",
      () => "failed",
    );
    const reached = await eventually("the point of the change", async () => {
      if (phase === 0) return 0;
      const at = phaseOf(await cluster.status(leader), place.id);
      return at >= phase ? at : null;
    });
    await cluster.end(leader);
    const outcome = await asked;
    cluster.launch(leader);

    const statuses = await settledWith(cluster, (voters) => voters.length === 3);
    const voters = votersOf(statuses[0] as NodeStatus);
    const isFinished = voters.includes(place.id);
    assert.equal(isFinished, !voters.includes(victim), `neither old nor new: ${voters.join()}`);
    await client.put("after", "1");
    for (const key of ["before", "after"]) {
      assert.notEqual((await client.get(key)).found, null, `${key} is lost`);
    }
    const leaders = statuses.filter(({ role }) => role === "leader");
    assert.equal(leaders.length, 1);
    t.diagnostic(
      `killed at "${PHASES[reached] ?? ""}": ${isFinished ? "finished" : "undone"}; ` +
        `the client was told: ${outcome}`,
    );
  });
}

test("membership: a node wiped with rm -rf is refused, and its successor takes its place", async (t) => {
  const cluster = await Daemons.start(t, { size: 3 });
  const client = clientOf(t, cluster);
  await client.put("kept", "1");
  const leader = await cluster.leader();
  const wiped = cluster.ids.find((id) => id !== leader) ?? "";
  await cluster.end(wiped);
  rmSync(cluster.dataDirectoryOf(wiped), { recursive: true });
  for (const flag of ["--bootstrap", "--join"]) {
    cluster.launch(wiped, [flag]);
    const refusal = await eventually(`${wiped} to be refused`, () => {
      const log = cluster.logOf(wiped);
      return /quorate member replace|member remove/u.test(log) ? log : null;
    });
    assert.match(refusal, new RegExp(`member (?:replace|remove) ${wiped}`, "u"));
    const others = await cluster.status(leader);
    assert.equal(others.role, "leader");
    await cluster.end(wiped).catch(() => undefined);
    rmSync(cluster.dataDirectoryOf(wiped), { recursive: true, force: true });
  }
  await change(client, { kind: "remove", id: wiped });
  await settledWith(cluster, (voters) => !voters.includes(wiped));
  await cluster.retire(wiped);
  const successor = await grow(cluster, client);
  const statuses = await cluster.converged();
  assert.equal(statuses.length, 3);
  const reader = new QuorateClient({ endpoints: [cluster.endpointOf(successor)] });
  t.after(() => reader.close());
  assert.notEqual((await reader.get("kept", { consistency: "stale" })).found, null);
});
