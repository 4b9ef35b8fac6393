import type { AppendEntries, InstallSnapshot, NodeId, RaftMessage, RequestId } from "@quorate/wire";
import type { Output, RaftConfig, RaftCore, RaftView } from "../../../raft/index.ts";
import { checkPersistedStep } from "./commit-rules.ts";
import type { ExpectedAnswer } from "./expected-answers.ts";
import { ExpectedAnswers } from "./expected-answers.ts";
import { ReadRules } from "./read-rules.ts";
import { TransferRules } from "./transfer-rules.ts";
import {
  checkAppendEntriesStep,
  checkHeard,
  checkPeerDown,
  checkPieceReplyStep,
  checkReplyStep,
  cutBy,
  expectedReply,
  followsSender,
} from "./replication-rules.ts";
import { RetirementRules } from "./retirement-rules.ts";
import {
  checkReceivedStep,
  checkTakenStep,
  ExpectedPieces,
  expectedPieceReply,
  expectedStoredReply,
  hasAlready,
} from "./snapshot-rules.ts";
import type { Step, StepBegun, StepInput, StepWorld, TermAt } from "./step.ts";
import {
  checkElected,
  checkPreVoteReplyStep,
  checkPreVoteStep,
  checkTick,
  checkVoteStep,
  expectedPreVote,
  expectedVote,
} from "./vote-rules.ts";

const OTHER: StepInput = { kind: "other" };
const TICK: StepInput = { kind: "tick" };
const PERSISTED: StepInput = { kind: "persisted" };

export interface StepWatchOptions {
  readonly config: RaftConfig;
  readonly world: StepWorld;
  /** Numbers of reads in all lives of this server. */
  readonly readIds: Set<RequestId>;
}

/**
 * Follows one core from outside, input by input, and holds what it does against a second reading of
 * Figures 2 and 13 and of §§5-9. A step is judged when the next one begins or when somebody looks,
 * whichever is first: a view is made only where nobody made one anyway.
 */
export class StepWatch {
  readonly #core: RaftCore;
  readonly #termAt: TermAt;
  readonly #config: RaftConfig;
  readonly #world: StepWorld;
  readonly #answers: ExpectedAnswers;
  readonly #pieces: ExpectedPieces;
  readonly #reads: ReadRules;
  readonly #retirement: RetirementRules;
  readonly #transfer = new TransferRules();
  #view: RaftView;
  /** The core may have changed since `#view`, by giving out what there was to do. */
  #isOld = false;
  #begun: StepBegun | null = null;
  /** What the step that has begun must be answered. */
  #answer: ExpectedAnswer | null = null;
  /** Ticks, as one that does not lead, since it started or heard a leader. */
  #silentTicks = 0;

  constructor(core: RaftCore, { config, world, readIds }: StepWatchOptions) {
    this.#core = core;
    this.#termAt = (index) => core.termAt(index);
    this.#config = config;
    this.#world = world;
    this.#pieces = new ExpectedPieces(config.nodeId);
    this.#reads = new ReadRules(config.nodeId, readIds);
    this.#retirement = new RetirementRules(config.nodeId);
    this.#view = core.view();
    this.#answers = new ExpectedAnswers(config.nodeId, this.#view.lastLogIndex);
    this.#listen();
  }

  /**
   * Whether this server, as a voter, promised a leader to vote for nobody else yet. With leases only:
   * without them loyalty ends with whom it is for (Diss. §4.2.3, §6.4.1).
   */
  get isLoyal(): boolean {
    return this.#silentTicks < this.#config.electionTicks;
  }

  /** The core is as `view` says. */
  looked(view: RaftView): void {
    const begun = this.#begun;
    const before = this.#view;
    this.#begun = null;
    this.#view = view;
    this.#isOld = false;
    this.#reads.changed(before, view);
    if (begun !== null) this.#judge({ ...begun, after: view });
  }

  /** From now on all that the core is told, and what it gives out, comes by here. */
  #listen(): void {
    Object.assign(this.#core, this.#heardInputs(), this.#heardRequests(), this.#heardOutput());
  }

  #heardInputs(): Partial<RaftCore> {
    const core = this.#core;
    const tick = core.tick.bind(core);
    const receive = core.receive.bind(core);
    const peerDown = core.peerDown.bind(core);
    const persisted = core.persisted.bind(core);
    const snapshotTaken = core.snapshotTaken.bind(core);
    const snapshotChunkStored = core.snapshotChunkStored.bind(core);
    const snapshotReceived = core.snapshotReceived.bind(core);
    return {
      tick: () => {
        const { before } = this.#begin(TICK);
        if (before.role !== "leader") this.#silentTicks += 1;
        tick();
      },
      receive: (from, message) => {
        this.#received(from, message);
        receive(from, message);
      },
      peerDown: (peer) => {
        this.#begin({ kind: "peerDown", peer });
        peerDown(peer);
      },
      persisted: (sequence) => {
        this.#begin(PERSISTED);
        persisted(sequence);
      },
      snapshotTaken: (index) => {
        this.#begin({ kind: "snapshotTaken", index });
        return snapshotTaken(index);
      },
      snapshotChunkStored: (chunk, nextOffset) => {
        const begun = this.#begin(OTHER);
        this.#expect(expectedStoredReply(begun, chunk.from, chunk.message, nextOffset));
        snapshotChunkStored(chunk, nextOffset);
      },
      snapshotReceived: (chunk) => {
        const { from, message } = chunk;
        const input = { kind: "snapshotReceived", message } as const;
        const begun = this.#begin(input, message.lastIncludedIndex);
        this.#expect(expectedStoredReply(begun, from, message, null));
        const isInstalled = snapshotReceived(chunk);
        if (isInstalled) this.#answers.startedAfter(message.lastIncludedIndex);
        return isInstalled;
      },
    };
  }

  #heardRequests(): Partial<RaftCore> {
    const core = this.#core;
    const propose = core.propose.bind(core);
    const changeMembers = core.changeMembers.bind(core);
    const transferLeadership = core.transferLeadership.bind(core);
    const readIndex = core.readIndex.bind(core);
    return {
      propose: (data) => {
        this.#begin(OTHER);
        return propose(data);
      },
      changeMembers: (target, options) => {
        this.#begin(OTHER);
        return changeMembers(target, options);
      },
      transferLeadership: (target) => {
        this.#begin(OTHER);
        return transferLeadership(target);
      },
      readIndex: () => {
        const { before } = this.#begin(OTHER);
        const id = readIndex();
        this.#reads.asked(id, before);
        return id;
      },
    };
  }

  #heardOutput(): Partial<RaftCore> {
    const core = this.#core;
    const hasOutput = core.hasOutput.bind(core);
    const takeOutput = core.takeOutput.bind(core);
    return {
      hasOutput: () => {
        this.#settle();
        return hasOutput();
      },
      takeOutput: () => {
        this.#settle();
        const output = takeOutput();
        this.#isOld = true;
        this.#taken(output);
        return output;
      },
    };
  }

  #begin(input: StepInput, indexNamed: number | null = null): StepBegun {
    if (this.#begun !== null || this.#isOld) this.looked(this.#core.view());
    this.#begun = {
      node: this.#config.nodeId,
      config: this.#config,
      input,
      before: this.#view,
      termNamed: indexNamed === null ? null : this.#core.termAt(indexNamed),
    };
    this.#answer = null;
    return this.#begun;
  }

  #settle(): void {
    if (this.#begun !== null) this.looked(this.#core.view());
  }

  #received(from: NodeId, message: RaftMessage): void {
    const begun = this.#begin({ kind: "message", from, message }, indexNamedBy(message));
    if (from === this.#config.nodeId) return;
    this.#answer = this.#expectedAnswer(begun, from, message);
    if (message.type === "AppendEntries") this.#cut(begun, message);
    if (message.type === "ReadIndex") this.#reads.askedBy(from, message, begun.before);
    this.#expect(this.#answer);
    const isOfLeader = message.type === "AppendEntries" || message.type === "InstallSnapshot";
    if (!isOfLeader || !followsSender(begun, from, message)) return;
    this.#silentTicks = 0;
    if (message.type === "InstallSnapshot" && !hasAlready(begun, message)) {
      this.#pieces.expect(message);
    }
  }

  #cut(begun: StepBegun, request: AppendEntries): void {
    if (this.#answer?.type !== "AppendEntriesReply" || !this.#answer.success) return;
    const index = cutBy(begun, request, this.#termAt);
    if (index !== null) this.#answers.cut(index);
  }

  #expect(answer: ExpectedAnswer | null): void {
    if (answer !== null) this.#answers.expect(answer);
  }

  #expectedAnswer(begun: StepBegun, from: NodeId, message: RaftMessage): ExpectedAnswer | null {
    switch (message.type) {
      case "RequestVote":
        return expectedVote(begun, from, message, this.#silentTicks);
      case "PreVote":
        return expectedPreVote(begun, from, message, this.#silentTicks);
      case "AppendEntries":
        return expectedReply(begun, from, message, this.#termAt);
      case "InstallSnapshot":
        return expectedPieceReply(begun, from, message);
      default:
        return null;
    }
  }

  #taken(output: Output): void {
    this.#answers.outputTaken(output);
    this.#pieces.outputTaken(output);
    this.#reads.outputTaken(output);
    this.#retirement.outputTaken(output);
  }

  #judge(step: Step): void {
    const { input } = step;
    this.#retirement.stepped(step);
    this.#reads.stepped(step);
    this.#transfer.stepped(step);
    checkElected(step, this.#world);
    if (input.kind === "message") this.#judgeMessage(step, input.from, input.message);
    else if (input.kind === "tick") checkTick(step, this.#world);
    else if (input.kind === "persisted") checkPersistedStep(step, this.#termAt);
    else if (input.kind === "peerDown") checkPeerDown(step, input.peer);
    else if (input.kind === "snapshotTaken") checkTakenStep(step, input.index);
    else if (input.kind === "snapshotReceived") checkReceivedStep(step, input.message);
  }

  #judgeMessage(step: Step, from: NodeId, message: RaftMessage): void {
    if (from === step.node) return;
    if (message.type === "RequestVote") checkVoteStep(step, message, this.#answer);
    else if (message.type === "PreVote") checkPreVoteStep(step, message);
    else if (message.type === "PreVoteReply") checkPreVoteReplyStep(step, message);
    else if (message.type === "AppendEntries") checkAppendEntriesStep(step, from, message);
    else if (message.type === "InstallSnapshot") this.#judgePiece(step, from, message);
    else if (message.type === "InstallSnapshotReply") checkPieceReplyStep(step, from, message);
    else if (message.type === "AppendEntriesReply") {
      checkReplyStep(step, from, message, { world: this.#world, termAt: this.#termAt });
    }
  }

  #judgePiece(step: Step, from: NodeId, message: InstallSnapshot): void {
    if (followsSender(step, from, message)) checkHeard(step, from);
  }
}

function indexNamedBy(message: RaftMessage): number | null {
  if (message.type === "AppendEntries") return message.prevLogIndex;
  return message.type === "InstallSnapshot" ? message.lastIncludedIndex : null;
}
