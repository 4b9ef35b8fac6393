import type {
  ClusterId,
  Configuration,
  Hello,
  HelloRefused,
  LogIndex,
  NodeId,
} from "@quorate/wire";
import { PROTOCOL_VERSION } from "@quorate/wire";

/** The start of a data directory that a peer was last let in with. */
export interface PeerStart {
  readonly incarnation: string;
  readonly bootNumber: number;
  readonly bootId: string;
}

/** The members as a node knows them, for telling who may call it. */
export interface KnownMembers {
  readonly configuration: Configuration;
  readonly configurationIndex: LogIndex;
  /** Whether the configuration is committed: otherwise nobody is gone for good by it. */
  readonly isCommitted: boolean;
}

/** Who answers hellos, and whom it knows. */
export interface AdmissionRules {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  members(): KnownMembers;
  /** Null: it was never let in. */
  peerStart(id: NodeId): PeerStart | null;
  /** Fulfilled once it is durable: only then may the peer be answered. */
  rememberPeer(id: NodeId, start: PeerStart): Promise<void>;
}

/**
 * Checks the first frame of every connection: that it was meant for this cluster and node, and
 * that a peer is a member with the data directory that it has always had. A wiped, restored or
 * copied directory under an old name could vote twice in a term (Diss. §3.8): each start of a
 * directory has a number, and a peer with a smaller one than before has forgotten something.
 */
export class Admission {
  readonly #rules: AdmissionRules;
  /** Let in, and not durable yet: what is asked meanwhile is judged by it. */
  readonly #pending = new Map<NodeId, PeerStart>();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** Why `hello` is refused, or null: it is welcome, and what it says of a peer is durable. */
  check(hello: Hello): HelloRefused | null | Promise<null> {
    const refusal = this.#checkTarget(hello);
    if (refusal !== null || hello.role !== "peer") return refusal;
    return this.#checkMember(hello) ?? this.#checkStart(hello);
  }

  #checkTarget(hello: Hello): HelloRefused | null {
    const { clusterId, nodeId } = this.#rules;
    if (hello.protocolVersion !== PROTOCOL_VERSION) {
      return refuse(
        "protocolVersion",
        `${nodeId} speaks protocol version ${PROTOCOL_VERSION}, not ${hello.protocolVersion}`,
        "run the same release of Quorate on both sides",
      );
    }
    if (hello.clusterId !== clusterId && (hello.clusterId !== null || hello.role === "peer")) {
      return refuse(
        "wrongCluster",
        `${nodeId} belongs to cluster ${clusterId}, not ${hello.clusterId ?? "none"}`,
        `use an address of the other cluster, or the cluster id ${clusterId}`,
      );
    }
    if (hello.to !== nodeId && (hello.to !== null || hello.role === "peer")) {
      return refuse(
        "wrongNode",
        `this is ${nodeId}, not ${hello.to ?? "anyone"}`,
        `correct the address of ${hello.to ?? nodeId} in the initial cluster`,
      );
    }
    return null;
  }

  #checkMember({ from, configurationIndex }: Hello): HelloRefused | null {
    const { clusterId, nodeId } = this.#rules;
    if (from === nodeId) {
      return refuse(
        "wrongNode",
        `${from} has the name of the node that it called`,
        "give every node a name of its own",
      );
    }
    const known = this.#rules.members();
    const { voters, votersOutgoing, learners, retired } = known.configuration;
    if (known.isCommitted && retired.includes(from)) {
      return refuse(
        "retired",
        `${from} was removed from cluster ${clusterId}, and an id is used once`,
        `stop it; to have it back, give it a new name and an empty directory, and add it`,
      );
    }
    // Whoever waits to be added knows nobody, and hears of the members from them.
    if (voters.length === 0) return null;
    if ([...voters, ...votersOutgoing, ...learners, ...retired].includes(from)) return null;
    // A node that is behind hears of new members from them: the leader may be one.
    if ((configurationIndex ?? 0) > known.configurationIndex) return null;
    return refuse(
      "notMember",
      `${from} is no member of cluster ${clusterId}`,
      `add it: quorate member add ${from} HOST:PORT`,
    );
  }

  #checkStart({
    from,
    incarnation,
    bootNumber,
    bootId,
  }: Hello): HelloRefused | Promise<null> | null {
    if (incarnation === null) return lostData(from, "it names no data directory");
    const start: PeerStart = { incarnation, bootNumber: bootNumber ?? 0, bootId };
    const before = this.#pending.get(from) ?? this.#rules.peerStart(from);
    if (before !== null) {
      if (before.incarnation !== incarnation) {
        return lostData(from, "its data directory is not the one that it had");
      }
      // A release that knows no boot numbers sends none, with a new boot id each time.
      const isUnnumbered = bootNumber === null && before.bootNumber === 0;
      if (start.bootNumber === before.bootNumber && (isUnnumbered || bootId === before.bootId)) {
        return this.#pending.has(from) ? this.#remember(from, start) : null;
      }
      if (start.bootNumber <= before.bootNumber) {
        const seen = `start ${before.bootNumber} of its data directory was seen before`;
        return lostData(from, `${seen}, and this is start ${start.bootNumber}`);
      }
    }
    return this.#remember(from, start);
  }

  async #remember(id: NodeId, start: PeerStart): Promise<null> {
    this.#pending.set(id, start);
    await this.#rules.rememberPeer(id, start);
    if (this.#pending.get(id) === start) this.#pending.delete(id);
    return null;
  }
}

function lostData(id: NodeId, what: string): HelloRefused {
  return refuse(
    "wrongIncarnation",
    `${id} has lost its data, or was restored from an older copy, or copied: ${what}`,
    `replace it by a node with a new name: quorate member replace ${id} ` +
      "(a local cluster: quorate remove-node " +
      `${id} && quorate add-node)`,
  );
}

function refuse(code: HelloRefused["code"], message: string, remedy: string): HelloRefused {
  return { type: "HelloRefused", code, message, remedy };
}
