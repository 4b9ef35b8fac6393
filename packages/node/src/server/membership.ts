import type {
  ChangeMembersRequest,
  Configuration,
  LogIndex,
  MemberAddress,
  MembersChange,
  NodeId,
  RequestErrorCode,
} from "@quorate/wire";
import type { ConfigurationTarget, RaftView } from "../raft/index.ts";
import type { ChangeOutcome } from "./driver-outcomes.ts";
import { describeQuorum } from "./quorum-arithmetic.ts";

/** How a request for a change of members ended. */
export type MembersOutcome =
  | { readonly kind: "done"; readonly configurationIndex: LogIndex; readonly steps: string[] }
  | {
      readonly kind: "refused";
      readonly code: RequestErrorCode;
      readonly outcome: "notApplied" | "unknown";
      readonly leaderId: NodeId | null;
      /** Null: the usual words for `code`. */
      readonly message: string | null;
    };

export interface MembershipOptions {
  readonly nodeId: NodeId;
  readonly view: () => RaftView;
  readonly changeMembers: (
    target: ConfigurationTarget,
    options: { readonly expectedIndex: LogIndex | null; readonly force: boolean },
    done: (outcome: ChangeOutcome) => void,
  ) => void;
  /** Where a member is reached whose address the configuration does not hold, or null. */
  readonly addressOf: (id: NodeId) => string | null;
  /** Calls `fn` in a later turn of the loop. */
  readonly soon: (fn: () => void) => void;
  /** A replacement that was begun here came to this end. */
  readonly onReplaced: (id: NodeId, withId: NodeId, failure: string | null) => void;
}

interface Plan {
  readonly target: ConfigurationTarget;
  readonly steps: readonly string[];
  /** Who goes once `replacedBy` has caught up. */
  readonly replaces: Replacement | null;
}

interface Replacement {
  readonly id: NodeId;
  readonly withId: NodeId;
  readonly address: string;
  readonly force: boolean;
}

/**
 * Turns what an operator asks for into configurations, one step at a time (Raft §6, Diss. ch. 4).
 * A replacement has two: the new member catches up as a learner, and takes the place of the old one
 * in one joint change, so that there never is a voter more to wait for. This leader remembers the
 * second; asked again, another leader goes on from where the members stand.
 */
export class Membership {
  readonly #options: MembershipOptions;
  #pending: Replacement | null = null;
  #isTrying = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Calls `done` once, now or later. */
  change(request: ChangeMembersRequest, done: (outcome: MembersOutcome) => void): void {
    const view = this.#options.view();
    const { change, expectedConfigurationIndex: expectedIndex, force } = request;
    const refusal = refuseNow(view, expectedIndex);
    if (refusal !== null) {
      done(refusal);
      return;
    }
    const plan = this.#plan(view, change, force);
    if (typeof plan === "string") {
      done(refused("invalid", plan));
      return;
    }
    const arithmetic = describeQuorum(view, this.#options.nodeId, plan.target.voters);
    const steps = [...plan.steps, ...arithmetic.lines];
    if (request.dryRun) {
      const isSafe = force || arithmetic.lossesAfter >= 0;
      const { configurationIndex } = view;
      done(
        isSafe
          ? { kind: "done", configurationIndex, steps }
          : refused("quorumAtRisk", arithmetic.lines.join("; ")),
      );
      return;
    }
    this.#options.changeMembers(plan.target, { expectedIndex, force }, (outcome) => {
      if (outcome.kind === "applied") this.#begin(plan.replaces);
      done(outcomeOf(outcome, steps));
    });
  }

  /** The core is in this state now. Goes on with a replacement that was begun here. */
  observe(view: RaftView): void {
    if (this.#pending === null || this.#isTrying) return;
    const { withId } = this.#pending;
    if (view.role !== "leader") {
      this.#end(leadershipWentTo(view.leaderId));
      return;
    }
    if (isReplaced(view.configuration, this.#pending)) {
      // Somebody asked again. It can still be lost while its entry is not committed.
      if (view.configurationIndex <= view.commitIndex) this.#end(null);
      return;
    }
    const peer = view.peers.find(({ id }) => id === withId);
    // One that was taken out meanwhile never catches up: then the second step finds out why.
    const isMember = membersOf(view.configuration).includes(withId);
    const isBehind = peer?.recentlyActive !== true || peer.matchIndex < view.commitIndex;
    if (isMember && isBehind) return;
    this.#isTrying = true;
    this.#options.soon(() => this.#replace());
  }

  #begin(replaces: Replacement | null): void {
    if (replaces === null) return;
    const { id, withId } = this.#pending ?? replaces;
    const isOther = id !== replaces.id || withId !== replaces.withId;
    if (isOther) this.#end(`${replaces.id} is to be replaced by ${replaces.withId} instead`);
    this.#pending = replaces;
  }

  /** The replacement that was begun here has come to its end. Null: it is done. */
  #end(failure: string | null): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null) this.#options.onReplaced(pending.id, pending.withId, failure);
  }

  #replace(): void {
    const pending = this.#pending;
    const view = this.#options.view();
    if (pending === null || view.role !== "leader") {
      this.#isTrying = false;
      this.#end(leadershipWentTo(view.leaderId));
      return;
    }
    if (isReplaced(view.configuration, pending)) {
      this.#isTrying = false;
      return;
    }
    const plan = planReplace(view, pending, { known: this.#known(), hasCaughtUp: true });
    // A first step once more: the new member was taken out meanwhile.
    if (typeof plan === "string" || plan.replaces !== null) {
      this.#isTrying = false;
      this.#end(typeof plan === "string" ? plan : `${pending.withId} is no member any more`);
      return;
    }
    const { force } = pending;
    this.#options.changeMembers(plan.target, { expectedIndex: null, force }, (outcome) => {
      this.#isTrying = false;
      if (this.#pending !== pending) return;
      const isEarly =
        outcome.kind === "refused" && ["changeInProgress", "notReady"].includes(outcome.code);
      if (isEarly) return;
      const failure =
        outcome.kind === "applied"
          ? null
          : outcome.kind === "refused"
            ? outcome.reason
            : leadershipWentTo(outcome.leaderId);
      this.#end(failure);
    });
  }

  #plan(view: RaftView, change: MembersChange, force: boolean): Plan | string {
    const { configuration } = view;
    const known = this.#known();
    switch (change.kind) {
      case "add":
        return planAdd(configuration, change, known);
      case "promote":
        return planPromote(configuration, change.id, known);
      case "remove":
        return planRemove(configuration, change.id, known);
      case "updateAddress":
        return planAddress(configuration, change, known);
      case "replace":
        return planReplace(view, { ...change, force }, { known, hasCaughtUp: false });
    }
  }

  /** Every member's address, from the configuration or from what was known before it had any. */
  #known(): ReadonlyMap<NodeId, string> {
    const { voters, learners, addresses } = this.#options.view().configuration;
    const known = new Map<NodeId, string>();
    for (const id of [...voters, ...learners]) {
      const address = this.#options.addressOf(id);
      if (address !== null) known.set(id, address);
    }
    for (const { id, address } of addresses) known.set(id, address);
    return known;
  }
}

function leadershipWentTo(leaderId: NodeId | null): string {
  return `leadership went to ${leaderId ?? "nobody yet"}`;
}

function isReplaced(configuration: Configuration, { id, withId }: Replacement): boolean {
  return configuration.voters.includes(withId) && !membersOf(configuration).includes(id);
}

function membersOf({ voters, learners }: Configuration): NodeId[] {
  return [...voters, ...learners];
}

type Addresses = ReadonlyMap<NodeId, string>;

function planAdd(
  configuration: Configuration,
  { id, address, asLearner }: Extract<MembersChange, { kind: "add" }>,
  known: Addresses,
): Plan | string {
  const fault = faultOfNew(configuration, id, address, known);
  if (fault !== null) return fault;
  const { voters, learners, staging } = configuration;
  const target = {
    voters,
    learners: [...learners, id],
    staging: asLearner ? staging : [...staging, id],
    addresses: withAddress(known, id, address),
  };
  const added = `add ${id} at ${address} as a learner: it has no vote`;
  const then = `make ${id} a voter as soon as it has caught up: whoever leads does so by itself`;
  return { target, steps: asLearner ? [added] : [added, then], replaces: null };
}

function planPromote(configuration: Configuration, id: NodeId, known: Addresses): Plan | string {
  const { voters, learners, staging } = configuration;
  if (voters.includes(id)) return `${id} votes already`;
  if (!learners.includes(id)) return `${id} is no member: add it first`;
  const target = { voters, learners, staging: union(staging, id), addresses: listOf(known) };
  const step = `make ${id} a voter as soon as it has caught up: whoever leads does so by itself`;
  return { target, steps: [step], replaces: null };
}

function planRemove(configuration: Configuration, id: NodeId, known: Addresses): Plan | string {
  const { voters, learners, staging } = configuration;
  if (![...voters, ...learners].includes(id)) return `${id} is no member`;
  if (voters.length === 1 && voters.includes(id)) return `${id} is the only voter`;
  const target = {
    voters: without(voters, id),
    learners: without(learners, id),
    staging: without(staging, id),
    addresses: listOf(known).filter((member) => member.id !== id),
  };
  const how = voters.includes(id) ? "by joint consensus" : "in one step: it has no vote";
  return { target, steps: [`remove ${id} for ever, ${how}`], replaces: null };
}

function planAddress(
  configuration: Configuration,
  { id, address }: Extract<MembersChange, { kind: "updateAddress" }>,
  known: Addresses,
): Plan | string {
  const { voters, learners, staging } = configuration;
  if (![...voters, ...learners].includes(id)) return `${id} is no member`;
  const target = { voters, learners, staging, addresses: withAddress(known, id, address) };
  const before = known.get(id) ?? "an address that is not known";
  return { target, steps: [`reach ${id} at ${address}, no more at ${before}`], replaces: null };
}

/**
 * @param facts `hasCaughtUp`: the new member had all that was committed a moment ago. Under writes it
 * need not have what has been committed since, and may never be seen to.
 */
function planReplace(
  view: RaftView,
  { id, withId, address, force }: Replacement,
  facts: { readonly known: Addresses; readonly hasCaughtUp: boolean },
): Plan | string {
  const { known, hasCaughtUp } = facts;
  const { voters, learners, staging } = view.configuration;
  if (id === withId) return `${id} cannot take its own place: an id is used once`;
  if (![...voters, ...learners].includes(id)) return `${id} is no member`;
  const isCaughtUp =
    hasCaughtUp ||
    view.peers.some(
      (peer) => peer.id === withId && peer.recentlyActive && peer.matchIndex >= view.commitIndex,
    );
  if (voters.includes(withId) || (learners.includes(withId) && isCaughtUp)) {
    const joins = voters.includes(id) ? union(without(voters, id), withId) : voters;
    const target = {
      voters: joins,
      learners: learners.filter((one) => one !== id && !joins.includes(one)),
      staging: staging.filter((one) => one !== id && !joins.includes(one)),
      addresses: listOf(known).filter((member) => member.id !== id),
    };
    return { target, steps: [`put ${withId} in the place of ${id}, in one step`], replaces: null };
  }
  const isNew = !learners.includes(withId);
  const fault = isNew ? faultOfNew(view.configuration, withId, address, known) : null;
  if (fault !== null) return fault;
  const target = {
    voters,
    learners: union(learners, withId),
    staging: without(staging, withId),
    addresses: isNew ? withAddress(known, withId, address) : listOf(known),
  };
  const steps = [
    `add ${withId} at ${known.get(withId) ?? address} as a learner: it has no vote`,
    `put ${withId} in the place of ${id}, in one step, as soon as it has caught up ` +
      "(should another node become the leader before that, ask again)",
  ];
  return { target, steps, replaces: { id, withId, address, force } };
}

function faultOfNew(
  { voters, learners, retired }: Configuration,
  id: NodeId,
  address: string,
  known: Addresses,
): string | null {
  if ([...voters, ...learners].includes(id)) return `${id} is a member already`;
  if (retired.includes(id)) return `${id} was a member before, and an id is used once`;
  const other = [...known].find((member) => member[1] === address);
  return other === undefined ? null : `${address} is the address of ${other[0]}`;
}

function refuseNow(view: RaftView, expectedIndex: LogIndex | null): MembersOutcome | null {
  if (view.role !== "leader") {
    const { leaderId } = view;
    return { ...refused(leaderId === null ? "noLeader" : "notLeader", null), leaderId };
  }
  const { configuration, configurationIndex } = view;
  if (expectedIndex !== null && expectedIndex !== configurationIndex) {
    const found = `the members are those of entry ${configurationIndex}`;
    return refused("conflict", `${found}, not of ${expectedIndex}`);
  }
  return configuration.votersOutgoing.length === 0
    ? null
    : refused("changeInProgress", `the change of entry ${configurationIndex} is under way`);
}

function outcomeOf(outcome: ChangeOutcome, steps: string[]): MembersOutcome {
  switch (outcome.kind) {
    case "applied":
      return { kind: "done", configurationIndex: outcome.index, steps };
    case "refused":
      return refused(outcome.code, outcome.reason);
    case "notApplied":
    case "unknown": {
      const { code, leaderId, kind } = outcome;
      return { kind: "refused", code, outcome: kind, leaderId, message: null };
    }
  }
}

function refused(
  code: RequestErrorCode,
  message: string | null,
): Extract<MembersOutcome, { kind: "refused" }> {
  return { kind: "refused", code, outcome: "notApplied", leaderId: null, message };
}

function withAddress(known: Addresses, id: NodeId, address: string): MemberAddress[] {
  return listOf(new Map([...known, [id, address]]));
}

function listOf(known: Addresses): MemberAddress[] {
  return [...known].map(([id, address]) => ({ id, address }));
}

function union(ids: readonly NodeId[], id: NodeId): NodeId[] {
  return [...new Set([...ids, id])];
}

function without(ids: readonly NodeId[], id: NodeId): NodeId[] {
  return ids.filter((one) => one !== id);
}
