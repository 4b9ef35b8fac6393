/** What a simulation can show that it did: a campaign in which one never happened proves little. */
export const COVERAGE_MARKS = [
  "elections",
  "leadersDeposed",
  "truncations",
  "entriesCommitted",
  "writesAcknowledged",
  "writesRefused",
  "writesUnknown",
  "readsAnswered",
  "readsByFollowers",
  "crashes",
  "crashesThatLostWrites",
  "restarts",
  "pauses",
  "partitions",
  "oneWayPartitions",
  "bridges",
  "messagesCut",
  "drops",
  "duplicates",
  "reorders",
  "replays",
  "slowSyncs",
  "peerDownNotices",
  "transfersMoved",
  "evenSizedClusters",
  "snapshotsTaken",
  "snapshotsInstalled",
  "snapshotResumes",
  "snapshotsDamaged",
  "configurationsEntered",
  "configurationsLeft",
  "configurationsRolledBack",
  "learnersAdded",
  "promotions",
  "removals",
  "leadersRemoved",
  "changesRefused",
  "removedServersReturned",
  "sessionsOpened",
  "sessionsExpired",
  "duplicatesAnswered",
  "answersOutOfTurn",
  "commandsThatAreNone",
  "newcomersPromoted",
  "silentNewcomersGivenUp",
  "removedServersTold",
  "leaseReads",
  "disksDamaged",
  "snapshotsRotten",
  "wipes",
  "lostServersReplaced",
  "tornWrites",
  "sqliteRuns",
  "databasesRotten",
  "sqliteRepairs",
  "snapshotPiecesTorn",
  "disksFull",
  "writesThatFoundNoRoom",
  "writesRefusedByFullDisks",
  "disksStalled",
  "stalledLeadersDeposed",
  "stalledLeadersReplaced",
  "syncsFailed",
  "readOnlyDisks",
  "clockJumps",
  "clockStalls",
  "longPauses",
  "healsUndisturbed",
  "leadershipHandedOver",
  "deafLeadersReplaced",
  "streamResets",
  "streamsResumed",
  "halfOpenLinks",
  "oneByteReads",
  "slowReaders",
  "backPressure",
  "connectionsRefused",
  "connectionsDropped",
  "connectionsOverLimit",
  "strangersRefused",
  "clientRetries",
  "sessionsByClientLibrary",
  "sessionsExpiredInLibrary",
  "writesUnknownBySession",
  "eventsFollowed",
  "streamsFollowedOn",
  "conditionsMet",
  "conditionsUnmet",
] as const;

/** What few seeds can show. */
export const RARE_MARKS: readonly CoverageMark[] = [
  "sqliteRepairs",
  "databasesRotten",
  "snapshotsRotten",
  "snapshotPiecesTorn",
  "writesUnknownBySession",
];

export type CoverageMark = (typeof COVERAGE_MARKS)[number];

/** Counts by mark. */
export type CoverageCounts = Readonly<Partial<Record<CoverageMark, number>>>;

/** How often each thing happened. */
export class Coverage {
  readonly #counts = new Map<CoverageMark, number>();

  add(mark: CoverageMark, count = 1): void {
    this.#counts.set(mark, this.count(mark) + count);
  }

  count(mark: CoverageMark): number {
    return this.#counts.get(mark) ?? 0;
  }

  /** Adds everything that `other` counted. */
  merge(other: Coverage): void {
    this.addCounts(other.toJSON());
  }

  /** Adds what another counted, as its {@link toJSON} says it. */
  addCounts(counts: CoverageCounts): void {
    for (const mark of COVERAGE_MARKS) this.add(mark, counts[mark] ?? 0);
  }

  /** What never happened. */
  missing(): CoverageMark[] {
    return COVERAGE_MARKS.filter((mark) => this.count(mark) === 0);
  }

  toJSON(): CoverageCounts {
    return Object.fromEntries(COVERAGE_MARKS.map((mark) => [mark, this.count(mark)]));
  }
}
