import { crc32 } from "node:zlib";
import { BLOCK_HEAD_BYTES } from "./snapshot-format.ts";

/** Builds blocks of a snapshot, one after the other in the same memory. */
export class BlockBuilder {
  #bytes: Uint8Array<ArrayBuffer>;
  view: DataView;
  #end = BLOCK_HEAD_BYTES;
  #blockAt = 0;

  constructor(expectedBytes: number) {
    this.#bytes = new Uint8Array(BLOCK_HEAD_BYTES + expectedBytes);
    this.view = new DataView(this.#bytes.buffer);
  }

  /**
   * Begins the next block; what was taken of the one before is void.
   *
   * @param leadBytes room before the block, for the caller to fill.
   */
  begin(leadBytes: number): void {
    this.#end = 0;
    this.reserve(leadBytes + BLOCK_HEAD_BYTES);
    this.#blockAt = leadBytes;
  }

  /** Bytes of the records so far. */
  get bodyBytes(): number {
    return this.#end - this.#blockAt - BLOCK_HEAD_BYTES;
  }

  /** Room for `sizeBytes` more, at the returned offset of `view`. */
  reserve(sizeBytes: number): number {
    const at = this.#end;
    this.#end += sizeBytes;
    if (this.#end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#end, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }

  setBytes(at: number, source: Uint8Array): void {
    this.#bytes.set(source, at);
  }

  /** One byte a character. */
  setText(at: number, text: string): void {
    Buffer.from(this.#bytes.buffer, at, text.length).write(text, "latin1");
  }

  append(record: Uint8Array): void {
    this.setBytes(this.reserve(record.length), record);
  }

  /** The records as they are, without the block's head. It holds until the next block begins. */
  takeBody(): Uint8Array {
    return this.#bytes.subarray(this.#blockAt + BLOCK_HEAD_BYTES, this.#end);
  }

  /** The whole block with what precedes it. It holds until the next one begins. */
  takeBlock(): Uint8Array {
    this.view.setUint32(this.#blockAt, this.bodyBytes);
    this.view.setUint32(this.#blockAt + 4, crc32(this.takeBody()));
    return this.#bytes.subarray(0, this.#end);
  }
}
