import type { ClusterId, Hello, HelloRefused, Incarnation, NodeId } from "@quorate/wire";
import { PROTOCOL_VERSION } from "@quorate/wire";

/** Who answers hellos, and whom it knows. */
export interface AdmissionRules {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  isMember(id: NodeId): boolean;
}

/**
 * Checks the first frame of every connection: that it was meant for this cluster and node, and
 * that a peer is a member with the data directory that it has always had. A wiped or copied
 * directory under an old name could vote twice in a term (Diss. §3.8).
 */
export class Admission {
  readonly #rules: AdmissionRules;
  readonly #incarnations = new Map<NodeId, Incarnation>();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** Why `hello` is refused, or null: it is welcome. */
  check(hello: Hello): HelloRefused | null {
    return this.#checkTarget(hello) ?? (hello.role === "peer" ? this.#checkPeer(hello) : null);
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

  #checkPeer({ from, incarnation }: Hello): HelloRefused | null {
    const { clusterId, nodeId } = this.#rules;
    if (from === nodeId) {
      return refuse(
        "wrongNode",
        `${from} has the name of the node that it called`,
        "give every node a name of its own",
      );
    }
    if (!this.#rules.isMember(from)) {
      return refuse(
        "notMember",
        `${from} is no member of cluster ${clusterId}`,
        `name ${from} in the initial cluster of every node`,
      );
    }
    const known = this.#incarnations.get(from);
    if (incarnation === null || (known !== undefined && known !== incarnation)) {
      return refuse(
        "wrongIncarnation",
        `${from} has another data directory (${incarnation ?? "none"}) than before (${known ?? "none"})`,
        `give ${from} its own directory back, or put a node with a new name in its place`,
      );
    }
    this.#incarnations.set(from, incarnation);
    return null;
  }
}

function refuse(code: HelloRefused["code"], message: string, remedy: string): HelloRefused {
  return { type: "HelloRefused", code, message, remedy };
}
