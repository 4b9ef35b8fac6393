import type { NodeId, RaftMessage } from "@quorate/wire";
import {
  configurationOf,
  DecodeError,
  decodeBody,
  decodeConfiguration,
  encodeConfiguration,
  encodeEntries,
  encodeFrame,
} from "@quorate/wire";
import type { Output, RaftView } from "../../../packages/node/src/raft/index.ts";
import {
  checkState,
  checkTransition,
  InvariantError,
  RAFT_DEFAULTS,
  RaftCore,
} from "../../../packages/node/src/raft/index.ts";
import { MESSAGE_PACK_MUTATIONS } from "../message-pack.ts";
import { joined } from "../mutations.ts";
import type { Recording } from "../recordings.ts";
import { bodyOf, isRaftMessage } from "../recordings.ts";
import type { Mutation, Target } from "../target.ts";
import { Broken } from "../target.ts";

/*
 * An input is a script for one server, n1 of three voters: operations of one byte each, and
 * messages: 0x10 + place of the sender in SENDERS, u16 length, body.
 */
const SENDERS: readonly NodeId[] = ["n1", "n2", "n3", "stranger"];
const RECEIVE = 0x10;
const PERSIST = 0x08;
const PROPOSE = 0x09;
const READ = 0x0a;
const TRANSFER = 0x0b;
const COMPACT = 0x0c;
const PEER_DOWN = 0x0d;
/** 1, 2, 4, … 128 of them. */
const TICKS_MAX = 0x07;
const STEPS_MAX = 200;

/** One server that is told whatever decodes: it survives, keeps its invariants and its manners. */
export function coreTarget(recordings: readonly Recording[]): Target {
  return {
    name: "core",
    seeds: [leading(), ...recordings.flatMap((recording) => scriptsOf(recording))],
    mutations: [changeMessage, changeMessage, changeMessage, moveSteps, insertStep],
    limitMs: 1000,
    partsOf: stepsOf,
    check: (input) => {
      const server = new ScriptedServer();
      const steps = stepsOf(input).slice(0, STEPS_MAX);
      for (const step of steps) {
        if (!server.run(step)) return `refused: it stops, as it must, as ${server.describe()}`;
      }
      return `ok ${server.describe()}`;
    },
  };
}

class ScriptedServer {
  readonly #core: RaftCore;
  readonly #sent = new Set<string>();
  #persisting: number | null = null;
  #lastApplied = 0;

  constructor() {
    const codec = { encode: encodeConfiguration, decode: decodeConfiguration };
    const config = {
      ...RAFT_DEFAULTS,
      nodeId: "n1",
      heartbeatTicks: 2,
      electionTicks: 10,
      trailingEntries: 2,
    };
    const configuration = configurationOf({ voters: ["n1", "n2", "n3"] });
    const point = { lastIncludedIndex: 0, lastIncludedTerm: 0, configurationIndex: 0 };
    const recovered = {
      hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
      entries: [],
      snapshot: { ...point, configuration },
      beforeFirst: { index: 0, term: 0 },
      voteFloor: null,
    };
    this.#core = new RaftCore(config, recovered, { below: () => 0 }, codec);
  }

  /** Whether it goes on. A leader that contradicts what is committed stops it: that is its duty. */
  run(step: Uint8Array): boolean {
    const before = this.#core.view();
    try {
      this.#do(step);
      this.#drain();
    } catch (error) {
      const mayStop = error instanceof InvariantError && this.#core.view().commitIndex > 0;
      if (mayStop && /contradicts the committed log/u.test(error.message)) return false;
      throw error;
    }
    checkState(this.#core);
    checkTransition(before, this.#core.view());
    return true;
  }

  describe(): string {
    const view = this.#core.view();
    return `${view.role} ${sizesOf(view)} ${[...this.#sent].toSorted().join(" ")}`;
  }

  #do(step: Uint8Array): void {
    const core = this.#core;
    const [operation = 0] = step;
    const sender = SENDERS[operation - RECEIVE];
    if (operation <= TICKS_MAX) {
      for (let left = 1 << operation; left > 0; left--) core.tick();
    } else if (operation === PERSIST) this.#finishWrite();
    else if (operation === PROPOSE) core.propose(step.slice());
    else if (operation === READ) core.readIndex();
    else if (operation === TRANSFER) core.transferLeadership(null);
    else if (operation === COMPACT) core.snapshotTaken(this.#lastApplied);
    else if (operation === PEER_DOWN) core.peerDown("n2");
    else if (sender !== undefined) this.#receive(sender, step.subarray(3));
  }

  #receive(from: NodeId, body: Uint8Array): void {
    let message;
    try {
      message = decodeBody(body);
    } catch (error) {
      if (error instanceof DecodeError) return;
      throw error;
    }
    if (isRaftMessage(message)) this.#core.receive(from, message);
  }

  #finishWrite(): void {
    const sequence = this.#persisting;
    this.#persisting = null;
    if (sequence !== null) this.#core.persisted(sequence);
  }

  /** Does what a driver does with everything that the core asks for. */
  #drain(): void {
    for (let rounds = 0; this.#core.hasOutput(); rounds++) {
      if (rounds > 1000) throw new Broken("it never has enough");
      const output = this.#core.takeOutput();
      for (const { message } of [...output.messages, ...output.messagesAfterPersist]) {
        this.#send(message);
      }
      this.#lastApplied = output.committedEntries.at(-1)?.index ?? this.#lastApplied;
      if (output.installed !== null) this.#lastApplied = output.installed.lastIncludedIndex;
      this.#store(output);
    }
  }

  /** Whatever it says can be heard. */
  #send(message: RaftMessage): void {
    this.#sent.add(message.type);
    decodeBody(bodyOf(encodeFrame(message)));
  }

  #store({ persist, snapshotChunks }: Output): void {
    if (persist !== null) {
      encodeEntries(persist.entries);
      this.#persisting = persist.sequence;
    }
    for (const chunk of snapshotChunks) {
      const { offset, data, done } = chunk.message;
      if (done) this.#core.snapshotReceived(chunk);
      else this.#core.snapshotChunkStored(chunk, offset + data.length);
    }
  }
}

function sizesOf({ currentTerm, commitIndex, lastLogIndex, firstLogIndex }: RaftView): string {
  return [currentTerm, commitIndex, lastLogIndex, firstLogIndex]
    .map((size) => (size < 3 ? size : size < 20 ? "few" : size < 2 ** 32 ? "many" : "huge"))
    .join(" ");
}

function receiveStep(from: number, body: Uint8Array): Uint8Array {
  const head = Uint8Array.of(RECEIVE + from, body.length >> 8, body.length & 0xff);
  return joined([head, body]);
}

/** What n1 was told, in several lengths, with time and disk in between. */
function scriptsOf({ received }: Recording): Uint8Array[] {
  return [8, 25, 60].map((count) =>
    joined(
      received.slice(0, count).flatMap(({ from, frame }, at) => {
        const sender = Math.max(1, SENDERS.indexOf(from));
        const step = receiveStep(sender, bodyOf(frame));
        return at % 3 === 0 ? [step, Uint8Array.of(PERSIST)] : [step];
      }),
    ),
  );
}

/** n1 wins the election of term 1, and commits. */
function leading(): Uint8Array {
  const say = (message: RaftMessage): Uint8Array => receiveStep(1, bodyOf(encodeFrame(message)));
  const stored = (matchIndex: number): Uint8Array =>
    say({
      type: "AppendEntriesReply",
      term: 1,
      success: true,
      prevLogIndex: matchIndex,
      matchIndex,
      conflictTerm: null,
      conflictIndex: 0,
      round: 0,
    });
  const write = Uint8Array.of(PERSIST);
  return joined([
    Uint8Array.of(0x03, 0x02),
    say({ type: "PreVoteReply", term: 0, preVoteTerm: 1, voteGranted: true }),
    write,
    say({ type: "RequestVoteReply", term: 1, voteGranted: true }),
    write,
    stored(1),
    Uint8Array.of(PROPOSE, READ, PERSIST),
    stored(2),
    Uint8Array.of(0x00, COMPACT, PERSIST),
  ]);
}

/** The operations of a script; what is cut off at its end is left out. */
function stepsOf(input: Uint8Array): Uint8Array[] {
  const steps: Uint8Array[] = [];
  for (let at = 0; at < input.length;) {
    const operation = input[at] ?? 0;
    const isMessage = operation >= RECEIVE && operation < RECEIVE + SENDERS.length;
    const bodyBytes = isMessage ? ((input[at + 1] ?? 0) << 8) | (input[at + 2] ?? 0) : 0;
    const end = at + (isMessage ? 3 + bodyBytes : 1);
    if (end > input.length) break;
    steps.push(input.slice(at, end));
    at = end;
  }
  return steps;
}

const changeMessage: Mutation = (input, dice, other) => {
  const steps = stepsOf(input);
  const messages = [...steps.entries()].filter(([, step]) => step.length > 3);
  if (messages.length === 0) return input;
  const [at, step] = dice.pick(messages);
  const theirs = stepsOf(other).filter(({ length }) => length > 3);
  const body = dice.pick(MESSAGE_PACK_MUTATIONS)(
    step.subarray(3),
    dice,
    theirs.length === 0 ? step.subarray(3) : dice.pick(theirs).subarray(3),
  );
  if (body.length > 0xffff) return input;
  const sender = dice.chance(0.9) ? (step[0] ?? RECEIVE) - RECEIVE : dice.below(SENDERS.length);
  return joined(steps.with(at, receiveStep(sender, body)));
};

const moveSteps: Mutation = (input, dice, other) => {
  const steps = stepsOf(input);
  const theirs = stepsOf(other);
  const from = dice.below(theirs.length + 1);
  const piece = theirs.slice(from, from + 1 + dice.exponential(4));
  steps.splice(dice.below(steps.length + 1), dice.chance(0.5) ? 0 : dice.exponential(3), ...piece);
  return joined(steps);
};

const insertStep: Mutation = (input, dice) => {
  const steps = stepsOf(input);
  steps.splice(dice.below(steps.length + 1), 0, Uint8Array.of(dice.below(RECEIVE)));
  return joined(steps);
};
