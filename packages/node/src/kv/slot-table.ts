import { assert } from "../raft/index.ts";

const CHUNK_BITS = 12;
const CHUNK_SLOTS = 1 << CHUNK_BITS;
/** f64 createRevision, modRevision, version, location; u32 CRC of the value; u32 digest of the key. */
const SLOT_BYTES = 40;
const NONE = -1;

/** The numbers of one record. */
export interface SlotFields {
  readonly createRevision: number;
  readonly modRevision: number;
  /** Changes since the key was created, the creation included. */
  readonly version: number;
  readonly valueCrc: number;
  readonly keyDigest: number;
}

/**
 * The records' numbers, outside the JavaScript heap: a record is a slot, a slot is a number from
 * 0 on, and a freed slot is used again. It grows by chunks: nothing is ever copied to grow.
 */
export class SlotTable {
  readonly #chunks: DataView[] = [];
  #slotCount = 0;
  /** Free slots are a list through their first field. */
  #firstFree = NONE;

  /** Slots handed out so far, the free ones included: the number of the next new one. */
  get slotCount(): number {
    return this.#slotCount;
  }

  get reservedBytes(): number {
    return this.#chunks.length * CHUNK_SLOTS * SLOT_BYTES;
  }

  /** Takes a slot. Its numbers are not set yet; its location is none. */
  take(): number {
    let slot = this.#firstFree;
    if (slot === NONE) {
      slot = this.#slotCount;
      this.#slotCount += 1;
      if (slot % CHUNK_SLOTS === 0)
        this.#chunks.push(new DataView(new ArrayBuffer(CHUNK_SLOTS * SLOT_BYTES)));
    } else {
      this.#firstFree = this.#chunk(slot).getFloat64(place(slot));
    }
    this.#chunk(slot).setFloat64(place(slot) + 24, NONE);
    return slot;
  }

  free(slot: number): void {
    const chunk = this.#chunk(slot);
    chunk.setFloat64(place(slot), this.#firstFree);
    chunk.setFloat64(place(slot) + 24, NONE);
    this.#firstFree = slot;
  }

  fieldsOf(slot: number): SlotFields {
    const view = this.#chunk(slot);
    const at = place(slot);
    return {
      createRevision: view.getFloat64(at),
      modRevision: view.getFloat64(at + 8),
      version: view.getFloat64(at + 16),
      valueCrc: view.getUint32(at + 32),
      keyDigest: view.getUint32(at + 36),
    };
  }

  setFields(slot: number, fields: SlotFields): void {
    const view = this.#chunk(slot);
    const at = place(slot);
    view.setFloat64(at, fields.createRevision);
    view.setFloat64(at + 8, fields.modRevision);
    view.setFloat64(at + 16, fields.version);
    view.setUint32(at + 32, fields.valueCrc);
    view.setUint32(at + 36, fields.keyDigest);
  }

  modRevisionOf(slot: number): number {
    return this.#chunk(slot).getFloat64(place(slot) + 8);
  }

  /** Where key and value lie; -1: the slot is free. */
  locationOf(slot: number): number {
    return this.#chunk(slot).getFloat64(place(slot) + 24);
  }

  setLocation(slot: number, location: number): void {
    this.#chunk(slot).setFloat64(place(slot) + 24, location);
  }

  #chunk(slot: number): DataView {
    const chunk = this.#chunks[slot >>> CHUNK_BITS];
    assert(chunk !== undefined, "no record has this slot");
    return chunk;
  }
}

function place(slot: number): number {
  return (slot % CHUNK_SLOTS) * SLOT_BYTES;
}
