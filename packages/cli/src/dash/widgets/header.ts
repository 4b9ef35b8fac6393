import { span, timeOfDay, widthOf, fit } from "../format.ts";
import type { ClusterView } from "../select.ts";
import type { Paint, Tone } from "./paint.ts";

/** What the first line says besides the cluster's state. */
export interface HeaderFacts {
  readonly clusterName: string;
  /** Set while the screen stands still: when it was frozen. */
  readonly frozenAtMs: number | null;
  readonly readOnly: boolean;
}

/** The first line: name, health, who is up, who leads, and the time. */
export function headerLine(
  view: ClusterView,
  facts: HeaderFacts,
  columns: number,
  paint: Paint,
): string {
  const [tone, health] = healthWord(view);
  const name = [facts.clusterName, facts.readOnly ? "read-only" : ""].filter((text) => text !== "");
  const names = name.map((text): Part => ({ text, tone: "bold" }));
  const state: readonly Part[] = [
    { text: health, tone },
    ...countParts(view, columns).map((text): Part => ({ text, tone: "plain" })),
  ];
  const clock = clockWord(view, facts);
  const short = facts.frozenAtMs === null ? "● LIVE" : "■ FROZEN";
  const shortest = facts.frozenAtMs === null ? "" : short;
  // The least important goes first where there is no room for all.
  const variants: readonly (readonly [readonly Part[], string])[] = [
    [[{ text: "quorate", tone: "bold" }, ...names, ...state], clock],
    [[...names, ...state], clock],
    [[...names, ...state], short],
    [state, clock],
    ...state.map((_, drop) => [state.slice(0, state.length - drop), shortest] as const),
  ];
  for (const [parts, right] of variants) {
    const line = joinParts(parts, right, columns, paint);
    if (line !== null) {
      return line;
    }
  }
  return paint.tone(tone, fit(` ${health}`, columns));
}

interface Part {
  readonly text: string;
  readonly tone: Tone;
}

function joinParts(
  parts: readonly Part[],
  clock: string,
  columns: number,
  paint: Paint,
): string | null {
  const leftWidth = parts.reduce((sum, part) => sum + widthOf(part.text) + 2, -1);
  const gap = columns - leftWidth - widthOf(clock) - 1;
  if (gap < 1) {
    return null;
  }
  const left = parts.map((part) => paint.tone(part.tone, part.text)).join("  ");
  return ` ${left}${" ".repeat(gap)}${clock} `;
}

function healthWord(view: ClusterView): readonly [Tone, string] {
  switch (view.health) {
    case "connecting":
      return ["dim", "… CONNECTING"];
    case "unreachable":
      return ["bad", "✗ UNREACHABLE"];
    case "healthy":
      return ["good", "✓ HEALTHY"];
    case "degraded":
      return ["warning", "! DEGRADED"];
    case "noLeader":
      return ["warning", `! NO LEADER ${(view.noLeaderForMs / 1000).toFixed(1)} s`];
    case "noQuorum":
      return ["bad", "✗ NO QUORUM"];
  }
}

function countParts(view: ClusterView, columns: number): readonly string[] {
  if (view.health === "connecting" || view.health === "unreachable") {
    return [];
  }
  const up = `${view.up}/${view.voters} up`;
  if (view.health === "noQuorum") {
    return [up, `${view.quorum} needed`, ...leaderless(view)];
  }
  const leader = view.leaderId === null ? [] : [`leader ${view.leaderId}`];
  return [up, lossWords(view.safeLosses, columns >= 100), ...leader, `term ${view.term}`];
}

function leaderless(view: ClusterView): readonly string[] {
  return view.leaderId === null
    ? [`no leader for ${span(view.noLeaderForMs)}`]
    : [`leader ${view.leaderId}`];
}

/** How many more nodes may be lost: the number that an operator wants first. */
function lossWords(safeLosses: number, long: boolean): string {
  if (!long) {
    return safeLosses === 0 ? "no loss safe" : `${safeLosses} loss${plural(safeLosses)} safe`;
  }
  if (safeLosses === 0) {
    return "no more loss is safe";
  }
  return safeLosses === 1 ? "one more loss is safe" : `${safeLosses} more losses are safe`;
}

function plural(number: number): string {
  return number === 1 ? "" : "es";
}

function clockWord(view: ClusterView, facts: HeaderFacts): string {
  return facts.frozenAtMs === null
    ? `● LIVE ${timeOfDay(view.nowMs, "s")}`
    : `■ FROZEN ${timeOfDay(facts.frozenAtMs, "s")}`;
}
