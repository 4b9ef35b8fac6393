import { join } from "node:path";

import { isIdentifier } from "@quorate/wire";
import type { ClusterId, NodeId } from "@quorate/wire";

import { CommandError } from "../errors.ts";
import { readJsonFields } from "./json-file.ts";
import { makePrivateDirectory, replaceFile } from "./state-directory.ts";

const FORMAT_VERSION = 2;

/** Clusters of this format have the nodes that they were made with, and no others. */
const FIXED_NODES_FORMAT = 1;

/** One node of a local cluster. Its port is fixed when the node is made. */
export interface LocalNode {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
  /** It joins the running cluster, and has not run yet: its data folder is still to be made. */
  readonly joining: boolean;
}

/** What `cluster.json` says: the shape of a local cluster, which grows and shrinks. */
export interface ClusterFile {
  readonly name: string;
  /** Minted at `up`: a node refuses to talk to nodes of another cluster. */
  readonly clusterId: ClusterId;
  readonly createdAt: string;
  /** Folder of `nodes/`: where logs and data are. */
  readonly directory: string;
  readonly nodes: readonly LocalNode[];
  /** Names of nodes that were removed. None of them is used again: identities never repeat. */
  readonly removedIds: readonly NodeId[];
  /**
   * Whether every first node was started once. From then on a node whose data is gone is not
   * bootstrapped again: under its old name it could vote twice in one term (Raft §5.2).
   */
  readonly bootstrapped: boolean;
}

function clusterFilePath(stateRoot: string, name: string): string {
  return join(stateRoot, name, "cluster.json");
}

/** Reads `cluster.json`; null where there is none. */
export function readClusterFile(stateRoot: string, name: string): ClusterFile | null {
  const path = clusterFilePath(stateRoot, name);
  const fields = readJsonFields(path);
  if (fields === null) return null;
  const formatVersion = fields.integer("formatVersion");
  if (formatVersion !== FORMAT_VERSION && formatVersion !== FIXED_NODES_FORMAT) {
    throw new CommandError("failed", `${path} has format ${formatVersion}`, {
      why: [`this version of quorate reads formats ${FIXED_NODES_FORMAT} and ${FORMAT_VERSION}`],
      try: ["use the version of quorate that made the cluster"],
    });
  }
  return {
    name,
    clusterId: fields.string("clusterId"),
    createdAt: fields.string("createdAt"),
    directory: fields.string("directory"),
    bootstrapped: fields.boolean("bootstrapped"),
    removedIds: formatVersion === FIXED_NODES_FORMAT ? [] : fields.strings("removedIds"),
    nodes: fields.objects("nodes").map((node) => ({
      id: node.string("id"),
      host: node.string("host"),
      port: node.integer("port"),
      joining: node.has("joining") && node.boolean("joining"),
    })),
  };
}

export function writeClusterFile(stateRoot: string, cluster: ClusterFile): void {
  makePrivateDirectory(join(stateRoot, cluster.name));
  const { name, ...fields } = cluster;
  replaceFile(
    clusterFilePath(stateRoot, name),
    `${JSON.stringify({ formatVersion: FORMAT_VERSION, ...fields }, null, 2)}\n`,
  );
}

/** Refuses names that cannot be a folder's. */
export function checkClusterName(name: string): string {
  if (isIdentifier(name)) return name;
  throw new CommandError("usage", `"${name}" cannot be the name of a cluster`, {
    why: ["a name has 1 to 64 letters, digits, dots, dashes and underscores"],
    try: ["quorate up --name demo"],
  });
}

/** `host:port` of a node. */
export function addressOf(node: LocalNode): string {
  return `${node.host}:${node.port}`;
}
