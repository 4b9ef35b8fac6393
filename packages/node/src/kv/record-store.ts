import { crc32 } from "node:zlib";
import type { KeyValue } from "@quorate/wire";
import type { SlotFields } from "./slot-table.ts";
import { SlotTable } from "./slot-table.ts";
import type { StateHash } from "./state-hash.ts";
import { ValueSlabs } from "./value-slabs.ts";

const SHARDS = 256;
const RECORD_MEMBER = 0;

/** A record as it lies in the store. */
export interface RecordView extends SlotFields {
  /** One character a byte. */
  readonly key: string;
  /** A view: it holds until the next change of any record. */
  readonly value: Uint8Array;
}

/** What a change did: the revision that created the key, and whether this change did. */
export interface StoredRevisions {
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

/**
 * The records by key. A map with a million keys stops everything for as long as it takes to grow;
 * 256 maps that share the keys grow one at a time. They hold numbers; the rest is off the heap.
 */
export class RecordStore {
  readonly #shards: Map<string, number>[] = Array.from({ length: SHARDS }, () => new Map());
  readonly #slots = new SlotTable();
  readonly #values: ValueSlabs = new ValueSlabs({
    locationOf: (slot) => this.#slots.locationOf(slot),
    moved: (slot, location) => {
      this.#slots.setLocation(slot, location);
    },
  });
  readonly #hash: StateHash;
  #keyCount = 0;
  #payloadBytes = 0;
  /** Called before the record in a slot changes or goes; null while nobody needs it. */
  beforeChange: ((slot: number) => void) | null = null;

  /** @param hash follows every change of the records. */
  constructor(hash: StateHash) {
    this.#hash = hash;
  }

  get keyCount(): number {
    return this.#keyCount;
  }

  /** Bytes of the keys and values. */
  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  /** Memory outside the JavaScript heap. */
  get reservedBytes(): number {
    return this.#slots.reservedBytes + this.#values.reservedBytes;
  }

  /** Slots from 0 to below this may hold records. */
  get slotCount(): number {
    return this.#slots.slotCount;
  }

  /** The revision of the last change of `key`; 0 where the store has no such key. */
  modRevisionOf(key: Uint8Array): number {
    const slot = this.#shardOf(crc32(key)).get(keyText(key));
    return slot === undefined ? 0 : this.#slots.modRevisionOf(slot);
  }

  /** The revision of the last change of the record in `slot`; null where the slot is free. */
  modRevisionAt(slot: number): number | null {
    return this.#slots.locationOf(slot) < 0 ? null : this.#slots.modRevisionOf(slot);
  }

  /** A copy of what `key` holds, or null. */
  get(key: Uint8Array): KeyValue | null {
    const slot = this.#shardOf(crc32(key)).get(keyText(key));
    if (slot === undefined) return null;
    const { createRevision, modRevision, version } = this.#slots.fieldsOf(slot);
    const value = this.#values.viewAt(this.#slots.locationOf(slot)).slice();
    return { value, createRevision, modRevision, version };
  }

  /** The record in a slot that is not free. */
  recordAt(slot: number): RecordView {
    const value = this.#values.viewAt(this.#slots.locationOf(slot));
    return { key: this.#slots.keyOf(slot), value, ...this.#slots.fieldsOf(slot) };
  }

  /** Sets `key` to a copy of `value`, as change number `revision`; returns whether it is new. */
  put(key: Uint8Array, value: Uint8Array, revision: number): boolean {
    const keyCrc = crc32(key);
    const slot = this.#shardOf(keyCrc).get(keyText(key));
    if (slot === undefined) {
      this.#add(key, keyCrc, value, {
        createRevision: revision,
        modRevision: revision,
        version: 1,
      });
      return true;
    }
    this.beforeChange?.(slot);
    const before = this.#slots.fieldsOf(slot);
    const location = this.#slots.locationOf(slot);
    this.#payloadBytes += value.length - this.#values.lengthAt(location);
    this.#unhash(before, key.length);
    this.#values.free(location);
    this.#fill(slot, key.length, value, {
      createRevision: before.createRevision,
      modRevision: revision,
      version: before.version + 1,
      valueCrc: crc32(value),
      keyCrc,
    });
    this.#values.compactStep();
    return false;
  }

  /** Removes `key`; returns whether there was one. */
  delete(key: Uint8Array): boolean {
    const text = keyText(key);
    const shard = this.#shardOf(crc32(key));
    const slot = shard.get(text);
    if (slot === undefined) return false;
    this.beforeChange?.(slot);
    shard.delete(text);
    const location = this.#slots.locationOf(slot);
    this.#keyCount -= 1;
    this.#payloadBytes -= key.length + this.#values.lengthAt(location);
    this.#unhash(this.#slots.fieldsOf(slot), key.length);
    this.#values.free(location);
    this.#slots.free(slot);
    this.#values.compactStep();
    return true;
  }

  /** Adds a record of a snapshot; false: the key is there already, and nothing was done. */
  restore(key: Uint8Array, value: Uint8Array, revisions: StoredRevisions): boolean {
    const keyCrc = crc32(key);
    if (this.#shardOf(keyCrc).has(keyText(key))) return false;
    this.#add(key, keyCrc, value, revisions);
    return true;
  }

  #add(key: Uint8Array, keyCrc: number, value: Uint8Array, revisions: StoredRevisions): void {
    const text = keyText(key);
    const slot = this.#slots.take(text);
    this.#shardOf(keyCrc).set(text, slot);
    this.#keyCount += 1;
    this.#payloadBytes += key.length + value.length;
    this.#fill(slot, key.length, value, { ...revisions, valueCrc: crc32(value), keyCrc });
  }

  #fill(slot: number, keyBytes: number, value: Uint8Array, fields: SlotFields): void {
    const { createRevision, modRevision, version, valueCrc, keyCrc } = fields;
    this.#slots.setFields(slot, fields);
    this.#slots.setLocation(slot, this.#values.store(slot, value));
    this.#hash.add(RECORD_MEMBER, keyCrc, keyBytes, valueCrc, createRevision, modRevision, version);
  }

  #unhash(fields: SlotFields, keyBytes: number): void {
    const { createRevision, modRevision, version, valueCrc, keyCrc } = fields;
    this.#hash.remove(
      RECORD_MEMBER,
      keyCrc,
      keyBytes,
      valueCrc,
      createRevision,
      modRevision,
      version,
    );
  }

  #shardOf(keyCrc: number): Map<string, number> {
    const shard = this.#shards[keyCrc % SHARDS];
    if (shard === undefined) throw new RangeError("a checksum is a whole number");
    return shard;
  }
}

/** The bytes as characters (latin1): equal bytes are equal strings. */
function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
