/*
 * Snapshots in pieces (Raft §7, Figure 13). Fields in their order, behind the type code:
 *
 *   InstallSnapshot       term, leaderId, lastIncludedIndex, lastIncludedTerm, configuration
 *                         (array, configuration.ts), configurationIndex, snapshotId, totalBytes,
 *                         offset, data, done
 *   InstallSnapshotReply  term, lastIncludedIndex, snapshotId, nextOffset, installed
 */
import type { InstallSnapshot, InstallSnapshotReply } from "../raft-messages.ts";
import { asArray, asBoolean, asBytes, asIdentifier, asInteger } from "./checks.ts";
import type { Codec } from "./codec.ts";
import { configurationFromFields, configurationToFields } from "./configuration.ts";
import { TYPE_CODES } from "./type-codes.ts";

export const installSnapshotCodec: Codec<InstallSnapshot> = {
  toFields: (m) => [
    TYPE_CODES.InstallSnapshot,
    m.term,
    m.leaderId,
    m.lastIncludedIndex,
    m.lastIncludedTerm,
    configurationToFields(m.configuration),
    m.configurationIndex,
    m.snapshotId,
    m.totalBytes,
    m.offset,
    m.data,
    m.done,
  ],
  fromFields: (fields) => ({
    type: "InstallSnapshot",
    term: asInteger(fields[1], "InstallSnapshot.term"),
    leaderId: asIdentifier(fields[2], "InstallSnapshot.leaderId"),
    lastIncludedIndex: asInteger(fields[3], "InstallSnapshot.lastIncludedIndex"),
    lastIncludedTerm: asInteger(fields[4], "InstallSnapshot.lastIncludedTerm"),
    configuration: configurationFromFields(
      asArray(fields[5], "InstallSnapshot.configuration", (part) => part),
    ),
    configurationIndex: asInteger(fields[6], "InstallSnapshot.configurationIndex"),
    snapshotId: asIdentifier(fields[7], "InstallSnapshot.snapshotId"),
    totalBytes: asInteger(fields[8], "InstallSnapshot.totalBytes"),
    offset: asInteger(fields[9], "InstallSnapshot.offset"),
    data: asBytes(fields[10], "InstallSnapshot.data"),
    done: asBoolean(fields[11], "InstallSnapshot.done"),
  }),
};

export const installSnapshotReplyCodec: Codec<InstallSnapshotReply> = {
  toFields: (m) => [
    TYPE_CODES.InstallSnapshotReply,
    m.term,
    m.lastIncludedIndex,
    m.snapshotId,
    m.nextOffset,
    m.installed,
  ],
  fromFields: (fields) => ({
    type: "InstallSnapshotReply",
    term: asInteger(fields[1], "InstallSnapshotReply.term"),
    lastIncludedIndex: asInteger(fields[2], "InstallSnapshotReply.lastIncludedIndex"),
    snapshotId: asIdentifier(fields[3], "InstallSnapshotReply.snapshotId"),
    nextOffset: asInteger(fields[4], "InstallSnapshotReply.nextOffset"),
    installed: asBoolean(fields[5], "InstallSnapshotReply.installed"),
  }),
};
