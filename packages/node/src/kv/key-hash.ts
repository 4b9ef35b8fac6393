/** Who does not know the seed cannot find keys that collide. */
export type HashSeed = readonly [number, number];

/**
 * HalfSipHash-1-3 of the bytes, 32 bits: clients choose keys, and with a checksum for a hash they
 * could choose a million with the same one.
 */
export function keyHash([k0, k1]: HashSeed, key: Uint8Array): number {
  let v0 = k0;
  let v1 = k1;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  const { length } = key;
  const wholeBytes = length & ~3;
  // Words of the key, the last one with its length; then one that is none, and three rounds of it.
  for (let at = 0; at <= wholeBytes + 12; at += 4) {
    const word = at <= wholeBytes ? wordAt(key, at, wholeBytes) : 0;
    if (at === wholeBytes + 4) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}

function wordAt(key: Uint8Array, at: number, wholeBytes: number): number {
  const low = (key[at] ?? 0) | ((key[at + 1] ?? 0) << 8) | ((key[at + 2] ?? 0) << 16);
  return low | ((at < wholeBytes ? (key[at + 3] ?? 0) : key.length & 0xff) << 24);
}
