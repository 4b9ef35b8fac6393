import type { NodeId } from "@quorate/wire";
import type { Connection } from "@quorate/wire/net";
import { ConnectionError } from "@quorate/wire/net";

/** Listed by the hello of a connection that carries snapshots. */
export const BULK_CAPABILITY = "bulk";

/** The connections that peers dialed: of each peer one for messages and one for snapshots. */
export class Inbound {
  readonly #connections = new Map<string, Connection>();

  /** Replaces an older connection of the same peer and kind. */
  add(connection: Connection): void {
    const key = keyOf(connection);
    const older = this.#connections.get(key);
    this.#connections.set(key, connection);
    if (older === undefined) return;
    end(older, `${connection.remoteHello.from} opened a newer connection`);
  }

  isCurrent(connection: Connection): boolean {
    return this.#connections.get(keyOf(connection)) === connection;
  }

  remove(connection: Connection): void {
    if (this.isCurrent(connection)) this.#connections.delete(keyOf(connection));
  }

  get connections(): Iterable<Connection> {
    return this.#connections.values();
  }

  has(id: NodeId): boolean {
    return this.#of(id).length > 0;
  }

  /** Ends the connections of `id`. */
  end(id: NodeId, why: string): void {
    for (const connection of this.#of(id)) end(connection, why);
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  #of(id: NodeId): Connection[] {
    return [...this.#connections.values()].filter(({ remoteHello }) => remoteHello.from === id);
  }
}

function end(connection: Connection, message: string): void {
  connection.destroy(new ConnectionError("closed", connection.remoteAddress, { message }));
}

function keyOf({ remoteHello }: Connection): string {
  const isBulk = remoteHello.capabilities.includes(BULK_CAPABILITY);
  return isBulk ? `${remoteHello.from} ${BULK_CAPABILITY}` : remoteHello.from;
}
