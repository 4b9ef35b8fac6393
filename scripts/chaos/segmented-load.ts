import { join } from "node:path";
import { checkFile, HistoryFile, readBack, Workload } from "@quorate/cli/verify";
import type { Availability, Loss, WorkloadCounts } from "@quorate/cli/verify";
import { QuorateClient } from "@quorate/wire/client";
import type { Verdict } from "@quorate/wire/history";

export interface SegmentedLoadOptions {
  /** `host:port` of the nodes that there are now. */
  readonly endpoints: () => readonly string[];
  readonly clients: number;
  readonly ratePerSecond: number;
  readonly seed: number;
  /** Histories are written into it, a file a segment. */
  readonly directory: string;
  readonly availability: Availability;
  /** Told when a segment was checked. */
  readonly onChecked: (segment: CheckedSegment) => void;
}

/** A stretch of the run with keys of its own, and what the checker says of its history. */
export interface CheckedSegment {
  readonly number: number;
  readonly path: string;
  readonly verdict: Verdict;
  readonly checkMs: number;
}

interface Segment {
  readonly number: number;
  readonly workload: Workload;
  readonly history: HistoryFile;
}

/** Long enough for faults to overlap, short enough for the checker to stay within bounds. */
const SEGMENT_MS = 60_000;
const OPERATION_TIMEOUT_MS = 3000;
const READ_BACK_TIMEOUT_MS = 20_000;
const FINAL_READ_TIMEOUT_MS = 120_000;
/** What is written is not tiny: snapshots and checkpoints have something to do. */
const VALUE_CHARACTERS = 100;

/**
 * Clients under way all the time, with new keys every minute: each minute's history is checked by
 * itself, so that a run may be as long as one likes.
 */
export class SegmentedLoad {
  readonly #options: SegmentedLoadOptions;
  readonly #segments: Segment[] = [];
  readonly #checked: CheckedSegment[] = [];
  readonly #client: QuorateClient;
  #current: Segment;
  #timer: NodeJS.Timeout;
  #turning: Promise<void> = Promise.resolve();

  /** Begins at once. */
  constructor(options: SegmentedLoadOptions) {
    this.#options = options;
    this.#client = new QuorateClient({
      endpoints: options.endpoints(),
      clientName: "chaos-reader",
      timeoutMs: OPERATION_TIMEOUT_MS,
    });
    this.#current = this.#begin(1);
    this.#timer = setInterval(() => {
      this.#turning = this.#turning.then(() => this.#turn());
    }, SEGMENT_MS);
  }

  get counts(): WorkloadCounts {
    const sum = { operations: 0, ok: 0, failed: 0, unknown: 0 };
    for (const { workload } of this.#segments) {
      const { operations, ok, failed, unknown } = workload.counts;
      sum.operations += operations;
      sum.ok += ok;
      sum.failed += failed;
      sum.unknown += unknown;
    }
    return sum;
  }

  get checked(): readonly CheckedSegment[] {
    return this.#checked;
  }

  /** Ends the last segment too, and checks it. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#turning;
    await this.#end(this.#current);
  }

  /** Reads all keys of all segments once more: gives what is lost, and how many cannot be read. */
  async finalReads(signal: AbortSignal): Promise<{ losses: Loss[]; unread: number }> {
    const losses: Loss[] = [];
    let unread = 0;
    for (const { workload } of this.#segments) {
      const read = await readBack({
        client: this.#client,
        keys: workload.usedKeys,
        acknowledged: workload.acknowledged,
        record: () => undefined,
        timeoutMs: FINAL_READ_TIMEOUT_MS,
        signal,
      });
      losses.push(...read.losses);
      unread += read.unread.length;
    }
    return { losses, unread };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #turn(): Promise<void> {
    const before = this.#current;
    this.#current = this.#begin(before.number + 1);
    await this.#end(before);
  }

  #begin(number: number): Segment {
    const { endpoints, clients, ratePerSecond, seed, directory, availability } = this.#options;
    const path = join(directory, `history-${number}.ndjson`);
    const history = new HistoryFile(path, `chaos, seed ${seed}, minute ${number}`);
    const workload = new Workload({
      endpoints: endpoints(),
      clients,
      seed: seed + number,
      keyPrefix: `${number}/`,
      ratePerSecond,
      timeoutMs: OPERATION_TIMEOUT_MS,
      valueCharacters: VALUE_CHARACTERS,
      record: (operation) => {
        history.append(operation);
      },
      room: () => history.room(),
      onAcknowledged: (callMs, returnMs) => {
        availability.acknowledged(callMs, returnMs);
      },
    });
    const segment = { number, workload, history };
    this.#segments.push(segment);
    workload.start();
    return segment;
  }

  /** Its keys are read once more, for the history too: then the file is checked as it is. */
  async #end({ number, workload, history }: Segment): Promise<void> {
    await workload.stop();
    await readBack({
      client: this.#client,
      keys: workload.usedKeys,
      acknowledged: workload.acknowledged,
      record: (operation) => {
        history.append(operation);
      },
      timeoutMs: READ_BACK_TIMEOUT_MS,
      signal: null,
    });
    await history.close();
    const startMs = performance.now();
    const verdict = await checkFile(history.path);
    const checkMs = performance.now() - startMs;
    const checked = { number, path: history.path, verdict, checkMs };
    this.#checked.push(checked);
    this.#options.onChecked(checked);
  }
}
