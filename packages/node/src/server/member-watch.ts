import type { Configuration, LogEntry, LogIndex, NodeId, RaftMessage } from "@quorate/wire";
import type { RaftView } from "../raft/index.ts";
import type { PeerAddress } from "../transport/tcp-transport.ts";
import type { DriverObserver } from "./driver-outcomes.ts";
import { membersOf } from "./node-setup.ts";
import type { ReadFreshness } from "./read-freshness.ts";

export interface MemberWatchOptions {
  readonly nodeId: NodeId;
  /** Where a member is reached that the configuration gives no address, or null. */
  readonly addressOf: (id: NodeId) => string | null;
  readonly setPeers: (peers: readonly PeerAddress[], retired: readonly NodeId[]) => void;
  readonly freshness: ReadFreshness;
  readonly view: () => RaftView;
  readonly lastApplied: () => LogIndex;
  /** Entries or a snapshot have changed the store. */
  readonly onApplied: () => void;
  /** The core is in this state now. */
  readonly onStep: (view: RaftView) => void;
}

/** Follows what the driver does for those parts of the server that depend on it. */
export class MemberWatch implements DriverObserver {
  readonly #options: MemberWatchOptions;

  constructor(options: MemberWatchOptions) {
    this.#options = options;
  }

  onStep(before: RaftView, after: RaftView): void {
    const { nodeId, addressOf, setPeers, onStep } = this.#options;
    if (before.configuration !== after.configuration) {
      const { configuration } = after;
      setPeers(peersOf(configuration, nodeId, addressOf), configuration.retired);
    }
    onStep(after);
  }

  onMessageReceived(from: NodeId, message: RaftMessage): void {
    const { freshness, view, lastApplied } = this.#options;
    if (message.type === "AppendEntries") freshness.received(from, message, view(), lastApplied());
  }

  onApplied(entry: LogEntry): void {
    this.#options.freshness.applied(entry.index);
    this.#options.onApplied();
  }

  onSnapshotInstalled(): void {
    this.#options.freshness.applied(this.#options.lastApplied());
    this.#options.onApplied();
  }
}

/** Every member but `nodeId` whose address is known. */
export function peersOf(
  configuration: Configuration,
  nodeId: NodeId,
  addressOf: (id: NodeId) => string | null,
): PeerAddress[] {
  return [...membersOf(configuration)]
    .filter((id) => id !== nodeId)
    .toSorted()
    .flatMap((id) => {
      const address = addressIn(configuration, id) ?? addressOf(id);
      return address === null ? [] : [{ id, address }];
    });
}

/** Where `configuration` says that `id` is reached; null: it does not say. */
export function addressIn({ addresses }: Configuration, id: NodeId): string | null {
  return addresses.find((member) => member.id === id)?.address ?? null;
}
