import type { EntryId } from "@quorate/wire";

import type { HardState, SnapshotPoint } from "../raft/index.ts";
import { rowChecksum } from "./checksum.ts";
import { FORMAT_VERSION } from "./schema.ts";
import type { DirectoryIdentity, PeerIdentity } from "./thread-messages.ts";

/*
 * The columns of each small row in the order of its table, `id` left out: what is stored, and
 * what its checksum, the last of them, is of.
 */

export type Values = (string | number | null)[];

function withChecksum(values: Values): Values {
  return [...values, rowChecksum(...values)];
}

export function metaValues(identity: DirectoryIdentity): Values {
  const { clusterId, nodeId, incarnation, createdAt, bootNumber } = identity;
  return withChecksum([FORMAT_VERSION, clusterId, nodeId, incarnation, createdAt, bootNumber]);
}

export function hardStateValues(hardState: HardState): Values {
  return withChecksum([hardState.currentTerm, hardState.votedFor, hardState.commitIndex]);
}

export function snapshotValues(point: SnapshotPoint): Values {
  const { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex } = point;
  const text = JSON.stringify(configuration);
  return withChecksum([lastIncludedIndex, lastIncludedTerm, text, configurationIndex]);
}

export function logBoundsValues(beforeFirst: EntryId, voteFloor: EntryId | null): Values {
  const floor = voteFloor === null ? [null, null] : [voteFloor.index, voteFloor.term];
  return withChecksum([beforeFirst.index, beforeFirst.term, ...floor]);
}

export function peerValues(nodeId: string, peer: PeerIdentity): Values {
  return withChecksum([nodeId, peer.incarnation, peer.bootNumber, peer.bootId]);
}
