/**
 * How much a test does: the short form as part of every run, the long one with
 * `npm test -- --system --long`, for figures that may be quoted.
 */
export function scaled(short: number, long: number): number {
  return process.env["QUORATE_LONG_TESTS"] === "1" ? long : short;
}

/** The part of sorted figures that is below `part` of them. */
export function percentile(figures: readonly number[], part: number): number {
  const sorted = figures.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
