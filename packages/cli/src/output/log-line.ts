const LEVELS: Readonly<Record<number, string>> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};

/** Said by the columns already, or the same on every line of a log. */
const LEFT_OUT = new Set(["level", "time", "msg", "pid", "hostname", "nodeId", "name"]);

function timeOf(value: unknown): string {
  if (typeof value !== "number" && typeof value !== "string") return "-";
  const time = new Date(value);
  return Number.isNaN(time.getTime()) ? String(value) : time.toISOString().slice(11, 23);
}

function fieldText(value: unknown): string {
  if (typeof value === "string") return /^[\w.:/@-]+$/u.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

/**
 * A line of a node's log for people: time, level, message, fields. A line that is not one of the
 * daemon's own, such as the trace of a crash, stays as it is.
 */
export function formatLogLine(line: string): string {
  let record: Readonly<Record<string, unknown>>;
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed !== "object" || parsed === null) return line;
    record = parsed as Readonly<Record<string, unknown>>;
  } catch {
    return line;
  }
  const level = record["level"];
  const levelName = typeof level === "number" ? (LEVELS[level] ?? String(level)) : fieldText(level);
  const message = record["msg"];
  const fields = Object.entries(record)
    .filter(([name, value]) => !LEFT_OUT.has(name) && value !== undefined)
    .map(([name, value]) => `${name}=${fieldText(value)}`);
  return [
    timeOf(record["time"]),
    levelName.padEnd(5),
    typeof message === "string" ? message : "",
    ...fields,
  ].join(" ");
}
