import * as fs from "node:fs";

import { decodeEntries } from "@quorate/wire";
import SqliteDatabase from "better-sqlite3";
import type { Database } from "better-sqlite3";

import { entryChecksum, rowChecksum } from "./checksum.ts";
import {
  hardStateValues,
  logBoundsValues,
  metaValues,
  peerValues,
  snapshotValues,
} from "./rows.ts";
import { APPLICATION_ID, SCHEMA } from "./schema.ts";
import type { DirectoryContents } from "./thread-messages.ts";

/** The small tables of a database. */
export type NewContents = Omit<DirectoryContents, "warning">;

/**
 * Writes a database file from scratch: a new directory's, or what is left of a damaged one. The
 * file is durable on return, its name is not. `writeLog` hands each piece of the log, as
 * `encodeEntries` makes it, to the function that it is given.
 */
export function writeNewDatabase(
  path: string,
  contents: NewContents,
  writeLog: (onEntries: (records: Uint8Array) => void) => void,
): void {
  const database = new SqliteDatabase(path);
  try {
    database.pragma("auto_vacuum = INCREMENTAL");
    database.pragma("journal_mode = MEMORY");
    // Not synced here: until the file has its final name nobody relies on it.
    database.pragma("synchronous = OFF");
    database.pragma(`application_id = ${APPLICATION_ID}`);
    database.exec(SCHEMA);
    database.transaction(() => {
      insertRows(database, contents);
      const insertEntry = database.prepare("INSERT INTO log VALUES (?, ?, ?, ?, ?)");
      writeLog((records) => {
        for (const entry of decodeEntries(records)) {
          if (entry.index <= contents.beforeFirst.index) continue;
          const { index, term, kind, data } = entry;
          insertEntry.run(index, term, kind, data, entryChecksum(entry));
        }
      });
    })();
    database.pragma("journal_mode = WAL");
  } finally {
    database.close();
  }
  const descriptor = fs.openSync(path, "r+");
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
}

function insertRows(database: Database, contents: NewContents): void {
  const insert = (table: string, values: readonly (string | number | null)[]): void => {
    const places = values.map(() => "?").join(", ");
    database.prepare(`INSERT INTO ${table} VALUES (${places})`).run(values);
  };
  insert("meta", [1, ...metaValues(contents.identity)]);
  insert("hard_state", [1, ...hardStateValues(contents.hardState)]);
  insert("snapshot", [1, ...snapshotValues(contents.snapshot)]);
  insert("log_bounds", [1, ...logBoundsValues(contents.beforeFirst, contents.voteFloor)]);
  for (const [nodeId, address] of contents.addresses) {
    insert("members", [nodeId, address, rowChecksum(nodeId, address)]);
  }
  for (const [nodeId, peer] of contents.peers) insert("peers", peerValues(nodeId, peer));
}
