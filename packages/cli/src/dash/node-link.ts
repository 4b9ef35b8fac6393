import type { NodeId, NodeStatus } from "@quorate/wire";

/**
 * What the dashboard can tell of its way to a node: `connecting` nothing yet, `live` it streams,
 * `silent` connected without a sign of life (paused or stuck), `refused` no process listens,
 * `unreachable` no answer at all, `turnedAway` it answered and refused us.
 */
export type LinkVerdict =
  | "connecting"
  | "live"
  | "silent"
  | "refused"
  | "unreachable"
  | "turnedAway";

/** Why a link ended or never came up. */
export interface LinkProblem {
  readonly verdict: Exclude<LinkVerdict, "live">;
  /** For people: "connection refused". */
  readonly text: string;
}

/** One address that is watched, and what was last heard over it. */
export interface NodeLink {
  readonly address: string;
  /** Null until the address was named by a member list or has answered. */
  readonly nodeId: NodeId | null;
  /** The last status heard, kept after contact was lost. */
  readonly status: NodeStatus | null;
  readonly verdict: LinkVerdict;
  /** When {@link verdict} began. */
  readonly sinceMs: number;
  readonly problem: string | null;
  readonly lastHeardMs: number | null;
  readonly retryAtMs: number | null;
  /** When contact was lost, while it is. */
  readonly lostAtMs: number | null;
  /** Highest event sequence seen of the process `status.bootId`. */
  readonly lastSequence: number;
}
