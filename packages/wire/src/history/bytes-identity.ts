import { bytesOfHistory, historyBytes } from "./history-bytes.ts";
import type { HistoryBytes } from "./operation.ts";

/** V8 refuses more entries in one map. */
const MAP_ENTRIES_MAX: number = 2 ** 23;

/** Equal for equal bytes: text as it is; other bytes in base64 behind half a surrogate pair. */
export function bytesIdentity(bytes: HistoryBytes): string {
  if (typeof bytes === "string") return bytes;
  const canonical = historyBytes(Buffer.from(bytes.b64, "base64"));
  return typeof canonical === "string" ? canonical : `\uDC00${canonical.b64}`;
}

/** In the order of the bytes, which is not the order of JavaScript's text. */
export function compareBytes(left: HistoryBytes, right: HistoryBytes): number {
  return Buffer.compare(bytesOfHistory(left), bytesOfHistory(right));
}

/** Numbers texts from 0 on in the order in which they come. */
export class TextNumbers {
  #maps: Map<string, number>[] = [new Map()];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The text's number, a new one for a new text. */
  of(text: string): number {
    const known = this.find(text);
    if (known !== -1) return known;
    let map = this.#maps.at(-1);
    if (map === undefined || map.size >= MAP_ENTRIES_MAX) {
      map = new Map();
      this.#maps.push(map);
    }
    map.set(text, this.#count);
    return this.#count++;
  }

  /** The text's number; -1: it has none. */
  find(text: string): number {
    for (const map of this.#maps) {
      const known = map.get(text);
      if (known !== undefined) return known;
    }
    return -1;
  }
}
