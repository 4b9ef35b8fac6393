import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { LogEntry } from "@quorate/wire";
import { decodeEntries } from "@quorate/wire";
import { KvStateMachine } from "../../src/kv/kv-state-machine.ts";
import { findSnapshots, openSnapshot } from "../../src/storage/find-snapshots.ts";
import { StorageError } from "../../src/storage/index.ts";
import { LogDatabase } from "../../src/storage/log-database.ts";
import { DATABASE_FILE, SNAPSHOTS_FOLDER } from "../../src/storage/schema.ts";
import { HEADER_BYTES } from "../../src/storage/snapshot-file.ts";
import type { Draw } from "./cut-disk.ts";
import { CutDisk } from "./cut-disk.ts";
import type { ClientMessage } from "./traced-disk.ts";
import { TracedDisk } from "./traced-disk.ts";

/** Images of the disk go to memory where there is some: there are hundreds, of 8 MiB. */
const IMAGES = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** What clients asked, in its order, and what they were told. */
class Told {
  /** By key: every value that was asked for, and how many of them were acknowledged. */
  readonly #keys = new Map<string, { asked: (string | null)[]; acknowledged: number }>();
  readonly #open = new Map<string, { key: string; place: number }>();
  acknowledgedCount = 0;

  add(life: number, { socket, direction, message }: ClientMessage): void {
    if (!("requestId" in message)) return;
    const request = `${life} ${socket} ${message.requestId}`;
    if (direction === "received" && (message.type === "Put" || message.type === "Delete")) {
      const key = Buffer.from(message.key).toString();
      const known = this.#keys.get(key) ?? { asked: [], acknowledged: 0 };
      this.#keys.set(key, known);
      known.asked.push(message.type === "Put" ? Buffer.from(message.value).toString() : null);
      this.#open.set(request, { key, place: known.asked.length });
    } else if (message.type === "PutReply" || message.type === "DeleteReply") {
      const { key, place } = this.#open.get(request) ?? { key: "", place: 0 };
      const known = this.#keys.get(key);
      assert.ok(known !== undefined, `an answer to ${request}, which nobody asked`);
      known.acknowledged = Math.max(known.acknowledged, place);
      this.acknowledgedCount += 1;
    }
  }

  /** What `machine` lacks of what was acknowledged. */
  lostBy(machine: KvStateMachine): string[] {
    const lost: string[] = [];
    for (const [key, { asked, acknowledged }] of this.#keys) {
      if (acknowledged === 0) continue;
      const value = machine.get(Buffer.from(key))?.value ?? null;
      const text = value === null ? null : Buffer.from(value).toString();
      // A later one that was not acknowledged may have become durable all the same.
      if (!asked.slice(acknowledged - 1).includes(text))
        lost.push(`${key} is ${text?.slice(0, 20) ?? "gone"}`);
    }
    return lost;
  }
}

/** What a start finds in `directory`, by the storage's own code: the snapshot, then the log. */
async function recoveredState(directory: string): Promise<KvStateMachine> {
  const entries: LogEntry[] = [];
  const { database, contents } = LogDatabase.open(
    { databasePath: join(directory, DATABASE_FILE), expect: {}, sizeMaxBytes: null },
    {
      onSnapshot: () => {},
      onEntries: (records) => entries.push(...decodeEntries(records)),
      onAgain: () => {
        entries.length = 0;
      },
    },
  );
  database.close();
  const { snapshot } = contents;
  const snapshots = join(directory, SNAPSHOTS_FOLDER);
  const current = await openSnapshot(snapshots, snapshot);
  const { part } = await findSnapshots(snapshots, snapshot, current);
  const machine = new KvStateMachine();
  if (current !== null) {
    const restorer = machine.restore();
    restorer.write((await current.handle.readFile()).subarray(HEADER_BYTES));
    restorer.finish();
    await current.handle.close();
  }
  await part?.handle?.close();
  // Alone, a node decides by itself: whatever its log holds will be committed.
  for (const entry of entries) {
    if (entry.kind === "command" && entry.index > snapshot.lastIncludedIndex) machine.apply(entry);
  }
  return machine;
}

/** Starts on what a cut left behind; tells what is missing of what was acknowledged. */
async function lostIn(
  image: Map<string, Buffer | "folder">,
  base: string,
  told: Told,
): Promise<string[]> {
  const folder = mkdtempSync(join(IMAGES, "quorate-image-"));
  try {
    for (const [path, content] of image) {
      const target = join(folder, path.slice(base.length));
      mkdirSync(content === "folder" ? target : dirname(target), { recursive: true });
      if (content !== "folder") writeFileSync(target, content);
    }
    const directory = join(folder, "n1");
    if (!existsSync(join(directory, DATABASE_FILE))) {
      return told.acknowledgedCount === 0 ? [] : ["there is no database"];
    }
    return told.lostBy(await recoveredState(directory));
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return [`it does not start: ${error.message}`];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What cuts have shown. */
export interface Finding {
  readonly cuts: number;
  readonly acknowledged: number;
  readonly lost: readonly string[];
}

/**
 * Cuts the power at every moment at which the disk or what clients know is something new: after each
 * change of a file or folder, and after answers before the next sync or the end of a life.
 */
export class PowerCuts {
  readonly #disk: CutDisk;
  readonly #draws: readonly (Draw | null)[];
  readonly #lostMax: number;
  readonly #told = new Told();
  readonly #lost: string[] = [];
  #cuts = 0;
  /** What was durable and acknowledged when the disk was looked at last. */
  #judged = "";
  #judgedCount = 0;

  /** Ends with the `lostMax`th loss. */
  constructor(directory: string, draws: readonly (Draw | null)[], lostMax: number) {
    this.#disk = new CutDisk(directory);
    this.#draws = draws;
    this.#lostMax = lostMax;
  }

  get finding(): Finding {
    return { cuts: this.#cuts, acknowledged: this.#told.acknowledgedCount, lost: this.#lost };
  }

  async everywhere(traces: readonly string[]): Promise<Finding> {
    let firstPlace = 0;
    for (const [life, trace] of traces.entries()) {
      const { steps, messages } = new TracedDisk(this.#disk, trace, firstPlace);
      firstPlace += trace.split("\n").length;
      for (const step of steps) {
        this.#tell(life, messages, step.at);
        // What comes next may make durable what was already acknowledged: too late.
        if (!step.isChange) await this.#cutAfterAnswers(life, `before it ${step.text}`, step.at);
        step.apply();
        if (step.isChange) await this.#cut(life, `when it ${step.text}`, step.at);
        if (this.#isOver) return this.finding;
      }
      this.#tell(life, messages, firstPlace);
      await this.#cutAfterAnswers(life, "when it had ended", firstPlace);
      if (this.#isOver) return this.finding;
    }
    return this.finding;
  }

  get #isOver(): boolean {
    return this.#lost.length >= this.#lostMax;
  }

  /** Takes the messages up to a place in the trace. */
  #tell(life: number, messages: ClientMessage[], upTo: number): void {
    const later = messages.findIndex(({ at }) => at > upTo);
    const now = messages.splice(0, later === -1 ? messages.length : later);
    for (const message of now) this.#told.add(life, message);
  }

  async #cutAfterAnswers(life: number, when: string, line: number): Promise<void> {
    if (this.#told.acknowledgedCount > this.#judgedCount) await this.#cut(life, when, line);
  }

  async #cut(life: number, when: string, line: number): Promise<void> {
    this.#judgedCount = this.#told.acknowledgedCount;
    const state = `${this.#disk.syncCount} ${this.#judgedCount}`;
    for (const draw of this.#draws) {
      // Without what was not synced the disk is the one of the cut before.
      if (draw === null && state === this.#judged) continue;
      this.#cuts += 1;
      for (const what of await lostIn(this.#disk.image(draw), this.#disk.root, this.#told)) {
        this.#lost.push(`life ${life}, ${when} (line ${line}): ${what}`);
      }
      if (this.#isOver) return;
    }
    this.#judged = state;
  }
}
