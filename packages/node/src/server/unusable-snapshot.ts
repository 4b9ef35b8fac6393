import { join } from "node:path";
import type { KvSnapshotError } from "../kv/snapshot-error.ts";
import { damaged, SNAPSHOTS_FOLDER, StorageError } from "../storage/index.ts";

/** A snapshot that is whole on the disk, and that the state machine does not take. */
export function unusableSnapshot(directory: string, cause: KvSnapshotError): StorageError {
  if (cause.code !== "unsupportedVersion") {
    return damaged(join(directory, SNAPSHOTS_FOLDER), cause.message, cause);
  }
  return new StorageError(
    {
      code: "otherFormat",
      subject: directory,
      verb: `holds a snapshot that another version wrote: ${cause.message}`,
      remedy:
        "Nothing was changed. Start the node with that version, or put a new node with a new name " +
        "in this one's place",
    },
    { cause },
  );
}
