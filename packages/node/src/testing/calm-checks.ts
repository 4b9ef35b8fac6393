import { encodeCommand } from "../kv/command-codec.ts";
import { hasQuorum } from "../raft/index.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimNode } from "./sim-node.ts";
import type { SimulationPlan } from "./simulation-plan.ts";

/** A log may be this many times over its limit before it is compacted whatever else goes on. */
const OVERDUE = 4;
/** What is applied in one go, or while a snapshot is being written. */
const SLACK_BYTES = 64 * 1024;

/** Nobody writes any more: this is the time of one snapshot of a small store. */
const COMPACTION_US = 5_000_000;

const STALL_US = 20_000_000;
const HAND_OVER_LIMIT_US = 5_000_000;

const HICCUPS = 3;
const HICCUP_GAP_US = 100_000;

const DISTURBANCES = 3;
const CUT_OFF_US = 1_000_000;
const BACK_US = 600_000;
/** How long a leader that hears nobody may keep the others from electing one that does. */
const DEAF_LIMIT_US = 30_000_000;

/**
 * Bounded Log (Raft §7): what a calm server keeps above its snapshot is soon bounded by its limit. Not
 * at once: all that waited for a majority may have been committed in this moment.
 */
export async function requireBoundedLogs(
  cluster: SimCluster,
  { snapshots }: SimulationPlan,
): Promise<void> {
  const limitBytes = OVERDUE * snapshots.logBytes + SLACK_BYTES;
  const tooLong = (): SimNode | undefined =>
    cluster.nodes.find((node) => node.logBytesAboveSnapshot() > limitBytes);
  await cluster.runUntil(() => tooLong() === undefined, COMPACTION_US);
  const node = tooLong();
  requireInvariant(
    node === undefined,
    "Bounded Log",
    () =>
      `${node?.id ?? ""} keeps ${node?.logBytesAboveSnapshot() ?? 0} bytes above its snapshot; ` +
      `${limitBytes} are the limit`,
  );
}

/**
 * A leader whose disk hangs is missed by nobody until it is too late: in a calm cluster that can do
 * without it somebody else takes over, and serves writes.
 */
export async function stallLeader(cluster: SimCluster): Promise<void> {
  const stalled = cluster.leader();
  const view = stalled?.view() ?? null;
  if (stalled === null || view === null) return;
  if (!hasQuorum(view.configuration, (id) => id !== stalled.id)) return;
  cluster.trace.record("disk stall", stalled.id, STALL_US);
  stalled.disk.trouble.stalledUntilUs = cluster.scheduler.nowUs + STALL_US;
  let written = 0;
  let isServed = false;
  const serves = (): boolean => {
    const leader = cluster.leader();
    const value = Buffer.from(`${++written}`);
    const command = encodeCommand({ kind: "put", key: Buffer.from("stall check"), value });
    leader?.propose(command, ({ kind }) => {
      isServed ||= kind === "applied" && leader !== stalled;
    });
    return isServed;
  };
  requireInvariant(
    await cluster.runUntil(serves, HAND_OVER_LIMIT_US),
    "Liveness",
    () => `the disk of ${stalled.id} hangs, and nobody else serves writes`,
  );
  stalled.disk.trouble.end();
  cluster.coverage.add("stalledLeadersReplaced");
}

/**
 * No Disruption (Diss. §4.2.3, §9.6): in a calm cluster one server after another is cut off and
 * comes back, members and removed ones alike. The leader keeps its quorum throughout, and so it
 * keeps its term. Not asked for where clocks run so differently that timeouts mean little.
 */
export async function disturb(
  cluster: SimCluster,
  plan: SimulationPlan,
  random: SeededRandom,
): Promise<void> {
  if (plan.faults.has("clockDrift")) return;
  const leader = cluster.leader();
  const before = leader?.view() ?? null;
  if (leader === null || before === null) return;
  const spare = cluster.nodes.filter(
    (node) => node !== leader && hasQuorum(before.configuration, (id) => id !== node.id),
  );
  for (const node of random.shuffle(spare).slice(0, DISTURBANCES)) {
    const isPaused = random.chance(0.3);
    cluster.trace.record("cut off", node.id, isPaused ? 1 : 0);
    if (isPaused) node.pause();
    cluster.block([node], cluster.nodes);
    if (random.chance(0.7)) cluster.block(cluster.nodes, [node]);
    await cluster.runUntil(() => false, CUT_OFF_US);
    cluster.unblock([node], cluster.nodes);
    cluster.unblock(cluster.nodes, [node]);
    if (isPaused) node.resume();
    cluster.trace.record("back", node.id, 0);
    await cluster.runUntil(() => false, BACK_US);
    const after = leader.view();
    requireInvariant(
      after?.role === "leader" && after.currentTerm === before.currentTerm,
      "No Disruption",
      () =>
        `${node.id} came back, and ${leader.id} is ${after?.role ?? "down"} of term ` +
        `${after?.currentTerm ?? 0} where it led in term ${before.currentTerm}`,
    );
    cluster.coverage.add("healsUndisturbed");
  }
}

/**
 * A leader stands still for about as long as a lease lasts, and is asked to read as soon as it goes
 * on, before anybody can have answered it: what it knew of before is no lease any more (Diss.
 * §6.4.1), as is checked with every read.
 */
export async function hiccup(
  cluster: SimCluster,
  plan: SimulationPlan,
  random: SeededRandom,
): Promise<void> {
  const { leaseReads, heartbeatTicks, electionTicks } = plan.raft;
  if (!leaseReads) return;
  for (let times = 0; times < HICCUPS; times++) {
    const leader = cluster.leader();
    const ticks = random.between(heartbeatTicks + 1, electionTicks - heartbeatTicks);
    leader?.pause();
    await cluster.runUntil(() => false, ticks * plan.tickIntervalMs * 1000);
    leader?.resume();
    for (const afterUs of [0, 20, 50, 100, 200]) {
      cluster.scheduler.schedule(afterUs, () => {
        leader?.read(Buffer.from("key-0"), () => undefined);
      });
    }
    await cluster.runUntil(() => false, HICCUP_GAP_US);
  }
}

/** Liveness: who was removed is told, or forgotten, within a few election timeouts (rule 34). */
export function checkDeparted(cluster: SimCluster): void {
  const leader = cluster.leader();
  const departing = leader?.view()?.peers.filter(({ isDeparting }) => isDeparting) ?? [];
  requireInvariant(
    departing.length === 0,
    "Liveness",
    () => `${leader?.id ?? ""} still sends the log to ${departing.map(({ id }) => id).join(", ")}`,
  );
}

/**
 * In a calm cluster a leader that is told to hands over at once, to the server that was named, and
 * in the next term (Diss. §3.10): nobody waits for an election, or asks around first.
 */
export async function handOver(
  cluster: SimCluster,
  plan: SimulationPlan,
  random: SeededRandom,
): Promise<void> {
  if (plan.faults.has("clockDrift")) return;
  const leader = cluster.leader();
  const before = leader?.view() ?? null;
  if (leader === null || before === null) return;
  const { voters } = before.configuration;
  const targets = cluster.nodes.filter(
    (node) => node !== leader && voters.includes(node.id) && node.disk.voteFloor === null,
  );
  if (targets.length === 0) return;
  const target = random.pick(targets);
  cluster.trace.record("hand over", leader.id, target.id);
  leader.transferLeadership(target.id, () => {});
  const electionUs = plan.raft.electionTicks * plan.tickIntervalMs * 1000;
  const leads = (): boolean => target.view()?.role === "leader";
  requireInvariant(
    (await cluster.runUntil(leads, electionUs)) &&
      target.view()?.currentTerm === before.currentTerm + 1,
    "Liveness",
    () => `${leader.id} was told to hand over, and ${target.id} does not lead in the next term`,
  );
  cluster.coverage.add("leadershipHandedOver");
}

/**
 * Liveness where one way is cut (Diss. §6.2): a leader that is heard and hears nobody must stop, or
 * the others stay loyal to it for ever, and nothing is committed any more.
 */
export async function deafen(cluster: SimCluster): Promise<void> {
  const deaf = cluster.leader();
  const before = deaf?.view() ?? null;
  if (deaf === null || before === null) return;
  if (!hasQuorum(before.configuration, (id) => id !== deaf.id)) return;
  const others = cluster.nodes.filter((node) => node !== deaf);
  cluster.trace.record("deafen", deaf.id, 0);
  cluster.block(others, [deaf]);
  const isReplaced = await cluster.runUntil(() => {
    const leader = cluster.leader();
    return leader !== null && leader !== deaf;
  }, DEAF_LIMIT_US);
  requireInvariant(
    isReplaced,
    "Liveness",
    () => `${deaf.id}, which leads and hears nobody, is not replaced`,
  );
  cluster.unblock(others, [deaf]);
  cluster.coverage.add("deafLeadersReplaced");
}
