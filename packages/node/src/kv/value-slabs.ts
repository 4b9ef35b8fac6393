import { assert } from "../raft/index.ts";
import { noteDropped } from "./dropped-memory.ts";

/** Size of a slab, and the place of a slab's number in a location. */
export const SLAB_BYTES: number = 1024 * 1024;
/** What needs more than this, header included, has a slab of its own, of its exact size. */
const SHARED_MAX_BYTES = 64 * 1024;
/** The first one, which is all that a small store needs. */
const FIRST_SLAB_BYTES = SHARED_MAX_BYTES;
/** Before each pair: u32 slot of its record, u32 length of the key, u32 length of the value. */
const HEADER_BYTES = 12;
/** Empty slabs that are kept for the next values instead of given back. */
const SPARES_MAX = 4;
/** One step of compaction looks at no more values, and copies about no more bytes, than this. */
const STEP_VALUES = 16;
const STEP_BYTES = 32 * 1024;

/** Who holds the locations: compaction asks whether a value is still meant, and tells its move. */
export interface SlabOwner {
  locationOf(slot: number): number;
  moved(slot: number, location: number): void;
}

interface Slab {
  readonly number: number;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView;
  /** Where the next value goes. */
  end: number;
  /** Bytes of values that are not freed, headers included. */
  liveBytes: number;
  isDrained: boolean;
}

/**
 * Keys and values outside the JavaScript heap: the garbage collector sees one object for a mebibyte
 * of them. The memory is of the shared kind, though no other thread sees it: what is unshared
 * counts as growth of the heap, and filling a store would collect it every ten mebibytes. A pair is
 * addressed by a number (its location), filled in one after the other, and never overwritten. A
 * slab more than half of which is dead is emptied in small steps: its living pairs move to the end
 * of the newest slab.
 */
export class ValueSlabs {
  readonly #owner: SlabOwner;
  readonly #slabs: (Slab | null)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #spares: SharedArrayBuffer[] = [];
  /** Mostly dead slabs, to be emptied in this order; one that died since is passed over. */
  readonly #sparse: Slab[] = [];
  #scanOffset = 0;
  #current: Slab | null = null;
  #reservedBytes = 0;

  constructor(owner: SlabOwner) {
    this.#owner = owner;
  }

  /** Memory held for values: living, dead and not yet used. */
  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** Stores copies of the key and value of the record in `slot`, and returns where. */
  store(slot: number, key: Uint8Array, value: Uint8Array): number {
    const size = sizeOf(key.length + value.length);
    const slab = this.#slabFor(size);
    const offset = slab.end;
    slab.view.setUint32(offset, slot);
    slab.view.setUint32(offset + 4, key.length);
    slab.view.setUint32(offset + 8, value.length);
    slab.bytes.set(key, offset + HEADER_BYTES);
    slab.bytes.set(value, offset + HEADER_BYTES + key.length);
    slab.end += size;
    slab.liveBytes += size;
    return slab.number * SLAB_BYTES + offset;
  }

  /** Length of the value at `location`, in bytes. */
  lengthAt(location: number): number {
    return this.#slabAt(location).view.getUint32((location % SLAB_BYTES) + 8);
  }

  /** The value at `location`: a view that holds until the next change of any value. */
  viewAt(location: number): Uint8Array {
    const slab = this.#slabAt(location);
    const offset = location % SLAB_BYTES;
    const start = offset + HEADER_BYTES + slab.view.getUint32(offset + 4);
    return slab.bytes.subarray(start, start + slab.view.getUint32(offset + 8));
  }

  /** The key at `location`: a view that holds until the next change. */
  keyAt(location: number): Uint8Array {
    const slab = this.#slabAt(location);
    const offset = location % SLAB_BYTES;
    const start = offset + HEADER_BYTES;
    return slab.bytes.subarray(start, start + slab.view.getUint32(offset + 4));
  }

  /** Whether the key at `location` is `key`. */
  hasKey(location: number, key: Uint8Array): boolean {
    const { bytes, view } = this.#slabAt(location);
    const offset = location % SLAB_BYTES;
    if (view.getUint32(offset + 4) !== key.length) return false;
    const start = offset + HEADER_BYTES;
    for (let at = 0; at < key.length; at++) if (bytes[start + at] !== key[at]) return false;
    return true;
  }

  /** The pair at `location` is not needed any more. */
  free(location: number): void {
    const slab = this.#slabAt(location);
    slab.liveBytes -= sizeAt(slab, location % SLAB_BYTES);
    if (slab !== this.#current) this.#judge(slab);
  }

  /** A small step of compaction, if there is anything to do. Bounded work; locations may change. */
  compactStep(): void {
    const [slab] = this.#sparse;
    if (slab === undefined) return;
    let bytesLeft = STEP_BYTES;
    for (let left = STEP_VALUES; left > 0 && bytesLeft > 0 && slab.liveBytes > 0; left--) {
      const offset = this.#scanOffset;
      assert(offset < slab.end, "a slab has fewer living bytes than were counted");
      const slot = slab.view.getUint32(offset);
      const size = sizeAt(slab, offset);
      const location = slab.number * SLAB_BYTES + offset;
      this.#scanOffset += size;
      if (this.#owner.locationOf(slot) !== location) continue;
      const moved = this.store(slot, this.keyAt(location), this.viewAt(location));
      this.#owner.moved(slot, moved);
      slab.liveBytes -= size;
      bytesLeft -= size;
    }
    if (slab.liveBytes > 0) return;
    this.#sparse.shift();
    this.#scanOffset = 0;
    this.#release(slab);
  }

  #slabFor(size: number): Slab {
    if (size > SHARED_MAX_BYTES) return this.#open(new SharedArrayBuffer(size));
    const current = this.#current;
    if (current !== null && current.end + size <= current.bytes.length) return current;
    const slabBytes = current === null ? FIRST_SLAB_BYTES : SLAB_BYTES;
    const next = this.#open(this.#spares.pop() ?? new SharedArrayBuffer(slabBytes));
    this.#current = next;
    if (current !== null) this.#judge(current);
    return next;
  }

  #open(buffer: SharedArrayBuffer): Slab {
    const number = this.#freeNumbers.pop() ?? this.#slabs.length;
    const bytes = new Uint8Array(buffer);
    const view = new DataView(buffer);
    const slab: Slab = { number, bytes, view, end: 0, liveBytes: 0, isDrained: false };
    this.#slabs[number] = slab;
    this.#reservedBytes += buffer.byteLength;
    return slab;
  }

  /** What becomes of a slab that takes no more values. */
  #judge(slab: Slab): void {
    if (slab.isDrained || slab.liveBytes > slab.end / 2) return;
    if (slab.liveBytes === 0) {
      this.#release(slab);
    } else {
      slab.isDrained = true;
      this.#sparse.push(slab);
    }
  }

  #release(slab: Slab): void {
    this.#slabs[slab.number] = null;
    this.#freeNumbers.push(slab.number);
    this.#reservedBytes -= slab.bytes.byteLength;
    const isShared = slab.bytes.byteLength === SLAB_BYTES;
    if (isShared && this.#spares.length < SPARES_MAX) this.#spares.push(slab.bytes.buffer);
    else noteDropped(slab.bytes.byteLength);
  }

  #slabAt(location: number): Slab {
    const slab = this.#slabs[Math.floor(location / SLAB_BYTES)];
    assert(slab !== undefined && slab !== null, "no slab has this number");
    return slab;
  }
}

function sizeOf(pairBytes: number): number {
  // Whole steps of four bytes keep every header aligned.
  return (HEADER_BYTES + pairBytes + 3) & ~3;
}

function sizeAt({ view }: Slab, offset: number): number {
  return sizeOf(view.getUint32(offset + 4) + view.getUint32(offset + 8));
}
