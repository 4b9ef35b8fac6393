const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/**
 * `values` as bars, the newest at the right; a null is a blank, not a zero. The scale ends at
 * `least` or the highest value: small figures stay small.
 */
export function sparkline(
  values: readonly (number | null)[],
  columns: number,
  least: number,
): string {
  const shown = columns <= 0 ? [] : values.slice(-columns);
  const highest = Math.max(least, ...shown.map((value) => value ?? 0));
  const bars = shown.map((value) => {
    if (value === null) {
      return " ";
    }
    const height = Math.round((value / highest) * (BARS.length - 1));
    return BARS[height] ?? BARS[0];
  });
  return bars.join("").padStart(columns);
}

/** A part of a whole, 0 to 1, as a bar of `columns`. */
export function gauge(part: number, columns: number): string {
  const full = Math.round(Math.min(1, Math.max(0, part)) * columns);
  return "▆".repeat(full) + "·".repeat(columns - full);
}
