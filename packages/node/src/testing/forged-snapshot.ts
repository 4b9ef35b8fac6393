import { crc32 } from "node:zlib";
import { KvStateMachine } from "../kv/kv-state-machine.ts";
import { KvSnapshotError } from "../kv/snapshot-error.ts";
import { BLOCK_HEAD_BYTES, PREAMBLE_BYTES } from "../kv/snapshot-format.ts";

/** Where the first block of a snapshot has its records, the header before all others. */
const FIRST_BODY_AT = PREAMBLE_BYTES + BLOCK_HEAD_BYTES;
/** The last byte of the header's first field, the revision. */
const REVISION_LOW_AT = FIRST_BODY_AT + 8;

/** Changes the state in the bytes of a whole snapshot, and makes the checksums right again. */
export function forge(snapshot: Buffer): void {
  const end = FIRST_BODY_AT + snapshot.readUInt32BE(PREAMBLE_BYTES);
  snapshot.writeUInt8(snapshot.readUInt8(REVISION_LOW_AT) ^ 1, REVISION_LOW_AT);
  snapshot.writeUInt32BE(crc32(snapshot.subarray(FIRST_BODY_AT, end)), PREAMBLE_BYTES + 4);
}

/** Whether a start would take these bytes for a state. */
export function canRestore(snapshot: Uint8Array): boolean {
  const restorer = new KvStateMachine().restore();
  try {
    restorer.write(snapshot);
    restorer.finish();
    return true;
  } catch (error) {
    if (error instanceof KvSnapshotError) return false;
    throw error;
  }
}
