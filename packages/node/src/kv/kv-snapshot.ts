import type { StateSnapshot } from "../ports/state-machine.ts";
import { BlockBuilder } from "./block-builder.ts";
import { setSafeInteger } from "./integers.ts";
import type { KvState } from "./kv-state.ts";
import type { RecordView } from "./record-store.ts";
import {
  BLOCK_TARGET_MAX_BYTES,
  FORMAT_VERSION,
  HEADER_RECORD_BYTES,
  KEY_RECORD_BYTES,
  MAGIC,
  PREAMBLE_BYTES,
  TAG_HEADER,
  TAG_KEY,
  TAG_TRAILER,
  TRAILER_RECORD_BYTES,
} from "./snapshot-format.ts";

/** One read looks at no more slots than this, however many of them are not to be written. */
const SLOTS_PER_READ_MAX = 16 * 1024;

/**
 * The store as of one revision, written while newer entries change it. It walks the slots; a
 * record that changes before the walk came by is written out as it was (its preimage) and passed
 * over later, because its revision is newer then. So each record of that moment appears once.
 */
export class KvSnapshot implements StateSnapshot {
  readonly #state: KvState;
  readonly #revision: number;
  readonly #header: readonly [revision: number, clusterTimeMs: number, appliedIndex: number];
  readonly #keyCount: number;
  readonly #digest: string;
  readonly #slotEnd: number;
  #nextSlot = 0;
  #stage: "preamble" | "records" | "trailer" | "ended" = "preamble";
  readonly #preimages: Uint8Array[] = [];
  #nextPreimage = 0;
  readonly #onEnd: () => void;

  /** @param onEnd is called once, when the snapshot needs the state no longer. */
  constructor(state: KvState, onEnd: () => void) {
    const { revision, clusterTimeMs, appliedIndex, records } = state;
    this.#state = state;
    this.#revision = revision;
    this.#header = [revision, clusterTimeMs, appliedIndex];
    this.#keyCount = records.keyCount;
    this.#digest = state.digest();
    this.#slotEnd = records.slotCount;
    this.#onEnd = onEnd;
    records.beforeChange = (slot) => {
      this.#keepPreimage(slot);
    };
  }

  read(maxBytes: number): Uint8Array | null {
    if (this.#stage === "ended") return null;
    const target = Math.max(1, Math.min(maxBytes, BLOCK_TARGET_MAX_BYTES));
    if (this.#stage === "preamble") return this.#begin();
    const block = new BlockBuilder(0, target);
    if (this.#stage === "records") this.#fill(block, target);
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
    this.#preimages.length = 0;
    this.#onEnd();
  }

  #begin(): Uint8Array {
    const block = new BlockBuilder(PREAMBLE_BYTES, HEADER_RECORD_BYTES);
    block.view.setUint32(0, MAGIC);
    block.view.setUint32(4, FORMAT_VERSION);
    const at = block.reserve(HEADER_RECORD_BYTES);
    block.view.setUint8(at, TAG_HEADER);
    for (const [field, value] of this.#header.entries()) {
      setSafeInteger(block.view, at + 1 + field * 8, value);
    }
    this.#stage = "records";
    return block.takeBlock();
  }

  #fill(block: BlockBuilder, target: number): void {
    while (block.bodyBytes < target && this.#nextPreimage < this.#preimages.length) {
      const record = this.#preimages[this.#nextPreimage];
      if (record !== undefined) block.append(record);
      this.#nextPreimage += 1;
    }
    if (this.#nextPreimage === this.#preimages.length) {
      this.#preimages.length = 0;
      this.#nextPreimage = 0;
    }
    const { records } = this.#state;
    const stop = Math.min(this.#slotEnd, this.#nextSlot + SLOTS_PER_READ_MAX);
    while (block.bodyBytes < target && this.#nextSlot < stop) {
      const slot = this.#nextSlot;
      this.#nextSlot += 1;
      const modRevision = records.modRevisionAt(slot);
      if (modRevision === null || modRevision > this.#revision) continue;
      writeKey(block, records.recordAt(slot));
    }
    if (this.#nextSlot === this.#slotEnd && this.#preimages.length === 0) this.#stage = "trailer";
  }

  #keepPreimage(slot: number): void {
    if (slot < this.#nextSlot || slot >= this.#slotEnd) return;
    const { records } = this.#state;
    const modRevision = records.modRevisionAt(slot);
    if (modRevision === null || modRevision > this.#revision) return;
    const record = records.recordAt(slot);
    const body = new BlockBuilder(0, KEY_RECORD_BYTES + record.key.length + record.value.length);
    writeKey(body, record);
    this.#preimages.push(body.takeBody());
  }

  #writeTrailer(block: BlockBuilder): void {
    const at = block.reserve(TRAILER_RECORD_BYTES);
    block.view.setUint8(at, TAG_TRAILER);
    setSafeInteger(block.view, at + 1, this.#keyCount);
    setSafeInteger(block.view, at + 9, 0);
    block.setText(at + 17, this.#digest);
  }
}

function writeKey(block: BlockBuilder, record: RecordView): void {
  const { key, value } = record;
  const at = block.reserve(KEY_RECORD_BYTES + key.length + value.length);
  const { view } = block;
  view.setUint8(at, TAG_KEY);
  view.setUint16(at + 1, key.length);
  view.setUint32(at + 3, value.length);
  setSafeInteger(view, at + 7, record.createRevision);
  setSafeInteger(view, at + 15, record.modRevision);
  setSafeInteger(view, at + 23, record.version);
  block.setText(at + KEY_RECORD_BYTES, key);
  block.setBytes(at + KEY_RECORD_BYTES + key.length, value);
}
