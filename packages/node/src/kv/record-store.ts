import { getRandomValues } from "node:crypto";
import { crc32 } from "node:zlib";
import type { KeyValue } from "@quorate/wire";
import type { HashSeed } from "./key-hash.ts";
import { keyHash } from "./key-hash.ts";
import { KeyIndex } from "./key-index.ts";
import type { SlotFields } from "./slot-table.ts";
import { SlotTable } from "./slot-table.ts";
import type { StateHash } from "./state-hash.ts";
import { ValueSlabs } from "./value-slabs.ts";

const RECORD_MEMBER = 0;
/** A key's part in the hash of the state: the same on every node, unlike its place in the index. */
const DIGEST_SEED: HashSeed = [0x51756f72, 0x6174654b];

/** A record as it lies in the store. */
export interface RecordView {
  /** Views: they hold until the next change of any record. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly fields: SlotFields;
}

/** The revisions that a record of a snapshot has. */
export interface StoredRevisions {
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

/**
 * The records by key. Everything of them lies outside the JavaScript heap, and grows in parts: a
 * million records are a few hundred objects to the garbage collector.
 */
export class RecordStore {
  readonly #slots = new SlotTable();
  readonly #values: ValueSlabs = new ValueSlabs({
    locationOf: (slot) => this.#slots.locationOf(slot),
    moved: (slot, location) => {
      this.#slots.setLocation(slot, location);
    },
  });
  readonly #index: KeyIndex = new KeyIndex((slot, key) =>
    this.#values.hasKey(this.#slots.locationOf(slot), key),
  );
  /** It decides where the index has a key and nothing else: states are equal without it. */
  readonly #seed: HashSeed = newSeed();
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
    return this.#slots.reservedBytes + this.#values.reservedBytes + this.#index.reservedBytes;
  }

  /** Slots from 0 to below this may hold records. */
  get slotCount(): number {
    return this.#slots.slotCount;
  }

  /** The revision of the last change of `key`; 0 where the store has no such key. */
  modRevisionOf(key: Uint8Array): number {
    const slot = this.#index.find(key, keyHash(this.#seed, key));
    return slot < 0 ? 0 : this.#slots.modRevisionOf(slot);
  }

  /** The revision of the last change of the record in `slot`; null where the slot is free. */
  modRevisionAt(slot: number): number | null {
    return this.#slots.locationOf(slot) < 0 ? null : this.#slots.modRevisionOf(slot);
  }

  /** A copy of what `key` holds, or null. */
  get(key: Uint8Array): KeyValue | null {
    const slot = this.#index.find(key, keyHash(this.#seed, key));
    if (slot < 0) return null;
    const { createRevision, modRevision, version } = this.#slots.fieldsOf(slot);
    const value = this.#values.viewAt(this.#slots.locationOf(slot)).slice();
    return { value, createRevision, modRevision, version };
  }

  /** The record in a slot that is not free. */
  recordAt(slot: number): RecordView {
    const location = this.#slots.locationOf(slot);
    const [key, value] = [this.#values.keyAt(location), this.#values.viewAt(location)];
    return { key, value, fields: this.#slots.fieldsOf(slot) };
  }

  /** Sets `key` to a copy of `value`, as change number `revision`; returns whether it is new. */
  put(key: Uint8Array, value: Uint8Array, revision: number): boolean {
    const hash = keyHash(this.#seed, key);
    const slot = this.#index.find(key, hash);
    if (slot < 0) {
      this.#add(key, hash, value, {
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
    this.#fill(slot, key, value, {
      createRevision: before.createRevision,
      modRevision: revision,
      version: before.version + 1,
      valueCrc: crc32(value),
      keyDigest: before.keyDigest,
    });
    this.#values.compactStep();
    return false;
  }

  /** Removes `key`; returns whether there was one. */
  delete(key: Uint8Array): boolean {
    const hash = keyHash(this.#seed, key);
    const slot = this.#index.find(key, hash);
    if (slot < 0) return false;
    this.beforeChange?.(slot);
    this.#index.remove(slot, hash);
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
    const hash = keyHash(this.#seed, key);
    if (this.#index.find(key, hash) >= 0) return false;
    this.#add(key, hash, value, revisions);
    return true;
  }

  #add(key: Uint8Array, hash: number, value: Uint8Array, revisions: StoredRevisions): void {
    const slot = this.#slots.take();
    this.#index.add(slot, hash);
    this.#keyCount += 1;
    this.#payloadBytes += key.length + value.length;
    const { createRevision, modRevision, version } = revisions;
    const valueCrc = crc32(value);
    const keyDigest = keyHash(DIGEST_SEED, key);
    this.#fill(slot, key, value, { createRevision, modRevision, version, valueCrc, keyDigest });
  }

  #fill(slot: number, key: Uint8Array, value: Uint8Array, fields: SlotFields): void {
    const { createRevision, modRevision, version, valueCrc, keyDigest } = fields;
    this.#slots.setFields(slot, fields);
    this.#slots.setLocation(slot, this.#values.store(slot, key, value));
    this.#hash.add(
      RECORD_MEMBER,
      keyDigest,
      key.length,
      valueCrc,
      createRevision,
      modRevision,
      version,
    );
  }

  #unhash(fields: SlotFields, keyBytes: number): void {
    const { createRevision, modRevision, version, valueCrc, keyDigest } = fields;
    this.#hash.remove(
      RECORD_MEMBER,
      keyDigest,
      keyBytes,
      valueCrc,
      createRevision,
      modRevision,
      version,
    );
  }
}

function newSeed(): HashSeed {
  const [first = 0, second = 0] = getRandomValues(new Int32Array(2));
  return [first, second];
}
