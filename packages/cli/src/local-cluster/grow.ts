import { isIdentifier } from "@quorate/wire";
import type { NodeId } from "@quorate/wire";

import { CommandError } from "../errors.ts";
import type { LocalNode } from "./cluster-file.ts";
import { LOCAL_HOST } from "./create.ts";
import type { LocalCluster } from "./local-cluster.ts";
import { findFreePort } from "./ports.ts";

/** Whether a node of this name is, or ever was, in the cluster: as far as this machine knows. */
function isUsed(cluster: LocalCluster, id: NodeId): boolean {
  const { nodes, removedIds } = cluster.file;
  const isNamed = nodes.some((node) => node.id === id) || removedIds.includes(id);
  return isNamed || cluster.hasTracesOf(id);
}

/** The first of n1, n2, … that no node ever had. */
export function nextFreeId(cluster: LocalCluster, reserved: readonly NodeId[] = []): NodeId {
  for (let number = 1; ; number += 1) {
    const id = `n${number}`;
    if (!isUsed(cluster, id) && !reserved.includes(id)) return id;
  }
}

function checkNewId(cluster: LocalCluster, id: NodeId): void {
  if (!isIdentifier(id)) {
    throw new CommandError("usage", `"${id}" cannot be the name of a node`, {
      why: ["a name has 1 to 64 letters, digits, dots, dashes and underscores"],
      try: [`quorate add-node ${nextFreeId(cluster)}`],
    });
  }
  if (cluster.file.nodes.some((node) => node.id === id)) {
    throw new CommandError(
      "localConflict",
      `cluster "${cluster.name}" has a node "${id}" already`,
      {
        try: [`quorate start ${id}`, `quorate add-node ${nextFreeId(cluster)}`],
      },
    );
  }
  if (!isUsed(cluster, id)) return;
  throw new CommandError("localConflict", `there was a node "${id}" before`, {
    why: ["a name is used once: others may remember what the old node of that name has promised"],
    try: [`quorate add-node ${nextFreeId(cluster)}`],
  });
}

/**
 * A node that the cluster does not have yet: with a name that none ever had, and the first free
 * port above those of the others.
 *
 * @throws CommandError `localConflict` where the name was used, or no port is free.
 */
export async function newNode(cluster: LocalCluster, id: NodeId | null): Promise<LocalNode> {
  if (id !== null) checkNewId(cluster, id);
  const highest = Math.max(...cluster.file.nodes.map((node) => node.port));
  const port = await findFreePort(LOCAL_HOST, highest + 1);
  if (port === null) {
    throw new CommandError("localConflict", `no port above ${highest} is free`, {
      try: ["quorate ps -a"],
    });
  }
  return { id: id ?? nextFreeId(cluster), host: LOCAL_HOST, port, joining: true };
}
