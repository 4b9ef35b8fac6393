import type { ClusterId, Incarnation, NodeId } from "@quorate/wire";

import type { HardState, SnapshotPoint } from "../raft/index.ts";
import type { StorageErrorRecord } from "./storage-error.ts";

/** Whose data a directory holds. Written once, at its bootstrap. */
export interface DirectoryIdentity {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  /** Tells this directory from any other that was ever made for this node (Diss. §3.8). */
  readonly incarnation: Incarnation;
  /** ISO 8601, by the wall clock of the bootstrap: for people only. */
  readonly createdAt: string;
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

/** To the storage thread. `ticket` counts 1, 2, 3, … over both kinds of writes. */
export type StorageRequest =
  | {
      readonly kind: "persist";
      readonly ticket: number;
      readonly hardState: HardState | null;
      /** The entries as `encodeEntries` makes them; null: none. */
      readonly records: Uint8Array | null;
    }
  | {
      readonly kind: "persistAddress";
      readonly ticket: number;
      readonly nodeId: NodeId;
      readonly address: string;
    }
  | { readonly kind: "close" };

export type StorageWrite = Exclude<StorageRequest, { readonly kind: "close" }>;

/** All that the directory holds but the entries, which come before it in pieces. */
export interface DirectoryContents {
  readonly identity: DirectoryIdentity;
  readonly addresses: readonly (readonly [NodeId, string])[];
  readonly hardState: HardState;
  readonly snapshot: SnapshotPoint;
}

/** From the storage thread. */
export type StorageReport =
  | { readonly kind: "entries"; readonly records: Uint8Array }
  | { readonly kind: "opened"; readonly contents: DirectoryContents; readonly sizeBytes: number }
  | { readonly kind: "refused"; readonly error: StorageErrorRecord }
  /** Every write with a ticket up to this one would survive a power cut. */
  | { readonly kind: "durable"; readonly ticket: number; readonly sizeBytes: number }
  /** The last word of a thread whose write or sync failed. */
  | { readonly kind: "failed"; readonly error: StorageErrorRecord }
  | { readonly kind: "closed" };
