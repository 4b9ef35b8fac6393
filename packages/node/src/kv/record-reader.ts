import { getInteger } from "./integers.ts";
import { KvSnapshotError } from "./snapshot-error.ts";

/** Reads the fields of a snapshot's records; past the end it throws a {@link KvSnapshotError}. */
export class RecordReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  safeInteger(): number {
    const value = getInteger(this.#view, this.#advance(8));
    if (!Number.isSafeInteger(value)) throw outside("a number is too large");
    return value;
  }

  /** A view of the block. */
  bytes(sizeBytes: number): Uint8Array {
    const at = this.#advance(sizeBytes);
    return this.#bytes.subarray(at, at + sizeBytes);
  }

  text(sizeBytes: number): string {
    return Buffer.from(this.bytes(sizeBytes)).toString("latin1");
  }

  #advance(sizeBytes: number): number {
    const at = this.#at;
    if (at + sizeBytes > this.#bytes.length) throw outside("a record ends outside its block");
    this.#at = at + sizeBytes;
    return at;
  }
}

function outside(what: string): KvSnapshotError {
  return new KvSnapshotError("damaged", `the snapshot is damaged: ${what}`);
}
