import type { NodeId } from "@quorate/wire";
import type { SnapshotStore } from "../ports/snapshot-store.ts";
import type { Storage } from "../ports/storage.ts";
import type { PersistBatch, RecoveredState } from "../raft/index.ts";
import type { NodeDirectory } from "../server/node-assembly.ts";
import type { PeerStart } from "../transport/peer-admission.ts";
import type { SimIdentity } from "./sim-identity.ts";

export interface SimDirectoryOptions {
  readonly storage: Storage;
  readonly snapshots: SnapshotStore;
  readonly identity: SimIdentity;
  readonly addresses: ReadonlyMap<NodeId, string>;
  readonly isFull: () => boolean;
  /** Calls `done` once the disk has taken something small. */
  readonly afterSync: (done: () => void) => void;
}

/** A data directory, put together from its simulated parts. */
export class SimDirectory implements NodeDirectory {
  readonly identity: { readonly bootNumber: number };
  readonly snapshots: SnapshotStore;
  readonly addresses: ReadonlyMap<NodeId, string>;
  readonly #options: SimDirectoryOptions;
  readonly #written = new Map<NodeId, number>();
  #asked = 0;

  constructor(options: SimDirectoryOptions) {
    this.#options = options;
    this.identity = { bootNumber: options.identity.bootNumber };
    this.snapshots = options.snapshots;
    this.addresses = options.addresses;
  }

  get recovered(): RecoveredState {
    return this.#options.storage.recovered;
  }

  persist(batch: PersistBatch, done: () => void): void {
    this.#options.storage.persist(batch, done);
  }

  sizeBytes(): number {
    return this.#options.storage.sizeBytes();
  }

  close(): Promise<void> {
    return this.#options.storage.close();
  }

  peerIdentity(id: NodeId): PeerStart | null {
    return this.#options.identity.peer(id);
  }

  rememberPeer(id: NodeId, start: PeerStart, done: () => void): void {
    const order = ++this.#asked;
    this.#options.afterSync(() => {
      // One thread writes in the order of asking: what came later stays.
      if (order > (this.#written.get(id) ?? 0)) {
        this.#written.set(id, order);
        this.#options.identity.remember(id, start);
      }
      done();
    });
  }

  state(): "ok" | "full" {
    return this.#options.isFull() ? "full" : "ok";
  }
}
