const TWO_32 = 2 ** 32;

/** Writes a safe integer from 0 on as 8 big-endian bytes. */
export function setSafeInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / TWO_32));
  view.setUint32(at + 4, value >>> 0);
}

/** Reads 8 big-endian bytes; the result is not a safe integer where they hold more than 2^53 - 1. */
export function getInteger(view: DataView, at: number): number {
  return view.getUint32(at) * TWO_32 + view.getUint32(at + 4);
}
