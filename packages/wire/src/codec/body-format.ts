import { DecodeError } from "../errors.ts";
import { BODY_VALUES_MAX, NESTING_MAX_DEPTH } from "../limits.ts";

/**
 * Walks a body once before it is decoded, so that the decoder behind it only ever sees what the
 * protocol allows: one MessagePack value that ends where the body ends, within the limits of
 * depth and number of values, with text as map keys, and without extension types. The last
 * matters most: msgpackr reads extension 0x72 as the definition of a record.
 *
 * @throws DecodeError saying what is wrong. Reads nothing outside `body` and allocates nothing
 * that depends on it.
 */
export function checkBodyFormat(body: Uint8Array): void {
  const end = new FormatWalk(body).skipValue(0, 0);
  if (end < body.length) {
    throw new DecodeError("trailingBytes", `${body.length - end} bytes follow the value`);
  }
}

class FormatWalk {
  readonly #body: Uint8Array;
  #valuesLeft: number = BODY_VALUES_MAX;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  /** The offset after the value at `at`, which lies inside `depth` arrays and maps. */
  skipValue(at: number, depth: number): number {
    this.#valuesLeft -= 1;
    if (this.#valuesLeft < 0) {
      throw new DecodeError("tooManyValues", `more than ${BODY_VALUES_MAX} values`);
    }
    const format = this.#body[at];
    if (format === undefined) throw truncated();
    if (format < 0x80 || format >= 0xe0) return at + 1;
    if (format < 0x90) return this.#skipMap(at + 1, format & 0x0f, depth);
    if (format < 0xa0) return this.#skipArray(at + 1, format & 0x0f, depth);
    if (format < 0xc0) return this.#within(at + 1 + (format & 0x1f));
    return this.#skipLongFormat(format, at + 1, depth);
  }

  #skipLongFormat(format: number, at: number, depth: number): number {
    switch (format) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return at;
      case 0xcc: // uint 8
      case 0xd0: // int 8
        return this.#within(at + 1);
      case 0xcd: // uint 16
      case 0xd1: // int 16
        return this.#within(at + 2);
      case 0xca: // float 32
      case 0xce: // uint 32
      case 0xd2: // int 32
        return this.#within(at + 4);
      case 0xcb: // float 64
      case 0xcf: // uint 64
      case 0xd3: // int 64
        return this.#within(at + 8);
      case 0xc4: // bin 8
      case 0xd9: // str 8
        return this.#within(at + 1 + this.#length(at, 1));
      case 0xc5: // bin 16
      case 0xda: // str 16
        return this.#within(at + 2 + this.#length(at, 2));
      case 0xc6: // bin 32
      case 0xdb: // str 32
        return this.#within(at + 4 + this.#length(at, 4));
      case 0xdc: // array 16
        return this.#skipArray(at + 2, this.#length(at, 2), depth);
      case 0xdd: // array 32
        return this.#skipArray(at + 4, this.#length(at, 4), depth);
      case 0xde: // map 16
        return this.#skipMap(at + 2, this.#length(at, 2), depth);
      case 0xdf: // map 32
        return this.#skipMap(at + 4, this.#length(at, 4), depth);
      case 0xc1:
        throw new DecodeError("badFormat", "0xc1 is no MessagePack format");
      default:
        throw new DecodeError("extension", "the protocol has no extension types");
    }
  }

  #skipArray(at: number, count: number, depth: number): number {
    checkDepth(depth);
    let next = at;
    for (let element = 0; element < count; element += 1) next = this.skipValue(next, depth + 1);
    return next;
  }

  #skipMap(at: number, count: number, depth: number): number {
    checkDepth(depth);
    let next = at;
    for (let pair = 0; pair < count; pair += 1) {
      this.#checkKey(next);
      next = this.skipValue(this.skipValue(next, depth + 1), depth + 1);
    }
    return next;
  }

  #checkKey(at: number): void {
    const format = this.#body[at];
    if (format === undefined) throw truncated();
    const isText = (format >= 0xa0 && format < 0xc0) || (format >= 0xd9 && format <= 0xdb);
    if (!isText) throw new DecodeError("badFormat", "a map key is not text");
  }

  #length(at: number, width: 1 | 2 | 4): number {
    let length = 0;
    for (let offset = 0; offset < width; offset += 1) {
      const byte = this.#body[at + offset];
      if (byte === undefined) throw truncated();
      length = length * 256 + byte;
    }
    return length;
  }

  #within(end: number): number {
    if (end > this.#body.length) throw truncated();
    return end;
  }
}

function checkDepth(depth: number): void {
  if (depth >= NESTING_MAX_DEPTH) {
    throw new DecodeError("tooDeep", `nested deeper than ${NESTING_MAX_DEPTH}`);
  }
}

function truncated(): DecodeError {
  return new DecodeError("truncated", "the bytes end inside a value");
}
