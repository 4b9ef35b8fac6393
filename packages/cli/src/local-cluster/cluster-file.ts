import { join } from "node:path";

import { isIdentifier } from "@quorate/wire";
import type { ClusterId, NodeId } from "@quorate/wire";

import { CommandError } from "../errors.ts";
import { readJsonFields } from "./json-file.ts";
import { makePrivateDirectory, replaceFile } from "./state-directory.ts";

const FORMAT_VERSION = 1;

/** One node of a local cluster. Its port is fixed when the cluster is made. */
export interface LocalNode {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
}

/** What `cluster.json` says: the shape of a local cluster, which never changes after `up`. */
export interface ClusterFile {
  readonly name: string;
  /** Minted at `up`: a node refuses to talk to nodes of another cluster. */
  readonly clusterId: ClusterId;
  readonly createdAt: string;
  /** Folder of `nodes/`: where logs and data are. */
  readonly directory: string;
  readonly nodes: readonly LocalNode[];
  /**
   * Whether every node was started once. From then on a node whose data is gone is not
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
  if (formatVersion !== FORMAT_VERSION) {
    throw new CommandError("failed", `${path} has format ${formatVersion}`, {
      why: [`this version of quorate reads format ${FORMAT_VERSION}`],
      try: ["use the version of quorate that made the cluster"],
    });
  }
  return {
    name,
    clusterId: fields.string("clusterId"),
    createdAt: fields.string("createdAt"),
    directory: fields.string("directory"),
    bootstrapped: fields.boolean("bootstrapped"),
    nodes: fields.objects("nodes").map((node) => ({
      id: node.string("id"),
      host: node.string("host"),
      port: node.integer("port"),
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
