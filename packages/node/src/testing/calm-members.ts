import type { Configuration, NodeId } from "@quorate/wire";
import type { ConfigurationTarget } from "../raft/index.ts";
import { allMembers } from "../raft/index.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimNode } from "./sim-node.ts";
import { addressesOf, without, withLearner } from "./sim-operator.ts";
import type { SimulationPlan } from "./simulation-plan.ts";

/** Any step of what follows, where nothing else goes on. */
const STEP_LIMIT_US = 30_000_000;
const PATIENCE_US = 1_000_000;
/** Twice as long as the slowest clock takes until it gives a silent server up. */
const GIVE_UP_LIMIT_US = 15_000_000;
/** A removed server that can be told is told by then. */
const TELL_LIMIT_US = 3_000_000;

/** How likely a run ends with a newcomer that never comes: waiting for it takes long. */
const SILENT_CHANCE = 0.4;

/**
 * Members that come and go in a calm cluster (Diss. ch. 4): a new server becomes a voter by itself,
 * and learns of it when it is removed; one that is never heard is given up.
 */
export async function exerciseMembers(
  cluster: SimCluster,
  plan: SimulationPlan,
  random: SeededRandom,
): Promise<void> {
  if (plan.changeGapMeanUs === null) return;
  const newcomer = cluster.addNode();
  newcomer.start();
  await stage(cluster, newcomer.id);
  requireInvariant(
    await cluster.runUntil(
      () => membersOf(cluster)?.voters.includes(newcomer.id) === true,
      STEP_LIMIT_US,
    ),
    "Liveness",
    () => `${newcomer.id}, which catches up in a calm cluster, is not made a voter`,
  );
  cluster.coverage.add("newcomersPromoted");
  if (!plan.faults.has("clockDrift")) await retire(cluster, newcomer);
  if (random.chance(SILENT_CHANCE)) await awaitSilent(cluster);
}

/** A server that is named and never started: a wrong address, perhaps. */
async function awaitSilent(cluster: SimCluster): Promise<void> {
  const { id } = cluster.addNode();
  await stage(cluster, id);
  requireInvariant(
    await cluster.runUntil(
      () => membersOf(cluster)?.staging.includes(id) === false,
      GIVE_UP_LIMIT_US,
    ),
    "Liveness",
    () => `${id}, which never started, is waited for`,
  );
  cluster.coverage.add("silentNewcomersGivenUp");
}

/**
 * Who is removed, and runs, knows it soon: nobody would tell it later, and it would ask for votes
 * for ever. A new leader does not know who is to be told.
 */
async function retire(cluster: SimCluster, node: SimNode): Promise<void> {
  const leader = cluster.leader();
  const before = leader?.view() ?? null;
  if (leader === null || before === null || leader === node) return;
  await change(cluster, `${node.id} is not removed`, (current, configuration) =>
    allMembers(configuration).includes(node.id) ? without(current, node.id) : null,
  );
  const knows = (): boolean => {
    const view = node.view();
    return view !== null && !allMembers(view.configuration).includes(node.id);
  };
  const isTold = await cluster.runUntil(knows, TELL_LIMIT_US);
  const after = leader.view();
  if (after?.role !== "leader" || after.currentTerm !== before.currentTerm) return;
  requireInvariant(isTold, "Liveness", () => `${node.id}, which was removed, is not told`);
  cluster.coverage.add("removedServersTold");
}

/** A learner that is to become a voter. */
async function stage(cluster: SimCluster, id: NodeId): Promise<void> {
  await change(cluster, `${id} is not added`, (current, configuration) =>
    allMembers(configuration).includes(id)
      ? null
      : withLearner(current, { id, address: `${id}:7001` }, true),
  );
}

/** Asks for what `targetOf` makes of the members until that is null. */
async function change(
  cluster: SimCluster,
  failure: string,
  targetOf: (
    current: ConfigurationTarget,
    configuration: Configuration,
  ) => ConfigurationTarget | null,
): Promise<void> {
  let nextUs = 0;
  const isDone = (): boolean => {
    const leader = cluster.leader();
    const configuration = leader?.view()?.configuration;
    if (leader === null || configuration === undefined) return false;
    const { voters, learners, staging } = configuration;
    const addresses = addressesOf(configuration);
    const target = targetOf({ voters, learners, staging, addresses }, configuration);
    if (target === null) return true;
    if (cluster.scheduler.nowUs < nextUs) return false;
    nextUs = cluster.scheduler.nowUs + PATIENCE_US;
    leader.changeMembers(target, { expectedIndex: null, force: false }, () => undefined);
    return false;
  };
  requireInvariant(
    await cluster.runUntil(isDone, STEP_LIMIT_US),
    "Liveness",
    () => `in a calm cluster ${failure}`,
  );
}

/** Of the one who leads, or null. */
function membersOf(cluster: SimCluster): Configuration | null {
  return cluster.leader()?.view()?.configuration ?? null;
}
