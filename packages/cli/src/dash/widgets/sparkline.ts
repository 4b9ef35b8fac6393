const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/** `values` as bars, the newest at the right; a null is a blank, not a zero. */
export function sparkline(values: readonly (number | null)[], columns: number): string {
  const shown = values.slice(-columns);
  const highest = Math.max(0, ...shown.map((value) => value ?? 0));
  const bars = shown.map((value) => {
    if (value === null) {
      return " ";
    }
    const height = highest === 0 ? 0 : Math.round((value / highest) * (BARS.length - 1));
    return BARS[height] ?? BARS[0];
  });
  return bars.join("").padStart(columns);
}

/** A part of a whole, 0 to 1, as a bar of `columns`. */
export function gauge(part: number, columns: number): string {
  const full = Math.round(Math.min(1, Math.max(0, part)) * columns);
  return "▆".repeat(full) + "·".repeat(columns - full);
}
