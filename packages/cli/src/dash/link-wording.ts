import type { NodeId } from "@quorate/wire";
import type { NodeLink } from "./node-link.ts";

/** Every link, by address. */
type Links = ReadonlyMap<string, NodeLink>;

/** Why a node counts as lost, and who heard it last. */
export function lossText(links: Links, link: NodeLink, atMs: number): string {
  switch (link.verdict) {
    case "refused":
      return "process gone (connection refused)";
    case "silent": {
      const silentMs = atMs - (link.lastHeardMs ?? atMs);
      return `connected but silent for ${(silentMs / 1000).toFixed(1)} s: paused or stuck`;
    }
    case "turnedAway":
      return `refused the dashboard: ${link.problem ?? "no reason given"}`;
    default: {
      const witness = lastWitness(links, link, atMs);
      const heard = witness === null ? "" : `; ${witness}`;
      return `unreachable (${link.problem ?? "no answer"})${heard}`;
    }
  }
}

/** Which live node heard of the lost one last: "n3 last heard it 4.1 s ago". */
export function lastWitness(links: Links, link: NodeLink, atMs: number): string | null {
  let best: { readonly id: NodeId; readonly agoMs: number } | null = null;
  for (const other of links.values()) {
    const peer = other.status?.peers.find((candidate) => candidate.id === link.nodeId);
    const contactMs = peer?.lastContactMs ?? null;
    if (other.verdict !== "live" || other.nodeId === null || contactMs === null) {
      continue;
    }
    const agoMs = contactMs + (atMs - (other.lastHeardMs ?? atMs));
    best = best === null || agoMs < best.agoMs ? { id: other.nodeId, agoMs } : best;
  }
  return best === null ? null : `${best.id} last heard it ${(best.agoMs / 1000).toFixed(1)} s ago`;
}

/** How long a node was away, and what it has to catch up with. */
export function returnText(
  links: Links,
  link: NodeLink,
  gap: { readonly lostAtMs: number; readonly restarted: boolean; readonly atMs: number },
): string {
  const seconds = Math.max(1, Math.round((gap.atMs - gap.lostAtMs) / 1000));
  const behind = Math.max(0, highestIndex(links) - (link.status?.lastLogIndex ?? 0));
  const lag = behind === 0 ? "" : `; ${behind} ${behind === 1 ? "entry" : "entries"} behind`;
  return `back after ${seconds} s${gap.restarted ? " (restarted)" : ""}${lag}`;
}

function highestIndex(links: Links): number {
  let highest = 0;
  for (const { status } of links.values()) {
    highest = Math.max(highest, status?.commitIndex ?? 0);
  }
  return highest;
}

/** That a node, or its connection, could not deliver all it had to tell. */
export function lostEvents(lost: number): string {
  return lost === 1 ? "1 event was not delivered" : `${lost} events were not delivered`;
}
