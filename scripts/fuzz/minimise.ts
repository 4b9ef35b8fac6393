import { joined } from "./mutations.ts";

const TRIES_MAX = 3000;
const TIME_MAX_MS = 8_000;

type Breaks = (candidate: Uint8Array) => Promise<boolean>;

/**
 * The smallest input found that still `breaks`: without one part after another, then without runs
 * of bytes, shorter and shorter ones, then with zeros in the place of bytes that do not matter.
 */
export async function minimise(
  input: Uint8Array,
  breaks: Breaks,
  partsOf?: (input: Uint8Array) => Uint8Array[],
): Promise<Uint8Array> {
  const endMs = performance.now() + TIME_MAX_MS;
  let tries = 0;
  const stillBreaks: Breaks = async (candidate) =>
    tries++ < TRIES_MAX && performance.now() < endMs && breaks(candidate);
  const parts = await shortest(partsOf?.(input) ?? [input], joined, stillBreaks);
  const toBytes = (bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);
  const bytes = await shortest([...joined(parts)], toBytes, stillBreaks);
  for (const [at, byte] of bytes.entries()) {
    if (byte !== 0 && (await stillBreaks(toBytes(bytes.with(at, 0))))) bytes[at] = 0;
  }
  return toBytes(bytes);
}

/** `items` without as many of them as can go: half of them at a time, a quarter, … one. */
async function shortest<Item>(
  items: readonly Item[],
  toInput: (items: readonly Item[]) => Uint8Array,
  breaks: Breaks,
): Promise<Item[]> {
  let best = [...items];
  for (let run = Math.ceil(best.length / 2); run >= 1; run = run === 1 ? 0 : Math.ceil(run / 2)) {
    for (let at = 0; at < best.length;) {
      const shorter = best.toSpliced(at, run);
      if (await breaks(toInput(shorter))) best = shorter;
      else at += run;
    }
  }
  return best;
}
