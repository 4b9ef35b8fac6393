import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join, resolve } from "node:path";

import { isIdentifier } from "@quorate/wire";
import type { ClusterId, Configuration, NodeId } from "@quorate/wire";

import { assert } from "../raft/index.ts";
import type { HardState } from "../raft/index.ts";
import { writeNewDatabase } from "./new-database.ts";
import { DATABASE_FILE, UNFINISHED_SUFFIX } from "./schema.ts";
import { errorCode, fromSystemError, StorageError } from "./storage-error.ts";
import type { DirectoryIdentity } from "./thread-messages.ts";
import { syncDirectory } from "./wal-file.ts";

const UNFINISHED_PREFIX = `${DATABASE_FILE}${UNFINISHED_SUFFIX}`;

/** What file systems put into a new volume. */
const IGNORED_NAMES: readonly string[] = ["lost+found"];

const NEW_HARD_STATE: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };

export interface BootstrapOptions {
  /** Absent or empty. Its parent folders are made as needed. */
  readonly directory: string;
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  /**
   * The first members: the same on every node that is bootstrapped for this cluster. Without
   * voters the server waits until it is added to a cluster that exists: it knows no members, and
   * hears of them from the leader (Diss. §4.2.1).
   */
  readonly configuration: Configuration;
  /** Where each member is reached, as `host:port`. */
  readonly addresses: ReadonlyMap<NodeId, string>;
}

/**
 * Makes a directory the home of one node of a new cluster, once: term 0, an empty log, the members
 * of `configuration` and a new incarnation. All of it is durable on return. After a crash in the
 * middle the directory counts as empty. Blocks the thread for a few syncs: call it before serving.
 *
 * @throws StorageError `alreadyBootstrapped`, `notEmpty`, `full` or `io`.
 */
export function bootstrapDirectory(options: BootstrapOptions): DirectoryIdentity {
  assertOptions(options);
  const directory = resolve(options.directory);
  const unfinished = join(directory, `${UNFINISHED_PREFIX}${randomBytes(8).toString("hex")}`);
  const identity: DirectoryIdentity = {
    clusterId: options.clusterId,
    nodeId: options.nodeId,
    incarnation: randomBytes(16).toString("hex"),
    createdAt: new Date().toISOString(),
    bootNumber: 0,
  };
  try {
    makeDirectory(directory);
    refuseOccupied(directory);
    const { configuration } = options;
    const contents = {
      identity,
      addresses: [...options.addresses],
      peers: [],
      hardState: NEW_HARD_STATE,
      snapshot: { lastIncludedIndex: 0, lastIncludedTerm: 0, configuration, configurationIndex: 0 },
      beforeFirst: { index: 0, term: 0 },
      voteFloor: null,
    };
    writeNewDatabase(unfinished, contents, () => undefined);
    publish(unfinished, directory);
    return identity;
  } catch (error) {
    throw fromSystemError(directory, "bootstrapping it", error);
  } finally {
    fs.rmSync(unfinished, { force: true });
  }
}

/** Removes what a crash during a bootstrap left behind. Nothing of it was ever in use. */
export function removeUnfinishedBootstraps(directory: string): void {
  for (const name of fs.readdirSync(directory)) {
    if (name.startsWith(UNFINISHED_PREFIX)) fs.rmSync(join(directory, name), { force: true });
  }
}

function assertOptions(options: BootstrapOptions): void {
  const { clusterId, nodeId, configuration, addresses } = options;
  assert(isIdentifier(clusterId), `cluster id ${clusterId} is no identifier`);
  assert(isIdentifier(nodeId), `node id ${nodeId} is no identifier`);
  const { voters, votersOutgoing, learners } = configuration;
  assert(votersOutgoing.length === 0, "a cluster does not begin in the middle of a change");
  const members = [...voters, ...learners];
  if (voters.length === 0) {
    assert(members.length === 0, "a server that waits to be added knows no members");
    return;
  }
  assert(members.includes(nodeId), `node ${nodeId} is no member of its own cluster`);
  for (const member of members) assert(addresses.has(member), `member ${member} has no address`);
}

/** Makes `directory` and its missing parents, each durable in the one above it. */
function makeDirectory(directory: string): void {
  const made = fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  for (let path = directory; path.length >= made.length; path = dirname(path)) {
    syncDirectory(dirname(path));
  }
}

function refuseOccupied(directory: string): void {
  const names = fs.readdirSync(directory);
  if (names.includes(DATABASE_FILE)) throw alreadyBootstrapped(directory);
  const foreign = names.filter(
    (name) => !name.startsWith(UNFINISHED_PREFIX) && !IGNORED_NAMES.includes(name),
  );
  const [first] = foreign;
  if (first === undefined) return;
  throw new StorageError({
    code: "notEmpty",
    subject: directory,
    verb: `is not empty: it holds ${first}${foreign.length > 1 ? " and more" : ""}`,
    remedy: "Choose an empty or absent directory for the node's data",
  });
}

function alreadyBootstrapped(directory: string): StorageError {
  return new StorageError({
    code: "alreadyBootstrapped",
    subject: directory,
    verb: "is bootstrapped already",
    remedy:
      "Start the node without --bootstrap. To begin anew with an empty log, use a new directory " +
      "and a new cluster id",
  });
}

/** A link, unlike a rename, fails where another bootstrap was faster. */
function publish(unfinished: string, directory: string): void {
  try {
    fs.linkSync(unfinished, join(directory, DATABASE_FILE));
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw alreadyBootstrapped(directory);
    throw error;
  }
  syncDirectory(directory);
  removeUnfinishedBootstraps(directory);
}
