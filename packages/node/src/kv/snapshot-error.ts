import { QuorateError } from "@quorate/wire";

/**
 * - `foreign`: the bytes do not begin as a snapshot of this store.
 * - `unsupportedVersion`: another version of the software wrote it.
 * - `damaged`: a checksum, a length, a count or a record is wrong.
 * - `truncated`: the bytes end before the snapshot does.
 */
export type KvSnapshotErrorCode = "foreign" | "unsupportedVersion" | "damaged" | "truncated";

/** Bytes that are not a whole snapshot of the store. The store is as it was. */
export class KvSnapshotError extends QuorateError {
  override readonly name = "KvSnapshotError";
  override readonly code: KvSnapshotErrorCode;

  constructor(code: KvSnapshotErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
