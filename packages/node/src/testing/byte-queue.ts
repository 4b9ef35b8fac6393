/** Bytes in order, that come and go in pieces of different sizes. */
export class ByteQueue {
  #pieces: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** Takes out the next bytes: `most` of them, or all that there are. */
  take(most: number): Uint8Array {
    const taken: Uint8Array[] = [];
    let missing = Math.min(most, this.#length);
    this.#length -= missing;
    let used = 0;
    for (const piece of this.#pieces) {
      if (missing === 0) break;
      const part = piece.subarray(0, missing);
      taken.push(part);
      missing -= part.length;
      if (part.length < piece.length) this.#pieces[used] = piece.subarray(part.length);
      else used++;
    }
    this.#pieces.splice(0, used);
    const [only] = taken;
    return only !== undefined && taken.length === 1 ? only : Buffer.concat(taken);
  }

  clear(): void {
    this.#pieces = [];
    this.#length = 0;
  }
}
