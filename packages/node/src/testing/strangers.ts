import type { Hello, HelloRefused, NodeId, WireMessage } from "@quorate/wire";
import {
  decodeBody,
  encodeFrame,
  FRAME_BODY_MAX_BYTES,
  FrameDecoder,
  HELLO_BODY_MAX_BYTES,
  PROTOCOL_VERSION,
  VALUE_MAX_BYTES,
} from "@quorate/wire";
import type { Connection } from "@quorate/wire/net";
import { ConnectionError, dial } from "@quorate/wire/net";
import type { RaftView } from "../raft/index.ts";
import { allMembers } from "../raft/index.ts";
import type { PeerStart } from "../transport/peer-admission.ts";
import { requireInvariant } from "./invariant-violation.ts";
import type { SimCluster } from "./sim-cluster.ts";
import { SIM_CLUSTER_ID, SIM_PORT, simAddress } from "./sim-fabric.ts";
import type { SimNode } from "./sim-node.ts";
import type { SimIdentity } from "./sim-identity.ts";
import { SimProcess } from "./sim-process.ts";
import { SimStack, STRANGER } from "./sim-stack.ts";
import type { SimStreams } from "./sim-streams.ts";

const CONNECT_TIMEOUT_MS = 2000;
const VISITS_LIMIT_US = 60_000_000;

type RefusalCode = HelloRefused["code"];

/** Somebody who must not be let in, and what the node has to say. */
interface Stranger {
  readonly what: string;
  readonly hello: Hello;
  readonly code: RefusalCode;
}

/** What the visited node knows, as a stranger may abuse it. */
interface Visited {
  readonly id: NodeId;
  readonly view: RaftView;
  /** Members that it has let in, and how they last came. */
  readonly peers: readonly (readonly [id: NodeId, start: PeerStart])[];
  /** Servers that are gone for good, as their directories would start the next time. */
  readonly retired: readonly (readonly [id: NodeId, start: PeerStart])[];
}

/**
 * Admission (rules 35 to 38): in a calm cluster whose members agree, every kind of stranger calls at
 * every member, one after the other, and each is told by the right code that it is not let in; who
 * does not speak the protocol is told so at once, and what is too large for the log is refused.
 */
export async function turnAway(cluster: SimCluster): Promise<void> {
  const { streams, scheduler } = cluster;
  const leader = cluster.leader();
  const view = leader?.view() ?? null;
  if (streams === null || leader === null || view === null) return;
  const process = new SimProcess(scheduler, 1, () => undefined);
  const visitor = new Visitor(cluster, streams, process);
  const waiting = new Set(allMembers(view.configuration));
  for (const id of waiting) {
    const node = cluster.node(id);
    const visits = node === null ? Promise.resolve() : visitor.visit(node, node === leader);
    visits.then(
      () => waiting.delete(id),
      (error: unknown) => {
        cluster.promises.failed(error);
      },
    );
  }
  requireInvariant(
    await cluster.runUntil(() => waiting.size === 0, VISITS_LIMIT_US),
    "Admission",
    () => `strangers wait for an answer of ${[...waiting].join(", ")}`,
  );
}

class Visitor {
  readonly #cluster: SimCluster;
  readonly #streams: SimStreams;
  readonly #process: SimProcess;

  constructor(cluster: SimCluster, streams: SimStreams, process: SimProcess) {
    this.#cluster = cluster;
    this.#streams = streams;
    this.#process = process;
  }

  async visit(node: SimNode, isLeader: boolean): Promise<void> {
    const visited = lookAt(node, this.#cluster);
    if (visited === null) return;
    const { id } = visited;
    for (const stranger of strangersTo(visited)) await this.#call(id, stranger);
    const tooLong = Buffer.alloc(4);
    tooLong.writeUInt32BE(HELLO_BODY_MAX_BYTES + 1);
    await this.#say(id, "announces a hello that is too long", tooLong);
    await this.#say(id, "begins with a ping", encodeFrame({ type: "Ping", nonce: 1 }));
    if (!isLeader) return;
    await this.#putTooMuch(id);
    await this.#putOnFullDisk(node);
  }

  async #call(id: NodeId, { what, hello, code }: Stranger): Promise<void> {
    const answer = await this.#dial(id, hello).then(() => "let in", saidBy);
    this.#answered(id, what, answer, code);
  }

  /** Bytes that are no hello. */
  async #say(id: NodeId, what: string, bytes: Uint8Array): Promise<void> {
    const address = { host: id, port: SIM_PORT };
    const stream = this.#streams.connect(STRANGER, this.#process, address);
    const decoder = new FrameDecoder(FRAME_BODY_MAX_BYTES);
    const { promise, resolve } = Promise.withResolvers<string>();
    stream.on("data", (chunk) => {
      decoder.push(chunk, (body) => {
        const message = decodeBody(body);
        resolve(message.type === "HelloRefused" ? message.code : message.type);
      });
    });
    stream.once("close", () => {
      resolve("no answer");
    });
    stream.write(bytes);
    this.#answered(id, what, await promise, "helloExpected");
    stream.destroy();
  }

  /** A client may send a value of any size: no log must ever hold one that no node can read. */
  async #putTooMuch(id: NodeId): Promise<void> {
    const answer = await this.#put(id, Buffer.alloc(VALUE_MAX_BYTES + 1));
    this.#answered(id, "puts too large a value", answer, "tooLarge, notApplied");
  }

  /** A leader that finds no room could not answer, and says so at once (rule 54). */
  async #putOnFullDisk(leader: SimNode): Promise<void> {
    const before = leader.view();
    const { trouble } = leader.disk;
    trouble.isFull = true;
    const answer = await this.#put(leader.id, Buffer.from("no room"));
    trouble.isFull = false;
    const after = leader.view();
    // Who does not lead any more says that, whatever its disk is like.
    if (after?.role !== "leader" || after.currentTerm !== before?.currentTerm) return;
    this.#answered(leader.id, "puts what finds no room", answer, "storageFull, notApplied");
  }

  async #put(id: NodeId, value: Uint8Array): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const connection = await this.#dial(id, clientHello(null), (said) => {
      resolve(said.type === "ErrorReply" ? `${said.code}, ${said.outcome}` : said.type);
    });
    const key = Buffer.from(STRANGER);
    connection.send({ type: "Put", requestId: 1, key, value, ifRevision: null, session: null });
    const answer = await promise;
    connection.close();
    return answer;
  }

  #dial(
    id: NodeId,
    hello: Hello,
    onMessage: (message: WireMessage) => void = () => undefined,
  ): Promise<Connection> {
    return dial({
      address: simAddress(id),
      hello,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      handlers: { onMessage, onBatchEnd: () => undefined, onClose: () => undefined },
      stack: new SimStack(this.#streams, STRANGER, this.#process),
    }).connected;
  }

  #answered(id: NodeId, what: string, answer: string, expected: string): void {
    this.#cluster.trace.record("stranger", id, answer);
    this.#cluster.coverage.add("strangersRefused");
    requireInvariant(
      answer === expected,
      "Admission",
      () => `${id} answered a stranger that ${what}: ${answer}, not ${expected}`,
    );
  }
}

function saidBy(error: unknown): string {
  if (!(error instanceof ConnectionError)) throw error;
  return error.refusal?.code ?? error.kind;
}

function lookAt(node: SimNode, cluster: SimCluster): Visited | null {
  const view = node.view();
  if (view === null) return null;
  const { configuration } = view;
  const peers = allMembers(configuration).flatMap((id) => {
    const start = id === node.id ? null : node.identity.peer(id);
    return start === null ? [] : [[id, start] as const];
  });
  const retired = configuration.retired.flatMap((id) => {
    const identity = cluster.node(id)?.identity;
    return identity === undefined ? [] : [[id, nextStart(identity)] as const];
  });
  return { id: node.id, view, peers, retired };
}

function nextStart({ incarnation, bootNumber }: SimIdentity): PeerStart {
  return { incarnation, bootNumber: bootNumber + 1, bootId: `${incarnation}-next` };
}

function strangersTo({ id, view, peers, retired }: Visited): readonly Stranger[] {
  const { configurationIndex } = view;
  const nobody = { incarnation: "nobodys", bootNumber: 1, bootId: "nobodys-1" };
  const newcomer = peerHello("nobody", id, nobody, configurationIndex);
  const strangers: Stranger[] = [
    { what: "is no member", hello: newcomer, code: "notMember" },
    {
      what: "speaks another version",
      hello: { ...newcomer, protocolVersion: PROTOCOL_VERSION + 1 },
      code: "protocolVersion",
    },
    { what: "has the node's own name", hello: { ...newcomer, from: id }, code: "wrongNode" },
    { what: "uses another cluster", hello: clientHello("another"), code: "wrongCluster" },
  ];
  for (const [from, start] of retired) {
    const hello = peerHello(from, id, start, configurationIndex);
    strangers.push({ what: `was removed as ${from}`, hello, code: "retired" });
  }
  const [known] = peers;
  if (known !== undefined) strangers.push(...doublesOf(known, id, configurationIndex));
  return strangers;
}

/** Who comes under the name of a member that was let in, and is another, or an older one. */
function doublesOf(
  [from, start]: readonly [NodeId, PeerStart],
  id: NodeId,
  configurationIndex: number,
): readonly Stranger[] {
  const hello = peerHello(from, id, start, configurationIndex);
  const { bootNumber } = start;
  const older = { ...hello, bootId: "older", bootNumber: bootNumber - 1 };
  const next = { ...hello, bootId: "next", bootNumber: bootNumber + 1 };
  return [
    {
      what: "is of another cluster",
      hello: { ...hello, clusterId: "another" },
      code: "wrongCluster",
    },
    { what: "called another node", hello: { ...hello, to: from }, code: "wrongNode" },
    { what: "lost its data", hello: { ...next, incarnation: "new" }, code: "wrongIncarnation" },
    { what: "has no data", hello: { ...next, incarnation: null }, code: "wrongIncarnation" },
    { what: "is an older copy", hello: older, code: "wrongIncarnation" },
    { what: "is a copy", hello: { ...hello, bootId: "copy" }, code: "wrongIncarnation" },
  ];
}

function peerHello(
  from: NodeId,
  to: NodeId,
  { incarnation, bootNumber, bootId }: PeerStart,
  configurationIndex: number,
): Hello {
  return {
    type: "Hello",
    protocolVersion: PROTOCOL_VERSION,
    clusterId: SIM_CLUSTER_ID,
    from,
    to,
    role: "peer",
    incarnation,
    bootId,
    advertiseAddress: simAddress(from),
    softwareVersion: "simulated",
    capabilities: [],
    bootNumber,
    configurationIndex,
  };
}

/** `clusterId` null: it takes whichever cluster answers. */
function clientHello(clusterId: string | null): Hello {
  return {
    type: "Hello",
    protocolVersion: PROTOCOL_VERSION,
    clusterId,
    from: STRANGER,
    to: null,
    role: "client",
    incarnation: null,
    bootId: STRANGER,
    advertiseAddress: null,
    softwareVersion: "simulated",
    capabilities: [],
    bootNumber: null,
    configurationIndex: null,
  };
}
