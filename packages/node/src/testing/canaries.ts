import type { LogEntry, NodeId } from "@quorate/wire";
import { decodeCommand, encodeCommand } from "../kv/command-codec.ts";
import type { KvResult } from "../kv/kv-result.ts";
import { KvStateMachine } from "../kv/kv-state-machine.ts";
import type { Envelope, Output, ProposeResult, RaftView, RecoveredState } from "../raft/index.ts";
import { RaftCore } from "../raft/index.ts";
import { Campaign, EFFECTIVE_SEEDS_MIN } from "./campaign.ts";
import type { CoverageCounts, CoverageMark } from "./coverage.ts";
import { COVERAGE_MARKS, RARE_MARKS } from "./coverage.ts";
import type { Invariant } from "./invariant-violation.ts";
import type { PlanOverrides } from "./plan-overrides.ts";
import { DISPENSABLE } from "./plan-overrides.ts";
import type { NodeParts } from "./sim-life.ts";
import type { SimulationFailure } from "./simulation.ts";
import { simulate } from "./simulation.ts";
import type { StorageKind } from "./simulation-plan.ts";

/** A node with one broken part, and the one check that has to notice it. */
export interface Canary {
  /** What the broken part does. */
  readonly claim: string;
  readonly invariant: Invariant;
  /** What the violation says: other checks may look after the same invariant. */
  readonly says: RegExp;
  /** Default: a model. */
  readonly storage?: StorageKind;
  readonly createParts: () => NodeParts;
}

/** A short run in which nothing else goes wrong. */
const QUIET: PlanOverrides = {
  fabric: "messages",
  without: DISPENSABLE,
  sizes: { nodes: 3, clients: 3, sessions: 3, keys: 2, "value-bytes": 8, "safety-ms": 2000 },
};

/** So many terms from now is one that nobody is in yet. */
const UNKNOWN_TERMS = 100;

/** A follower that tells its leader, in the leader's own term, that it leads. */
class Pretender extends RaftCore {
  override takeOutput(): Output {
    const output = super.takeOutput();
    return {
      ...output,
      messages: output.messages.map(pretend),
      messagesAfterPersist: output.messagesAfterPersist.map(pretend),
    };
  }
}

function pretend<Sent extends Envelope>(sent: Sent): Sent {
  const { to, message } = sent;
  if (message.type !== "AppendEntriesReply") return sent;
  const { term, round } = message;
  const nothing = { prevLogIndex: 0, prevLogTerm: 0, entries: [], leaderCommit: 0 };
  const heartbeat = { type: "AppendEntries", term, leaderId: to, round, ...nothing } as const;
  return { ...sent, message: heartbeat };
}

/** A leader that calls an entry committed as soon as its own log has it. */
class HastyCommitter extends RaftCore {
  override view(): RaftView {
    const view = super.view();
    return view.role === "leader" ? { ...view, commitIndex: view.lastLogIndex } : view;
  }
}

/** A leader that puts another value into its log than it was given. */
class Forger extends RaftCore {
  override propose(data: Uint8Array): ProposeResult {
    const command = decodeCommand(data);
    if (command.kind !== "put" || command.session !== null) return super.propose(data);
    const value = Buffer.concat([command.value, Buffer.from("!")]);
    return super.propose(encodeCommand({ kind: "put", key: command.key, value }));
  }
}

/** Starts that find, in the place of the last committed entry, one of another term. */
function createForgetful(): NodeParts {
  let committed = 0;
  class Forgetful extends RaftCore {
    override takeOutput(): Output {
      committed = Math.max(committed, this.view().commitIndex);
      return super.takeOutput();
    }
  }
  return {
    createCore: (config, recovered, ...others) =>
      new Forgetful(config, forget(recovered, committed), ...others),
  };
}

function forget(recovered: RecoveredState, committed: number): RecoveredState {
  const { hardState, beforeFirst } = recovered;
  const entries = recovered.entries.slice(0, committed - beforeFirst.index);
  const last = entries.pop();
  if (last === undefined) return recovered;
  const term = hardState.currentTerm + UNKNOWN_TERMS;
  return {
    ...recovered,
    hardState: { currentTerm: term, votedFor: null, commitIndex: last.index },
    entries: [...entries, { ...last, term }],
  };
}

/**
 * Leaders that claim a later term, and another first entry than the one that is committed: to
 * followers that know so, for others would only cut it.
 */
function createContradictor(): NodeParts {
  const committed = new Map<NodeId, number>();
  class Contradictor extends RaftCore {
    readonly #id: NodeId;

    constructor(...given: ConstructorParameters<typeof RaftCore>) {
      super(...given);
      this.#id = given[0].nodeId;
      committed.set(this.#id, this.view().commitIndex);
    }

    override takeOutput(): Output {
      const output = super.takeOutput();
      committed.set(this.#id, this.view().commitIndex);
      const knows = ({ to }: Envelope): boolean => (committed.get(to) ?? 0) > 0;
      const messages = output.messages.map((sent) => (knows(sent) ? contradict(sent) : sent));
      return { ...output, messages };
    }
  }
  return { createCore: (...given) => new Contradictor(...given) };
}

function contradict<Sent extends Envelope>(sent: Sent): Sent {
  const { message } = sent;
  if (message.type !== "AppendEntries") return sent;
  const term = message.term + UNKNOWN_TERMS;
  const entries: LogEntry[] = [{ index: 1, term, kind: "noop", data: new Uint8Array() }];
  const from = { prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0 };
  return { ...sent, message: { ...message, ...from, term, entries } };
}

/** A core that has a commit point stored of entries that it has not stored yet. */
class Promiser extends RaftCore {
  override takeOutput(): Output {
    const output = super.takeOutput();
    const { persist } = output;
    if (persist === null || persist.hardState === null) return output;
    const commitIndex = this.view().lastLogIndex + 1;
    return { ...output, persist: { ...persist, hardState: { ...persist.hardState, commitIndex } } };
  }
}

class LyingStore extends KvStateMachine {
  override get(key: Uint8Array): ReturnType<KvStateMachine["get"]> {
    const found = super.get(key);
    return found === null ? null : { ...found, value: Buffer.from("nobody wrote this") };
  }
}

/** It tells a repeat that it took effect, where it stands. */
class RepeatingStore extends KvStateMachine {
  override apply(entry: LogEntry): KvResult {
    const result = super.apply(entry);
    const isEffect = result.kind === "put" || result.kind === "deleted";
    return isEffect ? { ...result, at: { index: entry.index, term: entry.term } } : result;
  }
}

class OtherStore extends KvStateMachine {
  readonly #mark: number;

  constructor(mark: number) {
    super();
    this.#mark = mark;
  }

  override stateHash(): string {
    return `${super.stateHash()}-${this.#mark}`;
  }
}

/** A voter that says no where it said yes to itself: the cluster elects nobody. */
class Refuser extends RaftCore {
  override takeOutput(): Output {
    const output = super.takeOutput();
    return { ...output, messagesAfterPersist: output.messagesAfterPersist.map(refuse) };
  }
}

function refuse<Sent extends Envelope>(sent: Sent): Sent {
  const { message } = sent;
  if (message.type !== "RequestVoteReply") return sent;
  return { ...sent, message: { ...message, voteGranted: false } };
}

/**
 * One for each way by which what happens comes to a judge. That each judge asks every one of its
 * checks is a matter of the tests of `ClusterChecker` and `StepWatch`.
 */
export const CANARIES: readonly Canary[] = [
  {
    claim: "a voter refuses a vote that Figure 2 prescribes",
    invariant: "Rules Of A Step",
    says: /^n\d+ answers n\d+ with .*"voteGranted":false/u,
    createParts: () => ({ createCore: (...given) => new Refuser(...given), judgesSteps: true }),
  },
  {
    claim: "a leader contradicts what is committed",
    invariant: "No Exception",
    says: /^InvariantError: entry 1@\d+ of n\d+ contradicts the committed log$/u,
    createParts: createContradictor,
  },
  {
    claim: "a commit point is stored ahead of its entries",
    invariant: "No Exception",
    says: /^InvariantError: commitIndex \d+ is beyond the log's end$/u,
    storage: "sqlite",
    createParts: () => ({ createCore: (...given) => new Promiser(...given) }),
  },
  {
    claim: "a follower says that it leads",
    invariant: "Election Safety",
    says: /^term \d+ has two leaders/u,
    createParts: () => ({ createCore: (...given) => new Pretender(...given) }),
  },
  {
    claim: "a leader commits what nobody else has",
    invariant: "Committed On Quorum",
    says: /no quorum holds it on its disks$/u,
    createParts: () => ({ createCore: (...given) => new HastyCommitter(...given) }),
  },
  {
    claim: "a committed entry comes back as another",
    invariant: "Committed Immutable",
    says: /but another was committed there before/u,
    createParts: createForgetful,
  },
  {
    claim: "a leader changes what it was given to write",
    invariant: "Acknowledged Writes Survive",
    says: /was acknowledged at \d+; the log has it at none$/u,
    createParts: () => ({ createCore: (...given) => new Forger(...given) }),
  },
  {
    claim: "a store answers with what nobody wrote",
    invariant: "Fresh Reads",
    says: /read nobody wrote this at \d+; the log makes it/u,
    createParts: () => ({ createStateMachine: () => new LyingStore() }),
  },
  {
    claim: "a store tells a repeat that it took effect",
    invariant: "Exactly Once",
    says: /^n\d+: entry \d+ is \{"kind":"repeat"/u,
    createParts: () => ({ createStateMachine: () => new RepeatingStore() }),
  },
  {
    claim: "equal entries make another state on each node",
    invariant: "Determinism",
    says: /has another state after entry/u,
    createParts: () => {
      let made = 0;
      return { createStateMachine: () => new OtherStore(++made) };
    },
  },
];

/** What did not happen in the first run may happen in the next. */
const TRIES = 5;

/**
 * Why a campaign with these checks would prove little: what they did not see, or saw as something
 * else. Empty: nothing speaks against them.
 */
export async function blindSpots(firstSeed = 1): Promise<string[]> {
  const blind: string[] = [];
  for (const canary of CANARIES) {
    const { claim, invariant, says } = canary;
    const failure = await firstFailureOf(canary, firstSeed);
    if (failure?.invariant === invariant && says.test(failure.message)) continue;
    const seen = failure === null ? "nothing" : `"${failure.invariant}": ${failure.message}`;
    blind.push(`${claim}: it broke ${seen}, not "${invariant}"`);
  }
  const due = dueInIdleCampaigns();
  const missed = COVERAGE_MARKS.filter((mark) => !due.has(mark));
  if (missed.length > 0) blind.push(`nothing happens: nobody misses ${missed.join(", ")}`);
  return blind;
}

async function firstFailureOf(
  { createParts, storage = "model" }: Canary,
  firstSeed: number,
): Promise<SimulationFailure | null> {
  for (let seed = firstSeed; seed < firstSeed + TRIES; seed++) {
    const { failure } = await simulate(seed, {
      overrides: { ...QUIET, storage },
      parts: createParts(),
    });
    if (failure !== null) return failure;
  }
  return null;
}

/** What is missed where nothing happened, or nothing but what gives something else its chances. */
function dueInIdleCampaigns(): ReadonlySet<CoverageMark> {
  const chances = Object.values(RARE_MARKS);
  const enough = Math.max(EFFECTIVE_SEEDS_MIN, ...chances.map(({ atLeast }) => atLeast));
  const givens = [...new Set(chances.map(({ of }) => of))].map((of) => ({ [of]: enough }));
  return new Set([{}, ...givens].flatMap((given) => idleCampaign(enough, given).vacuousMarks()));
}

/** So many seeds, in which nothing but this happened. */
function idleCampaign(seeds: number, coverage: CoverageCounts): Campaign {
  const campaign = new Campaign();
  campaign.coverage.addCounts(coverage);
  const idle = { traceHash: "", eventCount: 0, simulatedMs: 0, coverage: {}, failure: null };
  for (let seed = 1; seed <= seeds; seed++) campaign.add({ seed, ...idle });
  return campaign;
}
