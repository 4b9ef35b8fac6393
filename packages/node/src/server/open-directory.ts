import type { NodeId } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { NodeConfig } from "../config/node-config.ts";
import { bootstrapDirectory, openStorage } from "../storage/index.ts";
import type { SqliteStorage } from "../storage/index.ts";

/**
 * Opens the data directory of `config`, after it has made it where `config.bootstrap` asks for
 * that or `config.join`. Addresses that have changed since are durable in it on return.
 *
 * @throws StorageError when the directory is not what the configuration says, or cannot be used.
 */
export async function openDirectory(
  config: NodeConfig,
  onFailure: (error: Error) => void,
): Promise<SqliteStorage> {
  const { dataDirectory: directory, clusterId, nodeId, initialCluster } = config;
  const addresses = new Map<NodeId, string>(initialCluster.map(({ id, address }) => [id, address]));
  addresses.set(nodeId, config.advertiseAddress);
  if (config.bootstrap || config.join) {
    // Who waits to be added knows of no members: the leader tells it (Diss. §4.2.1).
    const voters = config.join ? [] : initialCluster.map(({ id }) => id);
    const configuration = configurationOf({ voters });
    bootstrapDirectory({ directory, clusterId, nodeId, configuration, addresses });
  }
  const storage = await openStorage({ directory, expect: { clusterId, nodeId }, onFailure });
  const moved = [...addresses].filter(([id, address]) => storage.addresses.get(id) !== address);
  await Promise.all(moved.map(([id, address]) => storage.persistAddress(id, address)));
  return storage;
}
