import type { ClusterId, Incarnation, LogIndex, NodeId } from "./ids.ts";

/** The version of the protocol that this code speaks (docs/protocol.md). */
export const PROTOCOL_VERSION = 1;

/** Who opens a connection: a server of the same cluster, or a client or dashboard. */
export type ConnectionRole = "peer" | "client";

/** The first frame each way. */
export interface Hello {
  readonly type: "Hello";
  readonly protocolVersion: number;
  /** Null: a client that takes whichever cluster answers. */
  readonly clusterId: ClusterId | null;
  /** The sender: a node's id, or a client's free name of 1 to 64 characters. */
  readonly from: string;
  /** The node that the sender means to talk to, or null: whoever answers. */
  readonly to: NodeId | null;
  readonly role: ConnectionRole;
  /** Of the sender's data directory; null from a client. */
  readonly incarnation: Incarnation | null;
  /** New with each start of the sender's process: the same alphabet as {@link NodeId}. */
  readonly bootId: string;
  /** Where a node wants to be reached (`host:port`), so that peers learn new addresses; null
   *  from a client. */
  readonly advertiseAddress: string | null;
  readonly softwareVersion: string;
  /** Names of what the sender can do beyond this version; at most 16 of 1 to 64 characters. */
  readonly capabilities: readonly string[];
  /**
   * Starts of the sender's data directory so far, this one included: a smaller one than before is
   * that of a restored or copied directory. Null from a client.
   */
  readonly bootNumber: number | null;
  /**
   * Index of the newest configuration in the sender's log, committed or not: a node that is behind
   * lets in a member that it does not know yet. Null from a client.
   */
  readonly configurationIndex: LogIndex | null;
}

export const HELLO_REFUSAL_CODES = [
  "protocolVersion",
  "wrongCluster",
  "wrongNode",
  "notMember",
  "retired",
  "wrongIncarnation",
  "tooManyConnections",
  "helloExpected",
] as const;
export type HelloRefusalCode = (typeof HELLO_REFUSAL_CODES)[number];

/** Sent instead of a {@link Hello}; the connection closes after it. */
export interface HelloRefused {
  readonly type: "HelloRefused";
  readonly code: HelloRefusalCode;
  /** What is wrong. */
  readonly message: string;
  /** What repairs it: a command or a setting. */
  readonly remedy: string;
}
