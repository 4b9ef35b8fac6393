import type { StateSnapshot } from "../ports/state-machine.ts";
import { BlockBuilder } from "./block-builder.ts";
import { setSafeInteger } from "./integers.ts";
import type { KvState } from "./kv-state.ts";
import type { RecordView } from "./record-store.ts";
import type { Session } from "./session-table.ts";
import { responseFields } from "./session-table.ts";
import {
  BLOCK_TARGET_MAX_BYTES,
  FORMAT_VERSION,
  HEADER_RECORD_BYTES,
  KEY_RECORD_BYTES,
  MAGIC,
  PREAMBLE_BYTES,
  RESPONSE_BYTES,
  SESSION_RECORD_BYTES,
  TAG_HEADER,
  TAG_KEY,
  TAG_SESSION,
  TAG_TRAILER,
  TRAILER_RECORD_BYTES,
} from "./snapshot-format.ts";

/** One read looks at no more slots than this, however many of them are not to be written. */
const SLOTS_PER_READ_MAX = 16 * 1024;
/** Room for the block of a small state. */
const FIRST_BLOCK_BYTES = 4 * 1024;

/**
 * The store as of one revision, written while newer entries change it. It walks the slots; a
 * record that changes before the walk came by is written out as it was (its preimage) and passed
 * over later, because its revision is newer then. So each record of that moment appears once.
 */
export class KvSnapshot implements StateSnapshot {
  readonly #state: KvState;
  readonly #revision: number;
  readonly #header: readonly [revision: number, clusterTimeMs: number, appliedIndex: number];
  readonly #appliedIndex: number;
  readonly #keyCount: number;
  readonly #digest: string;
  readonly #slotEnd: number;
  readonly #sessionCount: number;
  readonly #sessions: Iterator<Session>;
  /** Sessions whose last activity is no later than this are written already. */
  #sessionsDoneTo = 0;
  #nextSlot = 0;
  #stage: "preamble" | "sessions" | "records" | "trailer" | "ended" = "preamble";
  /** Used for one piece after the other: a large state would leave its size behind as garbage. */
  #block: BlockBuilder | null = null;
  readonly #preimages: Uint8Array[] = [];
  #nextPreimage = 0;
  readonly #onEnd: () => void;

  /** @param onEnd is called once, when the snapshot needs the state no longer. */
  constructor(state: KvState, onEnd: () => void) {
    const { revision, clusterTimeMs, appliedIndex, records, sessions } = state;
    this.#state = state;
    this.#revision = revision;
    this.#header = [revision, clusterTimeMs, appliedIndex];
    this.#keyCount = records.keyCount;
    this.#digest = state.digest();
    this.#slotEnd = records.slotCount;
    this.#onEnd = onEnd;
    this.#appliedIndex = appliedIndex;
    this.#sessionCount = sessions.count;
    this.#sessions = sessions.byActivity();
    records.beforeChange = (slot) => {
      this.#keepRecord(slot);
    };
    sessions.beforeChange = (session) => {
      this.#keepSession(session);
    };
  }

  read(maxBytes: number): Uint8Array | null {
    if (this.#stage === "ended") return null;
    const target = Math.max(1, Math.min(maxBytes, BLOCK_TARGET_MAX_BYTES));
    if (this.#stage === "preamble") return this.#begin();
    this.#block ??= new BlockBuilder(Math.min(target, FIRST_BLOCK_BYTES));
    const block = this.#block;
    block.begin(0);
    this.#writePreimages(block, target);
    if (this.#stage === "sessions") this.#writeSessions(block, target);
    if (this.#stage === "records") this.#writeRecords(block, target);
    if (this.#stage === "trailer" && block.bodyBytes < target) {
      this.#writeTrailer(block);
      this.release();
    }
    return block.takeBlock();
  }

  release(): void {
    if (this.#stage === "ended") return;
    this.#stage = "ended";
    this.#state.records.beforeChange = null;
    this.#state.sessions.beforeChange = null;
    this.#preimages.length = 0;
    this.#onEnd();
  }

  #begin(): Uint8Array {
    const block = new BlockBuilder(PREAMBLE_BYTES + HEADER_RECORD_BYTES);
    block.begin(PREAMBLE_BYTES);
    block.view.setUint32(0, MAGIC);
    block.view.setUint32(4, FORMAT_VERSION);
    const at = block.reserve(HEADER_RECORD_BYTES);
    block.view.setUint8(at, TAG_HEADER);
    for (const [field, value] of this.#header.entries()) {
      setSafeInteger(block.view, at + 1 + field * 8, value);
    }
    this.#stage = "sessions";
    return block.takeBlock();
  }

  #writePreimages(block: BlockBuilder, target: number): void {
    while (block.bodyBytes < target && this.#nextPreimage < this.#preimages.length) {
      const record = this.#preimages[this.#nextPreimage];
      if (record !== undefined) block.append(record);
      this.#nextPreimage += 1;
    }
    if (this.#nextPreimage < this.#preimages.length) return;
    this.#preimages.length = 0;
    this.#nextPreimage = 0;
  }

  #writeSessions(block: BlockBuilder, target: number): void {
    while (block.bodyBytes < target) {
      const next = this.#sessions.next();
      // Sessions come by activity: after the first that was active since, no other was not.
      if (next.done === true || next.value.lastActiveIndex > this.#appliedIndex) {
        this.#sessionsDoneTo = this.#appliedIndex;
        this.#stage = "records";
        return;
      }
      this.#sessionsDoneTo = next.value.lastActiveIndex;
      writeSession(block, next.value);
    }
  }

  #writeRecords(block: BlockBuilder, target: number): void {
    const { records } = this.#state;
    const stop = Math.min(this.#slotEnd, this.#nextSlot + SLOTS_PER_READ_MAX);
    while (block.bodyBytes < target && this.#nextSlot < stop) {
      const slot = this.#nextSlot;
      this.#nextSlot += 1;
      if (this.#isOfSnapshot(slot)) writeKey(block, records.recordAt(slot));
    }
    if (this.#nextSlot === this.#slotEnd && this.#preimages.length === 0) this.#stage = "trailer";
  }

  #isOfSnapshot(slot: number): boolean {
    const modRevision = this.#state.records.modRevisionAt(slot);
    return modRevision !== null && modRevision <= this.#revision;
  }

  #keepRecord(slot: number): void {
    if (slot < this.#nextSlot || !this.#isOfSnapshot(slot)) return;
    const record = this.#state.records.recordAt(slot);
    const body = new BlockBuilder(KEY_RECORD_BYTES + record.key.length + record.value.length);
    writeKey(body, record);
    this.#preimages.push(body.takeBody());
  }

  #keepSession(session: Session): void {
    const { lastActiveIndex, responses } = session;
    if (lastActiveIndex <= this.#sessionsDoneTo || lastActiveIndex > this.#appliedIndex) return;
    const body = new BlockBuilder(SESSION_RECORD_BYTES + responses.size * RESPONSE_BYTES);
    writeSession(body, session);
    this.#preimages.push(body.takeBody());
  }

  #writeTrailer(block: BlockBuilder): void {
    const at = block.reserve(TRAILER_RECORD_BYTES);
    block.view.setUint8(at, TAG_TRAILER);
    setSafeInteger(block.view, at + 1, this.#keyCount);
    setSafeInteger(block.view, at + 9, this.#sessionCount);
    block.setText(at + 17, this.#digest);
  }
}

function writeKey(block: BlockBuilder, record: RecordView): void {
  const { key, value, fields } = record;
  const at = block.reserve(KEY_RECORD_BYTES + key.length + value.length);
  const { view } = block;
  view.setUint8(at, TAG_KEY);
  view.setUint16(at + 1, key.length);
  view.setUint32(at + 3, value.length);
  setSafeInteger(view, at + 7, fields.createRevision);
  setSafeInteger(view, at + 15, fields.modRevision);
  setSafeInteger(view, at + 23, fields.version);
  block.setBytes(at + KEY_RECORD_BYTES, key);
  block.setBytes(at + KEY_RECORD_BYTES + key.length, value);
}

function writeSession(block: BlockBuilder, session: Session): void {
  const { id, ttlMs, lastActiveIndex, lastActiveMs, ackedBelow, responses } = session;
  let at = block.reserve(SESSION_RECORD_BYTES + responses.size * RESPONSE_BYTES);
  const { view } = block;
  view.setUint8(at, TAG_SESSION);
  at += 1;
  for (const field of [id, ttlMs, lastActiveIndex, lastActiveMs, ackedBelow]) {
    setSafeInteger(view, at, field);
    at += 8;
  }
  view.setUint8(at, responses.size);
  at += 1;
  for (const [serial, response] of responses) {
    const { kind, revision, detail, index, term } = responseFields(response);
    setSafeInteger(view, at, serial);
    view.setUint8(at + 8, kind);
    setSafeInteger(view, at + 9, revision);
    setSafeInteger(view, at + 17, detail);
    setSafeInteger(view, at + 25, index);
    setSafeInteger(view, at + 33, term);
    at += RESPONSE_BYTES;
  }
}
