import type { NodeId, NodeStatus } from "@quorate/wire";

/** `1.5 MB`, `800 kB`, `12 B`. */
function formatBytes(sizeBytes: number): string {
  if (sizeBytes >= 1e9) return `${(sizeBytes / 1e9).toFixed(1)} GB`;
  if (sizeBytes >= 1e6) return `${(sizeBytes / 1e6).toFixed(1)} MB`;
  if (sizeBytes >= 1e3) return `${Math.round(sizeBytes / 1e3)} kB`;
  return `${sizeBytes} B`;
}

/** Where the catching up of one member stands. */
export function describeCatchUp(leader: NodeStatus, id: NodeId): string {
  const peer = leader.peers.find((candidate) => candidate.id === id);
  if (peer === undefined || !peer.connected) return "not connected yet";
  if (peer.snapshotBytes !== null && peer.snapshotBytes > 0) {
    const sent = formatBytes(peer.snapshotOffset ?? 0);
    return `is sent a snapshot: ${sent} of ${formatBytes(peer.snapshotBytes)}`;
  }
  const round = (peer.catchUpRounds ?? 0) + 1;
  return `round ${round}: ${peer.matchIndex ?? 0} of ${leader.lastLogIndex} entries`;
}
