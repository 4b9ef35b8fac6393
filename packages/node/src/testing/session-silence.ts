import { SESSION_TTL_DEFAULT_MS } from "../kv/kv-command.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimLibraryClient } from "./sim-library-client.ts";
import type { SimulationPlan } from "./simulation-plan.ts";

/** How soon after a write a client falls silent. */
const SILENT_AFTER_MEAN_US = 3_000;
/** How many times as long as a session lasts, by clocks that run from half to double speed. */
const SILENCE_MAX_TTLS = 4;

/** How long a client may take to use the cluster, and to use it again. */
const SERVED_WITHIN_US = 2_000_000;
const SILENT_WITHIN_US = 20_000_000;
const LIVENESS_LIMIT_US = 30_000_000;

/** Whether sessions last so short that clients can let them end. */
export function hasShortSessions({ sessionTtlMs }: SimulationPlan): boolean {
  return sessionTtlMs < SESSION_TTL_DEFAULT_MS;
}

/** What makes a client silent, and until when. */
export interface Silence {
  readonly cluster: SimCluster;
  readonly plan: SimulationPlan;
  readonly random: SeededRandom;
  /** Keeps it from all nodes, or stops its process; what it returns ends that. */
  begin(): () => void;
  /** It is heard again. */
  ended(): void;
  /** Silences are over for good, as the faults are: this one is not begun, or not ended. */
  isOver(): boolean;
}

/** From its next write on nobody hears `client` for as long as a session lasts, or longer. */
export function fallSilent(client: SimLibraryClient, silence: Silence): void {
  const { cluster, plan, random } = silence;
  const later = (afterUs: number, act: () => void): void => {
    cluster.scheduler.schedule(1 + afterUs, () => {
      if (!silence.isOver()) act();
    });
  };
  client.atNextWrite(() => {
    later(random.exponential(SILENT_AFTER_MEAN_US), () => {
      const end = silence.begin();
      const ttlUs = plan.sessionTtlMs * 1000;
      later(random.between(ttlUs, SILENCE_MAX_TTLS * ttlUs), () => {
        end();
        silence.ended();
      });
    });
  });
}

/**
 * In a calm cluster time goes on: the sessions of clients that are not heard end, also in the
 * middle of a write. Whoever was served before is served again by the same leader, in a session
 * that is opened anew (Diss. §6.3).
 */
export async function outliveSessions(
  cluster: SimCluster,
  clients: readonly SimLibraryClient[],
  plan: SimulationPlan,
  random: SeededRandom,
): Promise<void> {
  const { streams } = cluster;
  if (streams === null || !hasShortSessions(plan)) return;
  const leader = cluster.leader();
  const term = leader?.view()?.currentTerm ?? 0;
  const served = await servedOf(cluster, clients);
  const silent = new Set(served);
  for (const client of served) {
    fallSilent(client, {
      cluster,
      plan,
      random,
      begin: () =>
        random.chance(0.5) ? client.pause() : client.cut(streams, cluster.nodes, "both"),
      ended: () => silent.delete(client),
      isOver: () => false,
    });
  }
  await cluster.runUntil(() => silent.size === 0, SILENT_WITHIN_US);
  const heardUs = cluster.scheduler.nowUs;
  const waiting = (): SimLibraryClient[] =>
    served.filter((client) => client.lastAcknowledgedSentUs <= heardUs);
  const areServed = await cluster.runUntil(() => waiting().length === 0, LIVENESS_LIMIT_US);
  const after = leader?.view() ?? null;
  requireInvariant(
    areServed || after?.role !== "leader" || after.currentTerm !== term,
    "Liveness",
    () => {
      const names = waiting().map(({ name }) => name);
      return `${names.join(" ")}: not heard for a while, and not served since`;
    },
  );
}

/** Those with sessions who are served now, and so know who leads. */
async function servedOf(
  cluster: SimCluster,
  clients: readonly SimLibraryClient[],
): Promise<SimLibraryClient[]> {
  const sinceUs = cluster.scheduler.nowUs;
  const withSessions = clients.filter(({ hasSessions }) => hasSessions);
  const isServed = (client: SimLibraryClient): boolean => client.lastAcknowledgedSentUs > sinceUs;
  await cluster.runUntil(() => withSessions.every((client) => isServed(client)), SERVED_WITHIN_US);
  return withSessions.filter((client) => isServed(client));
}
