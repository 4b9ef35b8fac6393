import type { Configuration, MemberAddress, NodeId } from "@quorate/wire";
import type { ConfigurationTarget } from "../raft/index.ts";
import { allMembers } from "../raft/index.ts";
import type { CoverageMark } from "./coverage.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimNode } from "./sim-node.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { ChangeOutcome } from "../server/driver-outcomes.ts";

const MEMBERS_MAX = 7;
const SERVERS_MAX = 11;

/** What an operator asks for, and what the answer must be like. */
interface Idea {
  readonly target: ConfigurationTarget | null;
  readonly judge?: (outcome: ChangeOutcome) => void;
  /** Counted if it is refused as invalid. */
  readonly mark?: CoverageMark;
}

/**
 * Changes the members of a cluster at random moments, whatever else is going on: adds new servers,
 * promotes, removes (the leader, too), replaces; often sensibly, at times with force, with a stale
 * idea of the members, or twice at once.
 */
export class SimOperator {
  readonly #cluster: SimCluster;
  readonly #gapMeanUs: number;
  readonly #random: SeededRandom;
  #isActive = true;

  constructor(cluster: SimCluster, gapMeanUs: number, random: SeededRandom) {
    this.#cluster = cluster;
    this.#gapMeanUs = gapMeanUs;
    this.#random = random;
  }

  start(): void {
    this.#cluster.scheduler.schedule(1 + this.#random.exponential(this.#gapMeanUs), () => {
      if (!this.#isActive) return;
      this.#change();
      if (this.#random.chance(0.15)) this.#change();
      this.start();
    });
  }

  stop(): void {
    this.#isActive = false;
  }

  #change(): void {
    const leader = this.#cluster.leader();
    if (leader === null) return;
    const view = leader.view();
    if (view === null) return;
    if (this.#hasLost()) {
      replaceLost(this.#cluster);
      return;
    }
    const { target, judge, mark } = this.#drawIdea(leader, view.configuration);
    if (target === null) return;
    const asked = this.#random.chance(0.9) ? leader : this.#random.pick(this.#cluster.nodes);
    const expectedIndex = this.#random.pick([
      null,
      view.configurationIndex,
      Math.max(0, view.configurationIndex - 1),
    ]);
    const force = this.#random.chance(0.2);
    this.#cluster.trace.record("change", asked.id, JSON.stringify(target));
    asked.changeMembers(target, { expectedIndex, force }, (outcome) => {
      this.#cluster.trace.record("changed", asked.id, outcome.kind);
      judge?.(outcome);
      if (outcome.kind !== "refused") return;
      const { coverage } = this.#cluster;
      coverage.add("changesRefused");
      if (mark !== undefined && outcome.code === "invalid") coverage.add(mark);
    });
  }

  /** Whoever waits for a server that will not come back, or perhaps not, changes nothing else. */
  #hasLost(): boolean {
    const members = this.#cluster.checker.configurationsInPlay().flatMap(allMembers);
    return members.some((id) => this.#cluster.node(id)?.isDoubtful === true);
  }

  #drawIdea(leader: SimNode, configuration: Configuration): Idea {
    const { voters, learners, staging } = configuration;
    const current = { voters, learners, staging, addresses: addressesOf(configuration) };
    switch (this.#random.below(11)) {
      case 0:
        return usedAgain(current, this.#formerMember(configuration.retired));
      case 1:
        return unreadable(current, this.#random.chance(0.5));
      default:
        return { target: this.#drawTarget(leader, configuration) };
    }
  }

  #drawTarget(leader: SimNode, configuration: Configuration): ConfigurationTarget | null {
    const { voters, learners, staging } = configuration;
    const addresses = addressesOf(configuration);
    const isFull = allMembers(configuration).length >= MEMBERS_MAX;
    const current = { voters, learners, staging, addresses };
    const newcomer = (): MemberAddress | null => (isFull ? null : this.#newServer());
    switch (this.#random.below(9)) {
      case 0:
      case 1:
        return withLearner(current, newcomer(), true);
      case 2:
        return withLearner(current, newcomer(), false);
      case 3:
        return promoted(current, learners.length === 0 ? null : this.#random.pick(learners));
      case 4:
        return without(current, leader.id);
      case 5:
        return without(current, this.#random.pick(allMembers(configuration)));
      case 6: {
        const next = withLearner(current, newcomer(), true);
        return without(next ?? current, this.#random.pick(voters));
      }
      case 7:
        return moved(current, this.#random.pick(allMembers(configuration)));
      default:
        return this.#drawAnything(current);
    }
  }

  /** Any voters of those who are members: several come and go at once. */
  #drawAnything(current: ConfigurationTarget): ConfigurationTarget {
    const { voters, learners, addresses } = current;
    const members = this.#random.shuffle([...voters, ...learners]);
    const chosen = members.slice(0, this.#random.between(1, members.length));
    const kept = learners.filter((id) => !chosen.includes(id) && this.#random.chance(0.7));
    return { voters: chosen, learners: kept, staging: [], addresses };
  }

  #formerMember(retired: readonly NodeId[]): MemberAddress | null {
    if (retired.length === 0) return null;
    const id = this.#random.pick(retired);
    return { id, address: `${id}:7001` };
  }

  /** A server that nobody has heard of, mostly up by now, with an empty disk. */
  #newServer(): MemberAddress | null {
    const { nodes, scheduler } = this.#cluster;
    if (nodes.length >= SERVERS_MAX) return null;
    const node = this.#cluster.addNode();
    // Some come late, and a few after all that was asked for.
    if (this.#random.chance(0.9)) {
      const waitUs = this.#random.chance(0.8) ? 0 : this.#random.below(500_000);
      scheduler.schedule(waitUs, () => {
        node.start();
      });
    }
    return { id: node.id, address: `${node.id}:7001` };
  }
}

/**
 * Asks the leader to put new servers in the place of those whose data is gone. Says whether there
 * is none of those left.
 */
export function replaceLost(cluster: SimCluster): boolean {
  const leader = cluster.leader();
  const configuration = leader?.view()?.configuration;
  if (leader === null || configuration === undefined) return false;
  const lost = allMembers(configuration).filter((id) => cluster.node(id)?.isLost === true);
  const isJoint = configuration.votersOutgoing.length > 0;
  if (lost.length === 0) return !isJoint;
  const { voters, learners, staging } = configuration;
  const addresses = addressesOf(configuration);
  let target: ConfigurationTarget = { voters, learners, staging, addresses };
  for (const id of lost) target = without(target, id);
  if (staging.length === 0) {
    const node = cluster.addNode();
    node.start();
    target = withLearner(target, { id: node.id, address: `${node.id}:7001` }, true) ?? target;
  }
  cluster.trace.record("replace", leader.id, lost.join(" "));
  leader.changeMembers(target, { expectedIndex: null, force: true }, ({ kind }) => {
    if (kind === "applied") cluster.coverage.add("lostServersReplaced", lost.length);
  });
  return false;
}

/** All of them: a server that is added knows nobody, and finds the others by these. */
export function addressesOf(configuration: Configuration): MemberAddress[] {
  return allMembers(configuration).map((id) => {
    const known = configuration.addresses.find((member) => member.id === id);
    return known ?? { id, address: `${id}:7001` };
  });
}

export function withLearner(
  current: ConfigurationTarget,
  member: MemberAddress | null,
  isStaging: boolean,
): ConfigurationTarget | null {
  if (member === null) return null;
  return {
    voters: current.voters,
    learners: [...current.learners, member.id],
    staging: isStaging ? [...current.staging, member.id] : current.staging,
    addresses: [...current.addresses, member],
  };
}

/** Refused, and for what it is: an id is used once. */
function usedAgain(current: ConfigurationTarget, former: MemberAddress | null): Idea {
  if (former === null) return { target: null };
  const judge = (outcome: ChangeOutcome): void => {
    if (outcome.kind !== "refused" || outcome.code !== "invalid") return;
    requireInvariant(
      outcome.reason.includes(former.id),
      "Configuration Safety",
      () => `${former.id} is used again, which is refused because ${outcome.reason}`,
    );
  };
  return { target: withLearner(current, former, true), judge, mark: "formerMembersRefused" };
}

/** Refused: members that nobody could read in the log. */
function unreadable(current: ConfigurationTarget, isAddress: boolean): Idea {
  const member = isAddress
    ? { id: "n99", address: "n".repeat(1000) }
    : { id: "no id", address: "n99:7001" };
  const judge = (outcome: ChangeOutcome): void => {
    requireInvariant(
      outcome.kind !== "applied" && outcome.kind !== "unknown",
      "Configuration Safety",
      () => `members that cannot be read, ${JSON.stringify(member)}, are ${outcome.kind}`,
    );
  };
  return { target: withLearner(current, member, true), judge, mark: "unreadableMembersRefused" };
}

/** Under another address. */
function moved(current: ConfigurationTarget, id: NodeId): ConfigurationTarget {
  const kept = current.addresses.filter((member) => member.id !== id);
  return { ...current, addresses: [...kept, { id, address: `${id}.other:7001` }] };
}

function promoted(current: ConfigurationTarget, learner: NodeId | null): ConfigurationTarget {
  if (learner === null) return current;
  return { ...without(current, learner), voters: [...current.voters, learner] };
}

export function without(current: ConfigurationTarget, gone: NodeId): ConfigurationTarget {
  const isKept = (id: NodeId): boolean => id !== gone;
  return {
    voters: current.voters.filter(isKept),
    learners: current.learners.filter(isKept),
    staging: current.staging.filter(isKept),
    addresses: current.addresses,
  };
}
