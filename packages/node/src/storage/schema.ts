/** Layout of the database. A directory of a higher format is refused; see docs/data-directory.md. */
export const FORMAT_VERSION = 2;

export const DATABASE_FILE = "raft.db";

/** What follows the name of a database that is not finished, or has its final name already. */
export const UNFINISHED_SUFFIX = ".bootstrap-";

/** Folder of the snapshot files, beside the database. */
export const SNAPSHOTS_FOLDER = "snapshots";

/** "Qrte": what `file(1)` and `PRAGMA application_id` show. */
export const APPLICATION_ID = 0x51727465;

/** Made by format 1 already, and unchanged since. */
const LASTING_TABLES = `
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

CREATE TABLE members (
  nodeId   TEXT PRIMARY KEY,
  address  TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
`;

/** What format 2 brought, or made anew. */
export const FORMAT_2_TABLES = `
CREATE TABLE meta (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  formatVersion INTEGER NOT NULL,
  clusterId     TEXT NOT NULL,
  nodeId        TEXT NOT NULL,
  incarnation   TEXT NOT NULL,
  createdAt     TEXT NOT NULL,
  bootNumber    INTEGER NOT NULL CHECK (bootNumber >= 0),
  checksum      INTEGER NOT NULL
) STRICT;

CREATE TABLE snapshot (
  id                 INTEGER PRIMARY KEY CHECK (id = 1),
  lastIncludedIndex  INTEGER NOT NULL CHECK (lastIncludedIndex >= 0),
  lastIncludedTerm   INTEGER NOT NULL CHECK (lastIncludedTerm >= 0),
  configuration      TEXT NOT NULL,
  configurationIndex INTEGER NOT NULL CHECK (configurationIndex >= 0),
  checksum           INTEGER NOT NULL
) STRICT;

CREATE TABLE log_bounds (
  id               INTEGER PRIMARY KEY CHECK (id = 1),
  beforeFirstIndex INTEGER NOT NULL CHECK (beforeFirstIndex >= 0),
  beforeFirstTerm  INTEGER NOT NULL CHECK (beforeFirstTerm >= 0),
  voteFloorIndex   INTEGER,
  voteFloorTerm    INTEGER,
  checksum         INTEGER NOT NULL
) STRICT;

CREATE TABLE peers (
  nodeId      TEXT PRIMARY KEY,
  incarnation TEXT NOT NULL,
  bootNumber  INTEGER NOT NULL,
  bootId      TEXT NOT NULL,
  checksum    INTEGER NOT NULL
) STRICT;
`;

/**
 * Names are the paper's, so that any SQLite tool shows currentTerm, votedFor and the log. Every
 * `checksum` is a CRC-32: of an entry over (index, term, kind, data), of other rows over the
 * other columns.
 */
export const SCHEMA: string = LASTING_TABLES + FORMAT_2_TABLES;
