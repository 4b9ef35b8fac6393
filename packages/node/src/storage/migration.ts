import type { Configuration } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { Database } from "better-sqlite3";

import { rowChecksum } from "./checksum.ts";
import { logBoundsValues, metaValues, snapshotValues } from "./rows.ts";
import { FORMAT_2_TABLES, FORMAT_VERSION } from "./schema.ts";
import { damaged, StorageError } from "./storage-error.ts";

interface MetaOfFormat1 {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly incarnation: string;
  readonly createdAt: string;
  readonly checksum: number;
  readonly openCount: number;
}

interface SnapshotOfFormat1 {
  readonly lastIncludedIndex: number;
  readonly lastIncludedTerm: number;
  readonly configuration: string;
  readonly checksum: number;
}

/**
 * Brings a database of an older format to {@link FORMAT_VERSION}, in one transaction: after a
 * crash it is of the old format or the new one. Rows are checked as the old version did before
 * they get new checksums.
 *
 * @throws StorageError `newerFormat` or `damaged`: nothing was changed.
 */
export function migrate(database: Database, path: string): void {
  const rows = database.prepare<[], number>("SELECT formatVersion FROM meta").pluck().all();
  const [format] = rows;
  if (format === undefined || rows.length > 1) {
    throw damaged(path, `table meta has ${rows.length} rows instead of one`);
  }
  if (format > FORMAT_VERSION) {
    throw new StorageError({
      code: "newerFormat",
      subject: path,
      verb: `has format ${format}; this version of Quorate reads up to ${FORMAT_VERSION}`,
      remedy: "Start the node with the version that wrote it, or a newer one",
    });
  }
  if (format === FORMAT_VERSION) return;
  if (format !== 1) throw damaged(path, `there was never a format ${format}`);
  database.transaction(() => fromFormat1(database, path))();
}

function fromFormat1(database: Database, path: string): void {
  const meta = database.prepare<[], MetaOfFormat1>("SELECT * FROM meta").get();
  const snapshots = database.prepare<[], SnapshotOfFormat1>("SELECT * FROM snapshot").all();
  const [snapshot] = snapshots;
  if (meta === undefined || snapshot === undefined || snapshots.length > 1) {
    throw damaged(path, `table snapshot has ${snapshots.length} rows instead of one`);
  }
  const { clusterId, nodeId, incarnation, createdAt } = meta;
  if (meta.checksum !== rowChecksum(1, clusterId, nodeId, incarnation, createdAt)) {
    throw damaged(path, "a row of table meta does not match its checksum");
  }
  const { lastIncludedIndex, lastIncludedTerm } = snapshot;
  if (
    snapshot.checksum !== rowChecksum(lastIncludedIndex, lastIncludedTerm, snapshot.configuration)
  ) {
    throw damaged(path, "a row of table snapshot does not match its checksum");
  }
  // As bootstrap wrote it: the checksum says that these are its bytes.
  const configuration = configurationOf(JSON.parse(snapshot.configuration) as Configuration);
  database.exec(`DROP TABLE meta; DROP TABLE snapshot; ${FORMAT_2_TABLES}`);
  const identity = { clusterId, nodeId, incarnation, createdAt, bootNumber: meta.openCount };
  const point = { lastIncludedIndex, lastIncludedTerm, configuration, configurationIndex: 0 };
  database.prepare("INSERT INTO meta VALUES (1, ?, ?, ?, ?, ?, ?, ?)").run(metaValues(identity));
  database.prepare("INSERT INTO snapshot VALUES (1, ?, ?, ?, ?, ?)").run(snapshotValues(point));
  database
    .prepare("INSERT INTO log_bounds VALUES (1, ?, ?, ?, ?, ?)")
    .run(logBoundsValues({ index: 0, term: 0 }, null));
}
