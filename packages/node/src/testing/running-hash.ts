/**
 * A 64-bit hash of a sequence of numbers, texts and bytes: two lanes of MurmurHash3's rounds. It
 * tells sequences apart; it is no defence against someone who searches for collisions.
 */
export class RunningHash {
  #low = 0x9e3779b9 | 0;
  #high = 0x85ebca6b | 0;

  /** Adds a whole number of at most 2^53 - 1 (its sign counts). */
  number(value: number): void {
    this.#word(value | 0);
    this.#word(Math.floor(value / 2 ** 32) | 0);
  }

  text(value: string): void {
    this.#word(value.length);
    for (let at = 0; at < value.length; at++) this.#word(value.charCodeAt(at));
  }

  bytes(value: Uint8Array): void {
    this.#word(value.length);
    let at = 0;
    for (; at + 3 < value.length; at += 4) {
      const low = byte(value, at) | (byte(value, at + 1) << 8);
      this.#word(low | (byte(value, at + 2) << 16) | (byte(value, at + 3) << 24));
    }
    for (; at < value.length; at++) this.#word(byte(value, at));
  }

  /** The hash so far as a whole number below 2^53. */
  value(): number {
    return (finish(this.#high) & 0x1fffff) * 2 ** 32 + finish(this.#low);
  }

  /** The hash so far as 16 hexadecimal digits. */
  digest(): string {
    return hex(finish(this.#high)) + hex(finish(this.#low));
  }

  #word(word: number): void {
    let k = Math.imul(word, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    let h = this.#low ^ k;
    h = (h << 13) | (h >>> 19);
    this.#low = (Math.imul(h, 5) + 0xe6546b64) | 0;
    h = this.#high ^ Math.imul(k, 0x2545f491);
    h = (h << 11) | (h >>> 21);
    this.#high = (Math.imul(h, 9) + 0x38495ab5) | 0;
  }
}

function byte(value: Uint8Array, at: number): number {
  return value[at] ?? 0;
}

function finish(lane: number): number {
  let h = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hex(lane: number): string {
  return lane.toString(16).padStart(8, "0");
}
