import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { LogDatabase } from "../../src/storage/log-database.ts";
import { DATABASE_FILE } from "../../src/storage/schema.ts";
import type { StorageWrite } from "../../src/storage/thread-messages.ts";
import { bootstrapped } from "./data-place.ts";

function persistOf(records: Uint8Array | null): StorageWrite {
  const hardState = { currentTerm: 1, votedFor: "n1", commitIndex: 0 };
  const rest = { snapshot: null, clearsVoteFloor: false };
  return { kind: "persist", ticket: 1, hardState, records, ...rest };
}

test("LogDatabase: only a full disk lets a write wait, any other failure ends it (rule 54)", (t) => {
  const options = {
    databasePath: join(bootstrapped(t), DATABASE_FILE),
    expect: {},
    sizeMaxBytes: null,
  };
  const { database } = LogDatabase.open(options, {
    onSnapshot: () => {},
    onEntries: () => {},
    onAgain: () => {},
  });
  t.after(() => {
    database.close();
  });
  assert.equal(database.commit([persistOf(null)]), true);
  assert.throws(() => database.commit([persistOf(Buffer.from("no entries at all, but bytes"))]));
});
