const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION = /^(?<count>\d+(?:\.\d+)?)(?<unit>ms|s|m|h)$/u;
const DURATION_MAX_MS = 24 * 3_600_000;

/** A duration as flags take it (`500ms`, `5s`, `1.5m`, at most 24h), in ms; null: not one. */
export function parseDuration(text: string): number | null {
  const parts = DURATION.exec(text.trim())?.groups;
  if (parts === undefined) return null;
  const unitMs = UNITS_MS[parts["unit"] ?? ""];
  if (unitMs === undefined) return null;
  const durationMs = Number(parts["count"]) * unitMs;
  return durationMs <= DURATION_MAX_MS ? durationMs : null;
}

/** A duration for people: `0.4 ms`, `83 ms`, `1.2 s`, `3 min 2 s`, `2 h 5 min`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 9.95) return `${durationMs.toFixed(1)} ms`;
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1_000).toFixed(1).replace(/\.0$/u, "")} s`;
  const seconds = Math.round(durationMs / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
