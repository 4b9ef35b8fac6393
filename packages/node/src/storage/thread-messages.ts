import type { ClusterId, EntryId, Incarnation, NodeId } from "@quorate/wire";

import type { HardState, SnapshotPoint, SnapshotSwitch } from "../raft/index.ts";
import type { StorageErrorRecord } from "./storage-error.ts";

/** Whose data a directory holds. Written once, at its bootstrap. */
export interface DirectoryIdentity {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  /** Tells this directory from any other that was ever made for this node (Diss. §3.8). */
  readonly incarnation: Incarnation;
  /** ISO 8601, by the wall clock of the bootstrap: for people only. */
  readonly createdAt: string;
  /** How often the directory was opened, this time included; durable before anybody hears of it. */
  readonly bootNumber: number;
}

/** Who a peer said it was, when it was last let in. */
export interface PeerIdentity {
  readonly incarnation: Incarnation;
  /** Only grows within an incarnation: a smaller one is of a copy or a backup (Diss. §3.8). */
  readonly bootNumber: number;
  /** Minted by each start of the peer's process. */
  readonly bootId: string;
}

/** Whose data a caller wants to find. Absent: any. */
export interface ExpectedIdentity {
  readonly clusterId?: ClusterId;
  readonly nodeId?: NodeId;
}

export interface StorageThreadOptions {
  readonly databasePath: string;
  readonly expect: ExpectedIdentity;
  /** Largest database file; null: as large as the disk. */
  readonly sizeMaxBytes: number | null;
}

/** To the storage thread. `ticket` counts 1, 2, 3, … over all kinds of writes. */
export type StorageRequest =
  | {
      readonly kind: "persist";
      readonly ticket: number;
      readonly hardState: HardState | null;
      /** The entries as `encodeEntries` makes them; null: none. */
      readonly records: Uint8Array | null;
      /** The log starts elsewhere, before `records` are stored; null: no snapshot was taken. */
      readonly snapshot: SnapshotSwitch | null;
      readonly clearsVoteFloor: boolean;
    }
  | {
      readonly kind: "persistAddress";
      readonly ticket: number;
      readonly nodeId: NodeId;
      readonly address: string;
    }
  | {
      readonly kind: "rememberPeer";
      readonly ticket: number;
      readonly nodeId: NodeId;
      readonly peer: PeerIdentity;
    }
  | { readonly kind: "limitSize"; readonly sizeMaxBytes: number }
  | { readonly kind: "close" };

export type StorageWrite = Extract<StorageRequest, { readonly ticket: number }>;

/** All that the directory holds but the entries, which come before it in pieces. */
export interface DirectoryContents {
  readonly identity: DirectoryIdentity;
  readonly addresses: readonly (readonly [NodeId, string])[];
  readonly peers: readonly (readonly [NodeId, PeerIdentity])[];
  readonly hardState: HardState;
  readonly snapshot: SnapshotPoint;
  readonly beforeFirst: EntryId;
  readonly voteFloor: EntryId | null;
  /** Damage that this start found and cut off, for people; null: none. */
  readonly warning: string | null;
}

/** From the storage thread. */
export type StorageReport =
  /** The log follows this snapshot: its file can be checked while the log is read. */
  | { readonly kind: "snapshotFound"; readonly point: SnapshotPoint }
  | { readonly kind: "entries"; readonly records: Uint8Array }
  /** The entries so far are void: the log follows once more, repaired. */
  | { readonly kind: "entriesAgain" }
  | { readonly kind: "opened"; readonly contents: DirectoryContents; readonly sizeBytes: number }
  | { readonly kind: "refused"; readonly error: StorageErrorRecord }
  /** Every write with a ticket up to this one would survive a power cut. */
  | { readonly kind: "durable"; readonly ticket: number; readonly sizeBytes: number }
  /** What a snapshot replaced was given back. */
  | { readonly kind: "size"; readonly sizeBytes: number }
  /** No room: what waits is kept, and tried again until there is some. */
  | { readonly kind: "full" }
  /** Room again, and nothing waits. */
  | { readonly kind: "roomy" }
  /** The last word of a thread whose write or sync failed. */
  | { readonly kind: "failed"; readonly error: StorageErrorRecord }
  | { readonly kind: "closed" };
