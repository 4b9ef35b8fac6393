import type { Coverage } from "./coverage.ts";
import { FaultInjector } from "./fault-injector.ts";
import type { Invariant } from "./invariant-violation.ts";
import { InvariantViolation, requireInvariant } from "./invariant-violation.ts";
import type { PlanOverrides } from "./plan-overrides.ts";
import { faultsWithout, overridePlan } from "./plan-overrides.ts";
import { SeededRandom } from "./seeded-random.ts";
import { outliveSessions } from "./session-silence.ts";
import { SimClient } from "./sim-client.ts";
import { SimCluster } from "./sim-cluster.ts";
import { StreamInjector } from "./stream-injector.ts";
import { replaceLost, SimOperator } from "./sim-operator.ts";
import { SimSessionClient } from "./sim-session-client.ts";
import {
  checkDeparted,
  deafen,
  hiccup,
  disturb,
  handOver,
  requireBoundedLogs,
  stallLeader,
} from "./calm-checks.ts";
import { exerciseMembers } from "./calm-members.ts";
import { allMembers, isVoter } from "../raft/index.ts";
import type { NodeParts } from "./sim-life.ts";
import type { SimNode } from "./sim-node.ts";
import type { CreateClient } from "./sim-library-client.ts";
import { SimLibraryClient } from "./sim-library-client.ts";
import { SimSubscriber } from "./sim-subscriber.ts";
import type { SimulationPlan } from "./simulation-plan.ts";
import { drawPlan } from "./simulation-plan.ts";
import { turnAway } from "./strangers.ts";

/** How long a healed majority may take to serve a write, and a healed cluster to agree. */
const LIVENESS_LIMIT_US = 30_000_000;

const AWAKENING_US = 1_000;
/** Of runs over streams: somebody follows a node. */
const SUBSCRIBER_CHANCE = 0.5;

const OPERATOR_PATIENCE_US = 1_000_000;

/** A removed server that cannot be told is forgotten by then. */
const DEPARTURE_LIMIT_US = 3_000_000;

export interface SimulationOptions {
  /** Told every event as a line. */
  readonly onEvent?: (line: string) => void;
  /** Broken parts, to prove that they are caught. */
  readonly parts?: NodeParts;
  /** What is made smaller than the seed says. */
  readonly overrides?: PlanOverrides;
}

/** The first guarantee that broke, and what happened before. */
export interface SimulationFailure {
  readonly invariant: Invariant;
  readonly message: string;
  /** The last events, oldest first. */
  readonly lastEvents: readonly string[];
  /** Where an exception came from; null for a broken invariant: its events tell more. */
  readonly stack: string | null;
}

export interface SimulationResult {
  readonly seed: number;
  /** Hash of every event: equal for equal seeds and code. */
  readonly traceHash: string;
  readonly eventCount: number;
  readonly simulatedMs: number;
  readonly coverage: Coverage;
  readonly failure: SimulationFailure | null;
}

/**
 * Runs one cluster through everything that follows from `seed`: a time with faults, in which only
 * safety is asked for; then the faults end and a majority must serve writes; then all nodes come
 * back and must agree. Every event is followed by every check.
 */
export async function simulate(
  seed: number,
  options: SimulationOptions = {},
): Promise<SimulationResult> {
  const random = randomOf(seed);
  const plan = planOf(seed, options.overrides);
  const cluster = new SimCluster({
    plan,
    random,
    parts: options.parts ?? {},
    onEvent: options.onEvent ?? null,
  });
  const failure = await alone(cluster, () =>
    catchFailure(cluster, async () => {
      await run(cluster, plan, random, options.parts?.createClient);
      // What the last events left to be rejected.
      if (cluster.streams !== null) await cluster.promises.look();
    }),
  );
  const traceHash = cluster.trace.digest();
  cluster.dispose();
  return {
    seed,
    traceHash,
    eventCount: cluster.trace.count,
    simulatedMs: cluster.scheduler.nowUs / 1000,
    coverage: cluster.coverage,
    failure,
  };
}

/** What {@link simulate} does with this seed. */
export function planOf(seed: number, overrides: PlanOverrides = {}): SimulationPlan {
  const random = randomOf(seed).fork("plan");
  const drawn = drawPlan(random, faultsWithout(overrides), overrides.fabric);
  return overridePlan(drawn, overrides);
}

function randomOf(seed: number): SeededRandom {
  return new SeededRandom(`seed ${seed}`);
}

/** Each asks every node for its status, again and again, while there is no leader. */
const LIBRARY_CLIENTS_MAX = 3;

/** A client that tells when a write of it was served. */
interface WritingClient {
  readonly lastAcknowledgedSentUs: number;
  stop(): void;
}

let earlier: Promise<unknown> = Promise.resolve();

/** Promises of two runs would mix: over streams, one goes after the other. */
async function alone<Result>(
  { streams, promises }: SimCluster,
  act: () => Promise<Result>,
): Promise<Result> {
  if (streams === null) return act();
  const before = earlier;
  const { promise, resolve } = Promise.withResolvers<void>();
  earlier = promise;
  await before;
  promises.start();
  try {
    return await act();
  } finally {
    await promises.stop();
    resolve();
  }
}

async function run(
  cluster: SimCluster,
  plan: SimulationPlan,
  random: SeededRandom,
  createClient: CreateClient | undefined,
): Promise<void> {
  const bootRandom = random.fork("boot");
  for (const node of cluster.nodes) {
    cluster.scheduler.schedule(bootRandom.below(20_000), () => {
      node.start();
    });
  }
  const subscriber = startSubscriber(cluster, random.fork("dashboards"));
  const users = startUsers(cluster, plan, random, createClient);
  const injector = new FaultInjector(cluster, plan, random.fork("faults"));
  injector.start();
  const operator = startOperator(cluster, plan, random);
  await cluster.runUntil(() => false, plan.safetyUs);

  injector.stop();
  users.injector?.stop();
  operator?.stop();
  cluster.calm();
  // Who was paused does now what it was asked meanwhile: to change the members, perhaps.
  await cluster.runUntil(() => true, AWAKENING_US);
  healMajority(cluster, random.fork("heal"));
  const writers = [...users.writers, ...users.startNewcomers()];
  await requireWrites(cluster, writers);
  await outliveSessions(cluster, users.library, plan, random.fork("silence"));
  for (const client of [...writers, ...users.others]) client.stop();

  for (const node of cluster.nodes) cluster.start(node);
  await requireReplacement(cluster);
  requireInvariant(
    await cluster.runUntil(() => hasConverged(cluster), LIVENESS_LIMIT_US),
    "Liveness",
    () => `the healed nodes do not agree: ${describe(cluster.nodes)}`,
  );
  const agreedUs = cluster.scheduler.nowUs;
  await subscriber?.requireTruth();
  await requireBoundedLogs(cluster, plan);
  await requireNoHalfOpen(cluster);
  await turnAway(cluster);
  await disturb(cluster, plan, random.fork("disturb"));
  if (cluster.scheduler.nowUs - agreedUs > DEPARTURE_LIMIT_US) checkDeparted(cluster);
  await handOver(cluster, plan, random.fork("hand over"));
  await deafen(cluster);
  if (plan.faults.has("diskStall")) await stallLeader(cluster);
  await hiccup(cluster, plan, random.fork("hiccup"));
  await exerciseMembers(cluster, plan, random.fork("members"));
}

/** Whoever uses the cluster. */
interface Users {
  /** Their writes tell that it serves. */
  readonly writers: readonly WritingClient[];
  readonly others: readonly { stop(): void }[];
  /** Those who know the nodes that are up now: to all others every node may have gone for good. */
  startNewcomers(): readonly WritingClient[];
  readonly injector: StreamInjector | null;
  /** Those who use the client library, from the beginning on. */
  readonly library: readonly SimLibraryClient[];
}

function startUsers(
  cluster: SimCluster,
  plan: SimulationPlan,
  random: SeededRandom,
  create: CreateClient | undefined,
): Users {
  const { streams } = cluster;
  if (streams === null) {
    const writers = startClients(cluster, plan, random);
    const others = startSessions(cluster, plan, random);
    return { writers, others, startNewcomers: () => [], injector: null, library: [] };
  }
  const count = Math.min(plan.clientCount + plan.sessionCount, LIBRARY_CLIENTS_MAX);
  const writers = Array.from({ length: count }, (_, offset) => {
    const hasSessions = random.fork(`sessions ${offset}`).chance(0.6);
    const name = `${hasSessions ? "s" : "c"}${offset + 1}`;
    const given = { cluster, streams, plan, random: random.fork(`client ${name}`), create };
    return new SimLibraryClient(name, hasSessions, given);
  });
  for (const client of writers) client.start();
  const dice = random.fork("stream faults");
  const injector = new StreamInjector(cluster, streams, writers, { plan, random: dice });
  injector.start();
  const startNewcomers = (): readonly WritingClient[] => {
    const nodes = cluster.nodes.filter((node) => node.isRunning).map(({ id }) => id);
    const given = { cluster, streams, plan, random: random.fork("newcomer"), create, nodes };
    const newcomer = new SimLibraryClient("newcomer", false, given);
    newcomer.start();
    return [newcomer];
  };
  return { writers, others: [], startNewcomers, injector, library: writers };
}

function startSubscriber(cluster: SimCluster, random: SeededRandom): SimSubscriber | null {
  if (cluster.streams === null || !random.chance(SUBSCRIBER_CHANCE)) return null;
  const subscriber = new SimSubscriber(cluster, cluster.streams, random);
  subscriber.start();
  return subscriber;
}

/** Who believes in a connection that is none finds out: nothing else would ever tell. */
async function requireNoHalfOpen(cluster: SimCluster): Promise<void> {
  const { streams } = cluster;
  if (streams === null) return;
  requireInvariant(
    await cluster.runUntil(() => streams.halfOpenCount === 0, LIVENESS_LIMIT_US),
    "Liveness",
    () => `${streams.halfOpenCount} connections are half open, and nobody notices`,
  );
}

function startSessions(
  cluster: SimCluster,
  plan: SimulationPlan,
  random: SeededRandom,
): readonly SimSessionClient[] {
  const clients: SimSessionClient[] = [];
  for (let number = 1; number <= plan.sessionCount; number++) {
    const name = `s${number}`;
    clients.push(new SimSessionClient(name, cluster, plan, random.fork(`client ${name}`)));
  }
  for (const client of clients) client.start();
  return clients;
}

function startOperator(
  cluster: SimCluster,
  { changeGapMeanUs }: SimulationPlan,
  random: SeededRandom,
): SimOperator | null {
  if (changeGapMeanUs === null) return null;
  const operator = new SimOperator(cluster, changeGapMeanUs, random.fork("operator"));
  operator.start();
  return operator;
}

function startClients(
  cluster: SimCluster,
  plan: SimulationPlan,
  random: SeededRandom,
): readonly SimClient[] {
  const clients: SimClient[] = [];
  for (let number = 1; number <= plan.clientCount; number++) {
    const name = `c${number}`;
    clients.push(new SimClient(name, cluster, plan, random.fork(`client ${name}`)));
  }
  for (const client of clients) client.start();
  return clients;
}

/**
 * A random majority, of whichever members may be in force, is up and well; the others are down:
 * their disks do not help.
 */
function healMajority(cluster: SimCluster, random: SeededRandom): void {
  const up = new Set(cluster.nodes);
  for (const node of random.shuffle(cluster.nodes)) {
    up.delete(node);
    if (!cluster.canDecide((other) => up.has(other))) up.add(node);
  }
  for (const node of cluster.nodes) {
    if (up.has(node)) cluster.start(node);
    else cluster.crash(node);
  }
}

async function requireWrites(
  cluster: SimCluster,
  clients: readonly WritingClient[],
): Promise<void> {
  const healedUs = cluster.scheduler.nowUs;
  requireInvariant(
    await cluster.runUntil(
      () => clients.some((client) => client.lastAcknowledgedSentUs > healedUs),
      LIVENESS_LIMIT_US,
    ),
    "Liveness",
    () => `a healed majority serves no write: ${describe(cluster.nodes)}`,
  );
}

/** The operator asks until it is done. */
async function requireReplacement(cluster: SimCluster): Promise<void> {
  let nextUs = 0;
  const isDone = (): boolean => {
    if (!cluster.nodes.some((node) => node.isLost)) return true;
    if (cluster.scheduler.nowUs < nextUs) return false;
    nextUs = cluster.scheduler.nowUs + OPERATOR_PATIENCE_US;
    return replaceLost(cluster);
  };
  requireInvariant(
    await cluster.runUntil(isDone, LIVENESS_LIMIT_US),
    "Liveness",
    () => `servers whose data is gone are not replaced: ${describe(cluster.nodes)}`,
  );
}

/**
 * One leader, which is a member, no change of members under way, and all members have applied all that is committed,
 * to equal states.
 */
function hasConverged(cluster: SimCluster): boolean {
  const leader = cluster.leader();
  const goal = leader?.appliedState() ?? null;
  const view = leader?.view() ?? null;
  if (leader === null || goal === null || view === null) return false;
  const { configuration, lastLogIndex } = view;
  if (goal.lastApplied !== lastLogIndex || !isVoter(configuration, leader.id)) return false;
  if (configuration.votersOutgoing.length + configuration.staging.length > 0) return false;
  return allMembers(configuration).every((id) => {
    const node = cluster.node(id);
    const state = node?.appliedState() ?? null;
    if (node === null) return false;
    return (
      state !== null &&
      state.lastApplied === goal.lastApplied &&
      state.stateHash === goal.stateHash &&
      // A sync that began before the calm may last: its leader rightly hands over then.
      node.disk.unsyncedBatches === 0 &&
      node.view()?.leaderId === leader.id
    );
  });
}

function describe(nodes: readonly SimNode[]): string {
  return nodes
    .map((node) => {
      const view = node.view();
      if (view === null) return `${node.id} is down`;
      const { role, currentTerm, firstLogIndex, lastApplied, commitIndex, lastLogIndex } = view;
      const { voters, votersOutgoing, learners } = view.configuration;
      const members = [voters, votersOutgoing, learners].map((ids) => ids.join(" ")).join("/");
      return (
        `${node.id} is ${role} of term ${currentTerm} at ` +
        `${firstLogIndex}/${lastApplied}/${commitIndex}/${lastLogIndex} of ${members}`
      );
    })
    .join(", ");
}

async function catchFailure(
  cluster: SimCluster,
  act: () => Promise<void>,
): Promise<SimulationFailure | null> {
  try {
    await act();
    return null;
  } catch (error) {
    // Whatever the nodes throw is a finding: a broken assertion of the core as much as a TypeError.
    const lastEvents = cluster.trace.lastEvents();
    if (error instanceof InvariantViolation) {
      return { invariant: error.invariant, message: error.message, lastEvents, stack: null };
    }
    const stack = error instanceof Error ? (error.stack ?? null) : null;
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { invariant: "No Exception", message, lastEvents, stack };
  }
}
