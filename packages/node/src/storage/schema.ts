/** Layout of the database. A directory of a higher format is refused; see docs/data-directory.md. */
export const FORMAT_VERSION = 1;

export const DATABASE_FILE = "raft.db";

/** "Qrte": what `file(1)` and `PRAGMA application_id` show. */
export const APPLICATION_ID = 0x51727465;

/**
 * Names are the paper's, so that any SQLite tool shows currentTerm, votedFor and the log. Every
 * `checksum` is a CRC-32: of an entry over (index, term, kind, data), of other rows over the
 * other columns.
 */
export const SCHEMA = `
CREATE TABLE meta (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  formatVersion INTEGER NOT NULL,
  clusterId     TEXT NOT NULL,
  nodeId        TEXT NOT NULL,
  incarnation   TEXT NOT NULL,
  createdAt     TEXT NOT NULL,
  checksum      INTEGER NOT NULL,
  openCount     INTEGER NOT NULL
) STRICT;

CREATE TABLE hard_state (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  currentTerm INTEGER NOT NULL CHECK (currentTerm >= 0),
  votedFor    TEXT,
  commitIndex INTEGER NOT NULL CHECK (commitIndex >= 0),
  checksum    INTEGER NOT NULL
) STRICT;

CREATE TABLE log (
  idx      INTEGER PRIMARY KEY CHECK (idx > 0),
  term     INTEGER NOT NULL CHECK (term > 0),
  kind     TEXT NOT NULL CHECK (kind IN ('noop', 'command', 'configuration')),
  data     BLOB NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE snapshot (
  id                INTEGER PRIMARY KEY CHECK (id = 1),
  lastIncludedIndex INTEGER NOT NULL CHECK (lastIncludedIndex >= 0),
  lastIncludedTerm  INTEGER NOT NULL CHECK (lastIncludedTerm >= 0),
  configuration     TEXT NOT NULL,
  checksum          INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
  nodeId   TEXT PRIMARY KEY,
  address  TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
`;
