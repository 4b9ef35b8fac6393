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
  "streamRuns",
  "clientPauses",
  "clientCuts",
  "streamsResetAfterCut",
  "clocksDrifting",
  "changedEntriesRefused",
  "secondProcessesRefused",
  "secondBootstrapsRefused",
  "snapshotsForged",
  "forgedSnapshotsRefused",
  "tidyingsFailed",
  "readsAfterHiccups",
  "formerMembersRefused",
  "unreadableMembersRefused",
] as const;

/** How often something else has to happen before a mark must have been seen. */
export interface Chances {
  readonly of: CoverageMark | "seeds";
  readonly atLeast: number;
}

/**
 * What is asked for only after so many chances, each bar with room to spare above 9.2 divided by the
 * share of chances that show it: below that, one sound campaign in 10,000 would miss it by bad luck.
 */
export const RARE_MARKS: Readonly<Partial<Record<CoverageMark, Chances>>> = {
  configurationsRolledBack: { of: "seeds", atLeast: 500 },
  sessionsExpired: { of: "seeds", atLeast: 500 },
  snapshotsRotten: { of: "seeds", atLeast: 500 },
  snapshotsForged: { of: "seeds", atLeast: 500 },
  forgedSnapshotsRefused: { of: "snapshotsForged", atLeast: 20 },
  writesRefusedByFullDisks: { of: "seeds", atLeast: 500 },
  sqliteRuns: { of: "seeds", atLeast: 500 },
  snapshotResumes: { of: "seeds", atLeast: 1000 },
  snapshotPiecesTorn: { of: "seeds", atLeast: 1000 },
  secondBootstrapsRefused: { of: "sqliteRuns", atLeast: 5 },
  secondProcessesRefused: { of: "secondBootstrapsRefused", atLeast: 50 },
  databasesRotten: { of: "sqliteRuns", atLeast: 60 },
  sqliteRepairs: { of: "sqliteRuns", atLeast: 800 },
  tidyingsFailed: { of: "sqliteRuns", atLeast: 1500 },
  streamResets: { of: "streamRuns", atLeast: 30 },
  oneByteReads: { of: "streamRuns", atLeast: 30 },
  slowReaders: { of: "streamRuns", atLeast: 30 },
  connectionsOverLimit: { of: "streamRuns", atLeast: 30 },
  clientRetries: { of: "streamRuns", atLeast: 40 },
  clientPauses: { of: "streamRuns", atLeast: 30 },
  clientCuts: { of: "streamRuns", atLeast: 30 },
  streamsResetAfterCut: { of: "streamRuns", atLeast: 30 },
  eventsFollowed: { of: "streamRuns", atLeast: 30 },
  streamsFollowedOn: { of: "streamRuns", atLeast: 30 },
  sessionsExpiredInLibrary: { of: "streamRuns", atLeast: 30 },
  writesUnknownBySession: { of: "streamRuns", atLeast: 100 },
};

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
